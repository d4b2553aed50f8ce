import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { parse } from 'csv-parse'
import { stringify } from 'csv-stringify/sync'
import { VcapError } from '../errors'
import { OutputFile } from './output-file'
import type { Cell, RowSink } from './rows'

/** Longer records are an unclosed quote that swallows the file. */
const maxRecordBytes = 16 * 1024 * 1024

const dialect = {
  bom: true,
  relax_column_count: true,
  relax_quotes: true,
  skip_empty_lines: true,
  max_record_size: maxRecordBytes
}

/** A CSV file's header, and its records to come. */
export interface CsvTable {
  columns: string[]
  records: AsyncIterable<string[]>
}

/**
 * Opens a CSV file and reads its header. A byte-order mark, CRLF, quoted newlines, blank lines, missing cells (empty)
 * and extra cells (dropped) are taken as they come. Throws `csv_invalid`; the records throw it as well.
 */
export async function openCsv(file: string): Promise<CsvTable> {
  const records = readRecords(file)
  const header = await records.next()
  if (header.done) {
    throw new VcapError('csv_invalid', `${file} is empty: expected a CSV with a header and a column named path`)
  }
  const columns = header.value
  return { columns, records: ofWidth(records, columns.length) }
}

/** Records of a CSV file, the header not counted. Rejects where the file breaks off or the signal is aborted. */
export async function countCsv(file: string, signal: AbortSignal): Promise<number> {
  let records = 0
  // Counted as they are found and dropped: a stream of a million rows nobody reads would cost as much as the run.
  const parser = parse({ ...dialect, on_record: () => void records++ })
  await pipeline(createReadStream(file), parser.resume(), { signal })
  return Math.max(0, records - 1)
}

async function* ofWidth(records: AsyncIterable<string[]>, width: number): AsyncGenerator<string[]> {
  for await (const record of records) {
    yield record.length === width ? record : Array.from({ length: width }, (_, i) => record[i] ?? '')
  }
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

/** Records that are written at once: one by one, writing would cost more than all the rest of a row. */
const recordsPerWrite = 128

/** A CSV file to be written, its header first. */
export class CsvSink implements RowSink {
  readonly #file: OutputFile
  #records: Cell[][]

  /** Throws `output_unwritable`. */
  constructor(file: string, columns: string[]) {
    this.#file = new OutputFile(file)
    this.#records = [columns]
  }

  get path(): string {
    return this.#file.path
  }

  async write(cells: Cell[]): Promise<void> {
    this.#records.push(cells)
    if (this.#records.length >= recordsPerWrite) await this.#flush()
  }

  async commit(): Promise<void> {
    await this.#flush()
    this.#file.commit()
  }

  discard(): void {
    this.#file.discard()
  }

  async #flush(): Promise<void> {
    const records = this.#records
    this.#records = []
    await this.#file.write(stringify(records))
  }
}
