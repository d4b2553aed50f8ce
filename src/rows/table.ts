import { VcapError } from '../errors'
import type { ColumnType } from './cell'
import { openOutput } from './compressed-output'
import { CsvSink } from './csv-sink'
import { openCsv } from './csv-table'
import { Decompressed } from './decompress'
import { chooseFormat, type FileFormat, type FormatName } from '../table-format'
import { JsonlSink } from './jsonl-sink'
import { openJsonl } from './jsonl-table'
import type { OpenedTable, TableOptions } from './opened-table'
import { ParquetSink } from './parquet-sink'
import { openParquet } from './parquet-table'
import type { RowSink } from './rows'
import { TableFile } from './table-file'

export type { TableOptions } from './opened-table'

/** A table of any format, with any columns: all that can be wrong with it was found. */
export interface Table extends OpenedTable {
  /** As messages call it. */
  readonly label: string
  readonly format: FileFormat
  /** True where it grew since it was opened, or shrank: what came since is not among its records. */
  readonly resized: boolean
  /** Frees what it holds. */
  close(): void
}

export interface SinkOptions {
  /** By the file's ending when left out. */
  format?: FormatName | undefined
  /** Where neither says anything; a CSV when left out. */
  otherwise?: FileFormat | undefined
  /** What the columns hold, where it is known. */
  types?: (ColumnType | undefined)[] | undefined
}

/**
 * Opens a table, a file or a stream (`-` is standard input), and checks all of it. Throws `usage`, `csv_invalid`,
 * `table_invalid`, `read_failed`, `aborted`, and `write_failed` where a table from a pipe cannot be kept.
 */
export async function openTable(place: string, options: TableOptions = {}): Promise<Table> {
  const format = chooseFormat(place, options.format)
  const file = await TableFile.open(place, options.signal)
  try {
    const table = await read(file, format, options)
    return {
      label: file.label,
      format,
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

async function read(file: TableFile, { format, compression }: FileFormat, options: TableOptions): Promise<OpenedTable> {
  if (format === 'parquet') return openParquet(file, options)
  const bytes = compression ? new Decompressed(file, compression) : file
  return format === 'jsonl' ? openJsonl(bytes, options) : openCsv(bytes, { ...options, isTsv: format === 'tsv' })
}

/**
 * Opens an output with these columns (`-` is standard output). Throws `output_unwritable`, and `usage` where its format
 * cannot have them.
 */
export function openSink(place: string, columns: string[], options: SinkOptions = {}): RowSink {
  const { format, compression } = chooseFormat(place, options.format, options.otherwise)
  if (format !== 'csv' && format !== 'tsv') requireOwnNames(place, format, columns)
  const output = openOutput(place, compression)
  if (format === 'parquet') return new ParquetSink(output, columns, options.types)
  if (format === 'jsonl') return new JsonlSink(output, columns, options.types)
  return new CsvSink(output, columns, format === 'tsv' ? '\t' : ',', options.types)
}

function requireOwnNames(place: string, format: string, columns: string[]): void {
  const twice = columns.find((name, column) => columns.indexOf(name) !== column)
  if (twice === undefined) return
  const what = format === 'jsonl' ? 'JSON object' : 'Parquet file'
  throw new VcapError(
    'usage',
    `Output ${place}: a ${what} cannot have two columns named ${JSON.stringify(twice)}. Rename one of them`
  )
}
