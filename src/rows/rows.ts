import type { RowInput } from '../caption'
import { VcapError } from '../errors'

/** One cell of a table, with the type that the table gives it. A CSV file has strings alone. */
export type Cell = string | number | boolean | bigint | null

/** One row of the input. */
export interface Row {
  /** From 0, the header not counted. */
  index: number
  /** As many as there are columns. */
  cells: Cell[]
  /** What of it is to be captioned: the path resolved. */
  input: RowInput
}

/** Where rows come from. Read once, as a stream: memory does not grow with their number. */
export interface RowSource {
  /** The columns' names in order. */
  readonly columns: string[]
  /** Where among the columns the files' paths stand. */
  readonly pathColumn: number
  /** Throws `csv_invalid` where the table breaks off. */
  rows(): AsyncIterable<Row>
  /** How many there are; reads the table a second time. Rejects where it breaks off or the signal is aborted. */
  count(signal: AbortSignal): Promise<number>
}

/** Where rows go. */
export interface RowSink {
  /** Where the output will be: links followed. */
  readonly path: string
  /** One row, in the output's columns. Wait for it before the next. Rejects with `write_failed`. */
  write(cells: Cell[]): Promise<void>
  /** Makes the output appear. Rejects with `write_failed`. */
  commit(): Promise<void>
  /** Removes what was written; does nothing after `commit`. */
  discard(): void
}

/** Where `name` stands among a table's columns. Throws `csv_invalid`, naming those that are there. */
export function requireColumn(table: string, columns: string[], name: string): number {
  const column = columns.indexOf(name)
  if (column >= 0) return column
  const short = (seen: string) => (seen.length > 40 ? `${seen.slice(0, 37)}...` : seen)
  const seen = columns.slice(0, 12).map((other) => JSON.stringify(short(other)))
  throw new VcapError(
    'csv_invalid',
    `${table} has no column named ${name}: its columns are ${seen.join(', ')}. ` +
      `Rename the column that holds the files to ${name}`
  )
}
