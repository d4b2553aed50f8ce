/**
 * Random tables, whole and damaged, and what must become of them: an oracle that shares no way of reading with
 * src/rows. It takes a whole table as one string, by one regular expression, after the rules of docs/tables.md.
 */

import { chooseLayout } from '../../dist/rows/layout.js'

/** Numbers from 0 to 1 by a seed: a linear congruence, mixed. */
export class Random {
  #state

  constructor(seed) {
    this.#state = seed >>> 0
  }

  next() {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x45d9f3b)
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x45d9f3b)
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32
  }

  below(bound) {
    return Math.floor(this.next() * bound)
  }

  chance(share) {
    return this.next() < share
  }

  pick(list) {
    return list[this.below(list.length)]
  }
}

export const ownColumns = chooseLayout({ columns: ['path'], pathColumn: 0 }).columns.slice(1)
const names = [
  '',
  'id',
  'text',
  'note',
  'a b',
  ' x ',
  'Path',
  'path ',
  'status',
  'error',
  'extra_cells',
  'ünï',
  'q"q',
  'n\nl'
]
const pieces = [
  'a',
  'clip',
  '.mp4',
  ' ',
  '  ',
  'é',
  '影',
  '😀',
  '"',
  '""',
  ',',
  ';',
  '\t',
  '|',
  '\n',
  '\r',
  '\r\n',
  '{}',
  '0',
  '-1',
  '\ufeff',
  '\u2028',
  "'",
  '\\',
  '#',
  '=1+1',
  'null'
]
const lineEnds = ['\n', '\r\n', '\r']
const separators = [',', ';', '\t', '|']

/** A table that was written by the rules: its bytes, and its rows' cells. */
function writeTable(random) {
  const width = 1 + random.below(5)
  const columns = Array.from({ length: width }, () => random.pick(names))
  columns[random.below(width)] = 'path'
  const named = random.chance(0.15)
  const separator = named
    ? random.pick([...separators, '!', ':', ' ', '~'])
    : width === 1 || random.chance(0.6)
      ? ','
      : random.pick(separators)
  const ends = random.chance(0.5) ? [random.pick(lineEnds)] : lineEnds
  const ragged = random.chance(0.2)
  const rows = Array.from({ length: random.below(random.chance(0.02) ? 400 : 12) }, () => {
    const length = ragged && random.chance(0.2) ? 1 + random.below(width + 3) : width
    return Array.from({ length }, () => randomCell(random))
  })
  let text = named ? `sep=${separator}${random.pick(lineEnds)}` : ''
  const blank = random.chance(0.1)
  for (const [index, row] of [columns, ...rows].entries()) {
    // A line end that follows a carriage return would make one of both.
    if (blank && random.chance(0.3)) text += text.endsWith('\r') ? '\r' : random.pick(ends)
    text += row
      .map((cell, column) => writeCell(random, cell, separator, index === 0, row.length === 1, column))
      .join(separator)
    if (index < rows.length || random.chance(0.8)) text += random.pick(ends)
  }
  return { columns, rows, text }
}

function randomCell(random) {
  if (random.chance(0.15)) return ''
  if (random.chance(0.0005)) return random.pick(pieces).repeat(1 + random.below(100_000))
  return Array.from({ length: 1 + random.below(5) }, () => random.pick(pieces)).join('')
}

function writeCell(random, cell, separator, inHeader, alone, column) {
  const special = ['"', '\r', '\n', separator, ...(inHeader ? separators : [])]
  const mark = column === 0 && cell.startsWith('\ufeff')
  const quoted = mark || (cell === '' && alone) || special.some((part) => cell.includes(part)) || random.chance(0.2)
  return quoted ? `"${cell.replaceAll('"', '""')}"` : cell
}

const encodings = {
  'UTF-8': (text) => Buffer.from(text),
  'UTF-8 with mark': (text) => Buffer.from(`\ufeff${text}`),
  'UTF-16LE': (text) => Buffer.from(`\ufeff${text}`, 'utf16le'),
  'UTF-16BE': (text) => Buffer.from(`\ufeff${text}`, 'utf16le').swap16()
}

/** One change of some bytes. */
function damage(random, bytes) {
  const at = random.below(bytes.length + 1)
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)]
  const inserted = (what) => Buffer.concat([before, what, after])
  switch (random.below(8)) {
    case 0:
      return inserted(Buffer.from('"'))
    case 1:
      return inserted(Buffer.from([random.below(256)]))
    case 2:
      return inserted(Buffer.from(random.pick(pieces)))
    case 3:
      return Buffer.concat([before, after.subarray(1 + random.below(3))])
    case 4:
      return Buffer.concat([before, Buffer.from([random.below(256)]), after.subarray(1)])
    case 5:
      return before
    case 6:
      return Buffer.concat([bytes, bytes]) // as by `cat`
    default:
      return Buffer.concat([before, bytes.subarray(0, random.below(bytes.length)), after])
  }
}

/** A random table's bytes, and what the rules make of it: `columns` and `rows`, or `refused` with why. */
export function randomTable(random) {
  const { columns, rows, text } = writeTable(random)
  const encoding = random.chance(0.7) ? 'UTF-8' : random.pick(Object.keys(encodings))
  const whole = encodings[encoding](text)
  const damaged = random.chance(0.3)
  const bytes = damaged ? damage(random, whole) : whole
  const judged = judge(bytes)
  // What was written by the rules is no matter of reading: the rows are known.
  if (!damaged && !judged.refused) Object.assign(judged, { columns, rows })
  if (!damaged && judged.refused && judged.refused !== 'carriage return') throw new Error(`The oracle refuses: ${text}`)
  return { bytes, encoding, damaged, ...judged }
}

function judge(bytes) {
  const text = decode(bytes)
  if (text === undefined) return { refused: 'encoding' }
  if (text.includes('\0')) return { refused: 'zero' }
  const named = /^"?sep=([\t -~])"?(\r\n|\n|\r)/i.exec(text)
  const bySeparator = named && !/["0-9a-z]/i.test(named[1])
  const body = bySeparator ? text.slice(named[0].length) : text
  const separator = bySeparator
    ? named[1]
    : separators.find((candidate) => firstRecord(body, candidate)?.cells.includes('path'))
  if (separator === undefined)
    return { refused: separators.some((each) => firstRecord(body, each)) ? 'header' : 'quote' }
  const first = firstRecord(body, separator)
  if (first && first.cells.filter((name) => name === 'path').length !== 1) return { refused: 'header' }
  const records = []
  for (const record of readRecords(body, separator)) {
    if (!record) return { refused: 'quote' }
    if (record.marked && records.length > 0) return { refused: 'mark' }
    records.push(record)
  }
  const [header, ...others] = records
  if (header.marked) return { refused: 'mark' }
  const byReturn = (record) => record.end === '\r' || record.before === '\r'
  if (header.end !== '\r' && others.some((row) => byReturn(row) && row.cells.length !== header.cells.length)) {
    return { refused: 'carriage return' }
  }
  return { columns: header.cells, rows: others.map(({ cells }) => cells) }
}

function decode(bytes) {
  const label =
    bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : 'utf-8'
  try {
    return new TextDecoder(label, { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}

function firstRecord(text, separator) {
  for (const record of readRecords(text, separator)) return record
  return { cells: [] }
}

/** The records of a text, null where one is against the rules. Blank lines are none. */
function* readRecords(text, separator) {
  const between = `\\x${separator.charCodeAt(0).toString(16).padStart(2, '0')}`
  const cell = new RegExp(`(?:"([^"]*(?:""[^"]*)*)"|([^"\\r\\n${between}]*))(${between}|\\r\\n|\\r|\\n|$)`, 'y')
  let before = ''
  while (cell.lastIndex < text.length) {
    const cells = []
    const marked = text.startsWith('\ufeff', cell.lastIndex)
    const start = cell.lastIndex
    let end = separator
    while (end === separator) {
      const found = cell.exec(text)
      if (!found) return yield null
      cells.push(found[1] === undefined ? found[2] : found[1].replaceAll('""', '"'))
      end = found[3]
    }
    if (cell.lastIndex - start > end.length) yield { cells, end, before, marked }
    before = end
  }
}

/** Where an output, read by the rules, is not what must become of these rows; undefined where it is. */
export function findDifference(output, { columns, rows }, captions) {
  const [header, ...written] = [...readRecords(output, ',')].map((record) => record?.cells)
  const kept = columns.flatMap((name, column) => (ownColumns.includes(name) ? [] : [column]))
  const isLong = (row) => row.slice(columns.length).some((cell) => cell !== '')
  const extra = rows.some(isLong) ? 1 : 0
  const expected = kept.map((column) => columns[column])
  if (header?.length !== kept.length + extra + ownColumns.length) return `header ${JSON.stringify(header)}`
  if (JSON.stringify(header.slice(0, kept.length)) !== JSON.stringify(expected))
    return `names ${JSON.stringify(header)}`
  if (JSON.stringify(header.slice(-ownColumns.length)) !== JSON.stringify(ownColumns)) return 'our names'
  if (written.length !== rows.length) return `${rows.length} rows in, ${written.length} out`
  for (const [index, row] of rows.entries()) {
    const cells = [...kept.map((column) => row[column] ?? '')]
    const beyond = extra ? [isLong(row) ? row.slice(columns.length) : ['']] : []
    const seen = written[index]
    const same =
      seen.length === header.length &&
      JSON.stringify(seen.slice(0, kept.length)) === JSON.stringify(cells) &&
      beyond.every((list) => JSON.stringify(readBeyond(seen[kept.length])) === JSON.stringify(list)) &&
      seen.at(-ownColumns.length) === captions[index]
    if (!same) return `row ${index}: ${JSON.stringify(row)} became ${JSON.stringify(seen)}`
  }
  return undefined
}

const readBeyond = (cell) => (cell === '' ? [''] : firstRecord(cell, ',').cells)
