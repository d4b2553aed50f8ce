import { abortedError, VcapError } from '../errors'
import type { Cell } from './cell'
import type { TableBytes } from './decompress'
import { JsonColumn } from './json-types'
import { LineFault, readLine } from './json-line'
import { requireColumn } from './rows'
import { decodeText, TextFault } from './text'
import type { OpenedTable, TableOptions } from './opened-table'

/** Bytes of the longest line. */
const maxLineBytes = 16 * 1024 * 1024
/** Columns beyond which keys are taken to be data. */
const maxColumns = 10_000

const lineFeed = 0x0a

/**
 * Reads a whole JSONL file, one object a line, and checks it. Its columns are the keys of all lines, in the order in
 * which they first come; a cell is `undefined` where its line lacks the key. Throws `table_invalid`, with the line
 * where one is at fault, `read_failed`, `aborted`.
 */
export async function openJsonl(bytes: TableBytes, { column, signal }: TableOptions): Promise<OpenedTable> {
  const columns = new Map<string, JsonColumn>()
  let total = 0
  for await (const { line, number } of readLines(bytes)) {
    if (signal?.aborted) throw abortedError(signal)
    total++
    const seen = new Set<string>()
    readAt(bytes, number, line, (key, value) => {
      if (seen.has(key)) throw new LineFault(`the key ${JSON.stringify(key)} stands there twice`)
      seen.add(key)
      columnOf(columns, key).add(value)
    })
  }
  await bytes.requireUnchanged()
  const names = [...columns.keys()]
  if (total === 0) throw new VcapError('table_invalid', `${bytes.label} is empty: expected one JSON object a line`)
  if (column !== undefined) requireColumn(bytes.label, names, column, 'table_invalid')
  return {
    columns: names,
    types: names.map((name) => columns.get(name)!.typeOf(name)),
    total,
    warnings: [],
    records: () => readRecords(bytes, names, total)
  }
}

function columnOf(columns: Map<string, JsonColumn>, key: string): JsonColumn {
  const known = columns.get(key)
  if (known) return known
  if (columns.size === maxColumns) {
    throw new LineFault(`more than ${maxColumns} different keys so far: are they data? Name each value by a key`)
  }
  const made = new JsonColumn()
  columns.set(key, made)
  return made
}

async function* readRecords(
  bytes: TableBytes,
  columns: string[],
  total: number
): AsyncGenerator<Cell[], void, undefined> {
  await bytes.requireUnchanged()
  const places = new Map(columns.map((name, place) => [name, place]))
  let records = 0
  for await (const { line, number } of readLines(bytes)) {
    const cells = new Array<Cell>(columns.length).fill(undefined)
    readAt(bytes, number, line, (key, value) => {
      cells[places.get(key)!] = value
    })
    records++
    yield cells
  }
  if (records !== total) throw new VcapError('internal', `${bytes.label} has ${total} rows by its scan, ${records} now`)
}

function readAt(bytes: TableBytes, number: number, line: string, tell: (key: string, value: Cell) => void): void {
  try {
    readLine(line, tell)
  } catch (error) {
    throw error instanceof LineFault ? fault(bytes, number, error.message) : error
  }
}

/** Each line that is not blank, with its number from 1. */
async function* readLines(bytes: TableBytes): AsyncGenerator<{ line: string; number: number }, void, undefined> {
  let number = 0
  let rest: Buffer[] = []
  let length = 0
  try {
    for await (const block of decodeText(bytes.blocks())) {
      let start = 0
      for (let end = block.indexOf(lineFeed); end >= 0; end = block.indexOf(lineFeed, start)) {
        rest.push(block.subarray(start, end))
        start = end + 1
        const line = textOf(rest)
        rest = []
        length = 0
        number++
        if (line !== '') yield { line, number }
      }
      rest.push(block.subarray(start))
      length += block.length - start
      if (length > maxLineBytes) throw new TextFault(`a line is longer than ${maxLineBytes} bytes`)
    }
  } catch (error) {
    throw error instanceof TextFault ? fault(bytes, number + 1, error.message) : error
  }
  const line = textOf(rest)
  if (line !== '') yield { line, number: number + 1 }
}

/** Blanks around it taken off, the carriage return of CRLF among them. */
function textOf(parts: Buffer[]): string {
  return (parts.length === 1 ? parts[0]! : Buffer.concat(parts)).toString('utf8').trim()
}

function fault(bytes: TableBytes, line: number, what: string): VcapError {
  return new VcapError('table_invalid', `${bytes.label}, line ${line}: ${what}`)
}
