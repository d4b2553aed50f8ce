import { cellText, type Cell } from '../rows/cell'
import { requireColumn } from '../rows/rows'
import type { Table } from '../rows/table'
import { hashText } from '../run/row-key'

/** By what a row of a table is known: the cells of some columns, as text. */
export class TableKey {
  readonly #columns: number[]

  /** Throws `csv_invalid` or `table_invalid` where the table has not each column once. */
  constructor(
    private readonly table: Table,
    names: string[]
  ) {
    const code = table.format.format === 'csv' || table.format.format === 'tsv' ? 'csv_invalid' : 'table_invalid'
    this.#columns = names.map((name) => requireColumn(table.label, table.columns, name, code))
  }

  /** Whether a column is part of the key. */
  has(column: number): boolean {
    return this.#columns.includes(column)
  }

  /** The key's cells as text, for people and machines. */
  texts(cells: Cell[]): string[] {
    return this.#columns.map((column) => cellText(cells[column], this.table.types?.[column]) ?? '')
  }

  /** 128 bits of what the key's cells hold. */
  hash(cells: Cell[]): string {
    const texts = this.texts(cells)
    return hashText(texts.length === 1 ? texts[0]! : JSON.stringify(texts))
  }
}
