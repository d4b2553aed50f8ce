import { stringify } from 'csv-stringify/sync'
import { cellText, type Cell, type ColumnType } from './cell'
import type { Output } from './compressed-output'
import { TextSink } from './text-sink'

/** An empty text has quotes, and nothing has none: they are read again as what they were. */
const csvOptions = {
  quoted_match: /^$/,
  cast: { boolean: String, object: (cell: object) => cellText(cell as Cell) ?? '' }
}

/** A CSV file to be written, its header first; with tabs in place of commas a TSV. */
export class CsvSink extends TextSink {
  readonly #hasTypes: boolean

  constructor(
    output: Output,
    private readonly columns: string[],
    private readonly separator: ',' | '\t',
    private readonly types: (ColumnType | undefined)[] = []
  ) {
    super(output)
    this.#hasTypes = types.some((type) => type !== undefined)
  }

  protected override header(): string {
    return stringify([this.columns], { delimiter: this.separator })
  }

  protected override textOf(records: Cell[][]): string {
    const plain = this.#hasTypes
      ? records.map((cells) => cells.map((cell, column) => cellText(cell, this.types[column])))
      : records
    // A blank line would be no record.
    const shown = this.columns.length === 1 ? plain.map(([cell]) => [cell ?? '']) : plain
    return stringify(shown, { ...csvOptions, delimiter: this.separator })
  }
}
