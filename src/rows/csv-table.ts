import { pipeline } from 'node:stream'
import { parse, type CsvError } from 'csv-parse'
import { stringify } from 'csv-stringify/sync'
import { abortedError, VcapError } from '../errors'
import { findDialect, parserOptions, type Dialect } from './dialect'
import { requireColumn, requireHeader } from './rows'
import { Scanner, type ScanOptions, type TableFacts } from './scan'
import type { Cell } from './cell'
import type { TableBytes } from './decompress'
import type { OpenedTable, TableOptions } from './opened-table'
import { tableWarnings } from './table-warnings'
import { decodeText, faultError, TextFault } from './text'

/** Bytes in which the header must end. */
const headBytes = 1024 * 1024

export interface CsvOptions extends TableOptions {
  /** It is named as a table with tabs between its cells. */
  isTsv: boolean
}

/**
 * Reads a whole CSV file and checks it. Line ends may be mixed. Missing cells are empty, those beyond the header are
 * kept in a column of their own, and both are warned of. An empty cell without quotes is null. Throws `csv_invalid`,
 * with the line where one is at fault, `read_failed`, `aborted`.
 */
export async function openCsv(file: TableBytes, options: CsvOptions): Promise<OpenedTable> {
  const dialect = await readDialect(file, options)
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
    warnings: tableWarnings(file.label, dialect, facts, { extra: extra[0], isTsv: options.isTsv }),
    records: () => readRecords(file, dialect, { width, extra: extra.length, facts, begin })
  }
}

async function readDialect(file: TableBytes, { column, isTsv }: CsvOptions): Promise<Dialect> {
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
  if (isJsonLine(head)) {
    throw faultError(file.label, 1, 'JSON and no CSV: let its name end with .jsonl, or name the format jsonl')
  }
  const dialect = findDialect(head, column ?? 'path', isTsv)
  cut ||= length >= headBytes && !/[\r\n]/.test(head.toString('latin1', dialect.skipped))
  return cut ? { ...dialect, columns: undefined } : dialect
}

/** Whether a table begins with a line that is a JSON object: no header would have its quotes. */
function isJsonLine(head: Buffer): boolean {
  const [line = ''] = head.toString('utf8').trimStart().split('\n', 1)
  try {
    return line.startsWith('{') && typeof JSON.parse(line) === 'object'
  } catch {
    return false
  }
}

/** Throws `csv_invalid` where the header lacks what is wanted. */
function scanOptions(
  label: string,
  { separator, skipped, columns }: Dialect,
  { column, isFile }: CsvOptions
): ScanOptions {
  if (columns) requireHeader(label, columns, column)
  const named = columns && column !== undefined ? requireColumn(label, columns, column, 'csv_invalid') : 0
  const firstLine = skipped > 0 ? 2 : 1
  return { label, separator, width: columns?.length ?? 0, column: named, firstLine, isFile: isFile ?? (() => false) }
}

async function scan(
  file: TableBytes,
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
  file: TableBytes,
  { separator, skipped }: Dialect,
  { width, extra, facts, begin }: { width: number; extra: number; facts: TableFacts; begin: () => Promise<void> }
): AsyncGenerator<Cell[], void, undefined> {
  await begin()
  const { rows, hasQuotedEmpty } = facts
  // The parser's own way to tell of quotes costs several times what all the rest does; a record's text costs a fifth.
  const parser = parse({ ...parserOptions, delimiter: separator, raw: hasQuotedEmpty })
  // Its errors reach the loop below.
  pipeline(skip(decodeText(file.blocks()), skipped), parser, () => undefined)
  let records = -1 // the header
  try {
    for await (const parsed of parser as AsyncIterable<
      (string | null)[] | { record: (string | null)[]; raw: string }
    >) {
      if (records++ < 0) continue
      const [record, raw] = Array.isArray(parsed) ? [parsed, ''] : [parsed.record, parsed.raw]
      if (record.includes('')) takeNothing(record, raw, separator)
      yield ofWidth(record, width, extra)
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

/** Makes null of empty cells without quotes. `raw`: the record as it stands; empty where no cell is empty in quotes. */
function takeNothing(record: (string | null)[], raw: string, separator: string): void {
  let at = raw.search(/[^\r\n]/)
  for (let column = 0; column < record.length; column++) {
    const isQuoted = raw[at] === '"'
    if (record[column] === '' && !isQuoted) record[column] = null
    const next = raw.indexOf(separator, isQuoted ? endOfQuoted(raw, at) : at)
    at = next < 0 ? raw.length : next + 1
  }
}

/** One beyond the closing quote. */
function endOfQuoted(raw: string, start: number): number {
  for (let at = start + 1; ; at += 2) {
    at = raw.indexOf('"', at)
    if (at < 0) return raw.length
    if (raw[at + 1] !== '"') return at + 1
  }
}

/** A record with as many cells as the header, and those beyond it as one, written as CSV. */
function ofWidth(record: (string | null)[], width: number, extra: number): Cell[] {
  if (record.length === width && extra === 0) return record
  const cells = Array.from({ length: width + extra }, (_, i) => (i < width ? (record[i] ?? null) : null))
  const beyond = record.slice(width)
  if (extra > 0 && beyond.some(Boolean)) cells[width] = stringify([beyond], { eof: false })
  return cells
}

function freeName(taken: string[], name: string): string {
  for (let count = 1; ; count++) {
    const free = count === 1 ? name : `${name}_${count}`
    if (!taken.includes(free)) return free
  }
}
