import { openCsv } from './csv-table'
import { CsvSink } from './csv-sink'
import type { Cell, RowSink } from './rows'
import { TableFile } from './table-file'

/** How a table is written. */
export type TableFormat = 'csv'

/** What a column holds, where a table's format says so: handed from a table to an output as it is. */
export interface ColumnType {
  readonly kind: string
}

/** A table of any format, with any columns: all that can be wrong with it was found. */
export interface Table {
  /** As messages call it. */
  readonly label: string
  /** The columns' names in order. */
  readonly columns: string[]
  /** Of each column; undefined where the format has none. */
  readonly types?: (ColumnType | undefined)[] | undefined
  /** Records, the header not counted. */
  readonly total: number
  /** What its owner should know before the first record, a sentence each. */
  readonly warnings: string[]
  /**
   * As many cells each as there are columns, from the first record on. Throws `read_failed` where the system cannot
   * read on, and where what it reads is not what was checked.
   */
  records(): AsyncGenerator<Cell[], void, undefined>
  /** True where it grew since it was opened, or shrank: what came since is not among its records. */
  readonly resized: boolean
  /** Frees what it holds. */
  close(): void
}

export interface TableOptions {
  format?: TableFormat | undefined
  signal?: AbortSignal | undefined
  /** A column that the table must have; without it any will do. A CSV's separator is found by it. */
  column?: string | undefined
  /** Whether a cell of that column names a file that is there, by which rows within a quoted cell are noticed. */
  isFile?: ((name: string) => boolean) | undefined
}

export interface SinkOptions {
  format?: TableFormat | undefined
  types?: (ColumnType | undefined)[] | undefined
}

/**
 * Opens a table, a file or a stream (`-` is standard input), and checks all of it. Throws `usage`, `csv_invalid`,
 * `read_failed`, `aborted`, and `write_failed` where a table from a pipe cannot be kept.
 */
export async function openTable(place: string, options: TableOptions = {}): Promise<Table> {
  const file = await TableFile.open(place, options.signal)
  try {
    const table = await openCsv(file, options)
    return {
      label: file.label,
      ...table,
      get resized() {
        return file.resized
      },
      close: () => file.close()
    }
  } catch (error) {
    file.close()
    throw error
  }
}

/** Opens an output with these columns (`-` is standard output). Throws `output_unwritable`. */
export function openSink(place: string, columns: string[], _options: SinkOptions = {}): RowSink {
  return new CsvSink(place, columns)
}
