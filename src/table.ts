import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { parse } from 'csv-parse'
import { VcapError } from './errors'

/** One line of the input. */
export interface Row {
  /** From 0, the header not counted. */
  index: number
  cells: string[]
}

/** A CSV file read as a stream: constant memory whatever its length. */
export interface Table {
  /** The columns' names in order. */
  columns: string[]
  rows: AsyncIterable<Row>
}

/** Longer cells are an unclosed quote that swallows the file. */
const maxRecordBytes = 16 * 1024 * 1024

const dialect = {
  bom: true,
  relax_column_count: true,
  relax_quotes: true,
  skip_empty_lines: true,
  max_record_size: maxRecordBytes
}

/**
 * Opens a CSV file and reads its header. A byte-order mark, CRLF, quoted newlines, blank
 * lines, missing cells (empty) and extra cells (dropped) are taken as they come.
 * Throws `csv_invalid`; the rows throw it as well.
 */
export async function openTable(file: string): Promise<Table> {
  const records = readRecords(file)
  const header = await records.next()
  if (header.done)
    throw new VcapError('csv_invalid', `${file} is empty: expected a CSV with a header and a column named path`)
  const columns = header.value
  return { columns, rows: toRows(records, columns.length) }
}

/** Rows of a CSV file, the header not counted. Rejects where the file breaks off or the signal is aborted. */
export async function countRows(file: string, signal?: AbortSignal): Promise<number> {
  let records = 0
  // Counted as they are found and dropped: a stream of a million rows nobody reads would cost as much as the run.
  const parser = parse({ ...dialect, on_record: () => void records++ })
  await pipeline(createReadStream(file), parser.resume(), { signal })
  return Math.max(0, records - 1)
}

/** Where `name` stands among the columns. Throws `csv_invalid` naming those that are there. */
export function requireColumn(file: string, columns: string[], name: string): number {
  const place = columns.indexOf(name)
  if (place >= 0) return place
  const seen = columns
    .map((column) => JSON.stringify(column.length > 40 ? `${column.slice(0, 37)}...` : column))
    .slice(0, 12)
    .join(', ')
  throw new VcapError(
    'csv_invalid',
    `${file} has no column named path: its columns are ${seen}. Rename the column that holds the files to path.`
  )
}

async function* toRows(records: AsyncGenerator<string[]>, width: number): AsyncGenerator<Row> {
  let index = 0
  for await (const record of records) {
    yield { index: index++, cells: toWidth(record, width) }
  }
}

function toWidth(record: string[], width: number): string[] {
  if (record.length === width) return record
  return Array.from({ length: width }, (_, i) => record[i] ?? '')
}

async function* readRecords(file: string): AsyncGenerator<string[], void, undefined> {
  const input = createReadStream(file)
  const parser = parse(dialect)
  input.on('error', (error) => parser.destroy(error))
  input.pipe(parser)
  try {
    for await (const record of parser) yield record as string[]
  } catch (cause) {
    const { message } = cause as Error
    throw new VcapError('csv_invalid', `${file} cannot be read as CSV: ${message}`, { cause })
  } finally {
    input.destroy()
  }
}
