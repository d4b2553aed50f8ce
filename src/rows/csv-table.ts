import { pipeline } from 'node:stream'
import { parse, type CsvError } from 'csv-parse'
import { stringify } from 'csv-stringify/sync'
import { abortedError, VcapError } from '../errors'
import { findDialect, parserOptions, type Dialect } from './dialect'
import { requireColumn, requireHeader } from './rows'
import { Scanner, type ScanOptions, type TableFacts } from './scan'
import type { TableFile } from './table-file'
import { tableWarnings } from './table-warnings'
import { decodeText, faultError, TextFault } from './text'

/** Bytes in which the header must end. */
const headBytes = 1024 * 1024

/** A checked CSV file: all that can be wrong with it was found. */
export interface CsvTable {
  /** The header's, and one for cells beyond it where rows have such. */
  columns: string[]
  /** Records after the header. */
  total: number
  /** What its owner should know: one sentence each. */
  warnings: string[]
  /** As many cells each as there are columns. */
  records(): AsyncGenerator<string[], void, undefined>
}

export interface CsvOptions {
  /** A column that the table must have; without it any will do. */
  column?: string | undefined
  /** Whether a cell of that column names a file that is there; without it no cell does. */
  isFile?: ((name: string) => boolean) | undefined
  signal?: AbortSignal | undefined
}

/**
 * Reads a whole CSV file and checks it. Line ends may be mixed. Missing cells are empty, those beyond the header are
 * kept in a column of their own, and both are warned of. Throws `csv_invalid`, with the line where one is at fault,
 * `read_failed`, `aborted`.
 */
export async function openCsv(file: TableFile, options: CsvOptions): Promise<CsvTable> {
  const dialect = await readDialect(file, options.column)
  const header = dialect.columns
  const facts = await scan(file, scanOptions(file.label, dialect, options), dialect.skipped, options.signal)
  if (!header) throw faultError(file.label, 1, `the header cannot be read in the first ${headBytes} bytes`)
  const extra = facts.long.count > 0 ? [freeName(header, 'extra_cells')] : []
  const width = header.length
  let isBegun = false
  const begin = async () => {
    // Rows that come once rows are read are none of this table's; those that came before would be missed.
    if (!isBegun) await file.requireUnchanged()
    isBegun = true
  }
  return {
    columns: [...header, ...extra],
    total: facts.rows,
    warnings: tableWarnings(file.label, dialect, facts, extra[0]),
    records: () => readRecords(file, dialect, { width, extra: extra.length, rows: facts.rows, begin })
  }
}

async function readDialect(file: TableFile, column: string | undefined): Promise<Dialect> {
  const parts: Buffer[] = []
  let length = 0
  let cut = false
  try {
    for await (const part of decodeText(file.blocks())) {
      parts.push(part)
      if ((length += part.length) >= headBytes) break
    }
  } catch (error) {
    if (!(error instanceof TextFault)) throw error
    cut = true // the scan comes to the fault as well, and knows its line
  }
  const head = Buffer.concat(parts)
  const dialect = findDialect(head, column ?? 'path')
  cut ||= length >= headBytes && !/[\r\n]/.test(head.toString('latin1', dialect.skipped))
  return cut ? { ...dialect, columns: undefined } : dialect
}

/** Throws `csv_invalid` where the header lacks what is wanted. */
function scanOptions(
  label: string,
  { separator, skipped, columns }: Dialect,
  { column, isFile }: CsvOptions
): ScanOptions {
  if (columns) requireHeader(label, columns, column)
  const named = columns && column !== undefined ? requireColumn(label, columns, column) : 0
  const firstLine = skipped > 0 ? 2 : 1
  return { label, separator, width: columns?.length ?? 0, column: named, firstLine, isFile: isFile ?? (() => false) }
}

async function scan(
  file: TableFile,
  options: ScanOptions,
  skipped: number,
  signal: AbortSignal | undefined
): Promise<TableFacts> {
  const scanner = new Scanner(options)
  try {
    for await (const text of skip(decodeText(file.blocks({ passing: true })), skipped)) {
      if (signal?.aborted) throw abortedError(signal)
      scanner.add(text)
    }
  } catch (error) {
    throw error instanceof TextFault ? faultError(file.label, scanner.line, error.message) : error
  }
  await file.requireUnchanged()
  return scanner.finish()
}

async function* skip(blocks: AsyncIterable<Buffer>, bytes: number): AsyncGenerator<Buffer, void, undefined> {
  let left = bytes
  for await (const block of blocks) {
    const here = Math.min(left, block.length)
    left -= here
    yield block.subarray(here)
  }
}

async function* readRecords(
  file: TableFile,
  { separator, skipped }: Dialect,
  { width, extra, rows, begin }: { width: number; extra: number; rows: number; begin: () => Promise<void> }
): AsyncGenerator<string[], void, undefined> {
  await begin()
  const parser = parse({ ...parserOptions, delimiter: separator })
  // Its errors reach the loop below.
  pipeline(skip(decodeText(file.blocks()), skipped), parser, () => undefined)
  let records = -1 // the header
  try {
    for await (const record of parser as AsyncIterable<string[]>) {
      if (records++ >= 0) yield ofWidth(record, width, extra)
    }
  } catch (cause) {
    if (cause instanceof VcapError) throw cause
    const { message } = cause as CsvError
    throw new VcapError('csv_invalid', `${file.label} cannot be read as CSV: ${message}`, { cause })
  }
  if (records !== rows) {
    throw new VcapError('internal', `${file.label} has ${rows} rows by its scan and ${records} by its parser`)
  }
}

/** A record with as many cells as the header, and those beyond it as one, written as CSV. */
function ofWidth(record: string[], width: number, extra: number): string[] {
  if (record.length === width && extra === 0) return record
  const cells = Array.from({ length: width + extra }, (_, i) => (i < width && record[i]) || '')
  const beyond = record.slice(width)
  if (extra > 0 && beyond.some((cell) => cell !== '')) cells[width] = stringify([beyond], { eof: false })
  return cells
}

function freeName(taken: string[], name: string): string {
  for (let count = 1; ; count++) {
    const free = count === 1 ? name : `${name}_${count}`
    if (!taken.includes(free)) return free
  }
}
