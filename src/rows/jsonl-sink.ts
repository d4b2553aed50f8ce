import { cellJson, type Cell, type ColumnType } from './cell'
import type { Output } from './compressed-output'
import { TextSink } from './text-sink'

/** A JSONL file to be written, one object a line. A cell that is `undefined` has no key in its line. */
export class JsonlSink extends TextSink {
  readonly #keys: string[]

  constructor(
    output: Output,
    columns: string[],
    private readonly types: (ColumnType | undefined)[] = []
  ) {
    super(output)
    this.#keys = columns.map((name) => `${JSON.stringify(name)}:`)
  }

  protected override textOf(records: Cell[][]): string {
    return records.map((cells) => `${this.#lineOf(cells)}\n`).join('')
  }

  #lineOf(cells: Cell[]): string {
    let line = ''
    for (const [column, cell] of cells.entries()) {
      if (cell === undefined) continue
      line += `${line === '' ? '' : ','}${this.#keys[column]}${cellJson(cell, this.types[column])}`
    }
    return `{${line}}`
  }
}
