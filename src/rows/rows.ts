import type { RowInput } from '../caption'
import { VcapError } from '../errors'
import type { Cell, ColumnType } from './cell'
import type { FileFormat } from '../table-format'

export type { Cell, ColumnType } from './cell'

/** One row of the input. */
export interface Row {
  /** From 0, the header not counted. */
  index: number
  /** As many as there are columns. */
  cells: Cell[]
  /** What of it is to be captioned: the path resolved. */
  input: RowInput
}

/** Where rows come from: a table that was checked. Read as a stream: memory does not grow with the number of rows. */
export interface RowSource {
  /** The columns' names in order. */
  readonly columns: string[]
  /** Of each column; undefined where the format has none. */
  readonly types?: ColumnType[] | undefined
  /** How the table is written. */
  readonly format: FileFormat
  /** Where among the columns the files' paths stand. */
  readonly pathColumn: number
  /** How many rows there are. */
  readonly total: number
  /** What its owner should know before the first row, a sentence each. */
  readonly warnings: string[]
  /** The same for the same rows, where no single file tells whether they are: of a folder. */
  readonly digest?: string | undefined
  /** Throws `read_failed` where the system cannot read on, and where what it reads is not what was checked. */
  rows(): AsyncIterable<Row>
  /** True where it grew since it was opened, or shrank: rows that came since are not among its rows. */
  readonly resized: boolean
  /** Frees what it holds. */
  close(): void
}

/** Where rows go. */
export interface RowSink {
  /** Where the output will be: links followed. */
  readonly path: string
  /** False where it goes to a pipe or a device, as it comes. */
  readonly isFile: boolean
  /**
   * Comes before the first row: in `folder`, which nobody else uses, a file is made until it is whole. Once more, and
   * the file begins anew: nothing of what was written stays. What went to a stream is gone.
   */
  begin(folder: string): void
  /** One row, in the output's columns. Wait for it before the next. Rejects with `write_failed`. */
  write(cells: Cell[]): Promise<void>
  /** Makes the output appear. Rejects with `write_failed`. */
  commit(): Promise<void>
  /** Removes what was written; does nothing after `commit`. */
  discard(): void
}

/** Throws `csv_invalid` where a table has no columns at all. `column`: one that is wanted. */
export function requireHeader(table: string, columns: string[], column?: string): void {
  if (columns.length > 0) return
  const wanted = column === undefined ? 'a header' : `a header and a column named ${column}`
  throw new VcapError('csv_invalid', `${table} is empty: expected a CSV with ${wanted}`)
}

/**
 * Where `name` stands among a table's columns. Throws `code` where it is not there once, naming those that are there.
 */
export function requireColumn(
  table: string,
  columns: string[],
  name: string,
  code: 'csv_invalid' | 'table_invalid'
): number {
  const column = columns.indexOf(name)
  const holds = name === 'path' ? 'the files' : `what ${name} should be`
  if (columns.includes(name, column + 1)) {
    throw new VcapError(code, `${table} has two columns named ${name}. Rename the one without ${holds}`)
  }
  if (column >= 0) return column
  const short = (seen: string) => JSON.stringify(seen.length > 40 ? `${seen.slice(0, 37)}...` : seen)
  const near = columns.find((other) => other.trim().toLowerCase() === name.toLowerCase())
  throw new VcapError(
    code,
    `${table} has no column named ${name}: its columns are ${columns.slice(0, 12).map(short).join(', ')}. ` +
      `Rename ${near === undefined ? `the column that holds ${holds}` : short(near)} to ${name}`
  )
}
