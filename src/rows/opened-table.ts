import type { Cell, ColumnType } from './cell'
import type { FormatName } from '../table-format'

/** What a format's reader gives. */
export interface OpenedTable {
  /** The columns' names in order. */
  readonly columns: string[]
  /** Of each column; undefined where the format has none, as a CSV. */
  readonly types?: ColumnType[] | undefined
  /** Records, the header not counted. */
  readonly total: number
  /** What its owner should know before the first record, a sentence each. */
  readonly warnings: string[]
  /**
   * As many cells each as there are columns, from the first record on. Throws `read_failed` where the system cannot
   * read on, and where what it reads is not what was checked.
   */
  records(): AsyncGenerator<Cell[], void, undefined>
}

export interface TableOptions {
  /** By its file's ending when left out, and a CSV where that says nothing. */
  format?: FormatName | undefined
  signal?: AbortSignal | undefined
  /** A column that the table must have; without it any will do. A CSV's separator is found by it. */
  column?: string | undefined
  /** Whether a cell of that column names a file that is there, by which rows within a quoted cell are noticed. */
  isFile?: ((name: string) => boolean) | undefined
}
