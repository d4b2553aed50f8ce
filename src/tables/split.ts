import fs from 'node:fs'
import path from 'node:path'
import { VcapError } from '../errors'
import { parseSplitOptions, type SplitOptions } from '../options'
import { syncFolder } from '../folders'
import { findPlace } from '../rows/output-place'
import type { RowSink } from '../rows/rows'
import { openSink, type Table } from '../rows/table'
import { chooseFormat, type FormatName } from '../table-format'
import { fillTable } from '../rows/fill-table'
import { requireNoInput } from '../rows/output-place'
import { withTables } from './open-tables'
import { RowCounter } from './row-counter'

/** What in an output's name stands for the part. */
const mark = '{part}'
const mostParts = 10_000

/** What a split came to. */
export interface SplitSummary {
  /** Rows of the table. */
  rows: number
  parts: { output: string; rows: number }[]
  /** Files that are named like parts and are none of these, as of an earlier split. */
  others: string[]
  /** What its owner should know of the table, a sentence each. */
  warnings: string[]
}

/**
 * Splits a table into parts of rows that follow one another, each with the header; merged in order they are the table.
 * `{part}` in the output's name becomes the part's number, from 0, with as many digits in each. All parts appear when
 * all are written. Throws `usage`, `csv_invalid`, `read_failed`, `output_unwritable`, `write_failed`, `aborted`.
 */
export async function splitTable(table: string, output: string, options: SplitOptions = {}): Promise<SplitSummary> {
  const settings = parseSplitOptions(options)
  if ((settings.parts === undefined) === (settings.rows === undefined)) {
    throw new VcapError('usage', 'Expected either parts or rows: how many parts, or how many rows each has')
  }
  if (!path.basename(output).includes(mark)) {
    throw new VcapError('usage', `Output ${output} needs a place for the number of the part, such as part-${mark}.csv`)
  }
  return withTables([table], settings, async ([source]) => {
    const sizes = sizesOf(source!.total, settings)
    const names = sizes.map((_, part) => nameOf(output, String(part).padStart(String(sizes.length - 1).length, '0')))
    for (const name of names) requirePlace(name, table)
    const counter = new RowCounter(source!.total, settings)
    requireReadable(names[0]!, sizes, source!, settings.format)
    await writeParts(source!, names, sizes, counter, settings.format)
    return {
      rows: source!.total,
      parts: names.map((name, part) => ({ output: path.resolve(name), rows: sizes[part]! })),
      others: findOthers(output, names),
      warnings: source!.warnings
    }
  })
}

function nameOf(output: string, number: string): string {
  return output.replaceAll(mark, number)
}

/** Rows of each part. */
function sizesOf(total: number, { parts, rows }: SplitOptions): number[] {
  const count = parts ?? Math.max(1, Math.ceil(total / rows!))
  if (count > mostParts) {
    throw new VcapError('usage', `${total} rows by ${rows} would be ${count} parts: at most ${mostParts} are made`)
  }
  if (rows !== undefined) return Array.from({ length: count }, (_, part) => Math.min(rows, total - part * rows))
  const start = (part: number) => Math.floor((total * part) / count)
  return Array.from({ length: count }, (_, part) => start(part + 1) - start(part))
}

/** A JSONL file without a line is no table. */
function requireReadable(name: string, sizes: number[], table: Table, format: FormatName | undefined): void {
  if (!sizes.includes(0) || chooseFormat(name, format, table.format).format !== 'jsonl') return
  throw new VcapError('usage', `${table.label} has ${table.total} rows: ${sizes.length} parts would leave some without`)
}

function requirePlace(name: string, table: string): void {
  requireNoInput(name, [table])
  if (findPlace(name).kind === 'replace') return
  throw new VcapError('output_unwritable', `Output ${name} is no file that a part can take the place of: remove it`)
}

/** Writes all parts under other names, then gives them their own. */
async function writeParts(
  table: Table,
  names: string[],
  sizes: number[],
  counter: RowCounter,
  format: FormatName | undefined
): Promise<void> {
  const folder = path.dirname(findPlace(names[0]!).path)
  let temporary: string
  try {
    temporary = fs.mkdtempSync(path.join(folder, '.vcap-split-'))
  } catch (cause) {
    throw new VcapError('output_unwritable', `Parts cannot be written: ${(cause as Error).message}`, { cause })
  }
  try {
    const made = names.map((name, part) => path.join(temporary, `${part}-${path.basename(name)}`))
    const records = table.records()
    for (const [part, file] of made.entries())
      await writePart(table, records, openPart(file, table, format), sizes[part]!, counter)
    await records.return()
    for (const [part, file] of made.entries()) fs.renameSync(file, findPlace(names[part]!).path)
    syncFolder(folder)
  } catch (cause) {
    if (cause instanceof VcapError) throw cause
    throw new VcapError('write_failed', `Parts cannot be written: ${(cause as Error).message}`, { cause })
  } finally {
    fs.rmSync(temporary, { recursive: true, force: true })
  }
}

function openPart(file: string, { columns, types, format: otherwise }: Table, format: FormatName | undefined): RowSink {
  return openSink(file, columns, { types, format, otherwise })
}

async function writePart(
  table: Table,
  records: ReturnType<Table['records']>,
  sink: RowSink,
  rows: number,
  counter: RowCounter
): Promise<void> {
  await fillTable(sink, async (begin) => {
    begin()
    for (let row = 0; row < rows; row++) {
      const { value } = await records.next()
      if (!value) throw new VcapError('internal', `${table.label} ended before its last row`)
      counter.add()
      await sink.write(value)
    }
  })
}

function findOthers(output: string, names: string[]): string[] {
  const [before, after] = path.basename(output).split(mark) as [string, string]
  const own = new Set(names.map((name) => path.basename(name)))
  const isLike = (name: string) => {
    const number = name.slice(before.length, name.length - after.length)
    return name.startsWith(before) && name.endsWith(after) && /^\d+$/.test(number) && !own.has(name)
  }
  return fs
    .readdirSync(path.dirname(path.resolve(output)))
    .filter(isLike)
    .sort()
}
