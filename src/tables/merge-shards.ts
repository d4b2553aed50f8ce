import fs from 'node:fs'
import type { RowStatus } from '../caption'
import { VcapError } from '../errors'
import type { parseMergeOptions } from '../options'
import { cellText, type Cell, type ColumnType } from '../rows/cell'
import { flagsColumn, statusColumn } from '../rows/layout'
import { isListed } from '../rows/listing'
import { openRows } from '../rows/open'
import type { RowSink, RowSource } from '../rows/rows'
import { shardOf, TableDigest } from '../rows/shard'
import { openSink, openTable, type Table } from '../rows/table'
import { writeFlagged, type Look } from '../run/duplicate-flags'
import { unify } from './columns'
import { fillTable } from '../rows/fill-table'
import { requireNoInput } from '../rows/output-place'
import { formatOf } from './open-tables'
import { RowCounter } from './row-counter'
import { nameOf, type ShardPart } from './shard-set'

const duplicate = 'duplicate'

type MergeSettings = ReturnType<typeof parseMergeOptions>

/** What the output of merged shards came to. */
export interface ShardsSummary {
  output: string
  rows: number
  /** Rows and flags of the whole, `duplicate` counted anew. */
  statuses: Record<string, number>
  flags: Record<string, number>
  warnings: string[]
}

/** A row of a shard's output. */
interface ShardRow {
  cells: Cell[]
  status: RowStatus
}

/** The columns of a caption in a shard's output; -1 for one that is not there. */
interface CaptionColumns {
  /** Of one of several captions. */
  name: string | undefined
  text: number
  status: number
  flags: number
}

/**
 * Puts the outputs of all shards together to that of the whole table, in the table's order. `duplicate` is flagged as
 * it would be there. Throws `usage`, `run_differs`, `csv_invalid`, `read_failed`, `output_unwritable`, `write_failed`,
 * `aborted`.
 */
export async function mergeShards(
  shards: ShardPart[],
  output: string,
  settings: MergeSettings
): Promise<ShardsSummary> {
  const { table, input: given } = shards[0]!.run
  const input = settings.input ?? requireTable(table.file, given)
  requireNoInput(output, [input, ...shards.map(({ file }) => file)])
  const { signal } = settings
  const recorded = table.format ?? undefined
  const named = formatOf(input, { inputFormat: settings.inputFormat ?? recorded })
  // A folder is listed, and has no format.
  const format = isListed(input) ? undefined : settings.input ? named : recorded
  const source = await openRows(input, { root: table.root ?? undefined, signal, format })
  const opened: ShardTable[] = []
  try {
    if (source.total !== table.rows) throw otherTable(input, `has ${source.total} rows and not ${table.rows}`)
    for (const shard of shards) opened.push(await ShardTable.open(shard, settings))
    return await new ShardMerge(input, source, opened, settings).write(output)
  } finally {
    for (const shard of opened) shard.close()
    source.close()
  }
}

/** The table that shards are of, where it was or as it was named. Throws `usage` where it is neither. */
function requireTable(file: string | null, named: string): string {
  const found = [file, named].find((place) => place !== null && place !== '-' && fs.existsSync(place))
  if (found) return found
  const seen = file === null ? 'came from standard input' : `${file} is not there`
  throw new VcapError('usage', `The table of which these are shards ${seen}: --input names it`)
}

function otherTable(input: string, why: string): VcapError {
  const remedy =
    'Run each shard again with the table as it is now, what is captioned stays; or name the table as it was'
  return new VcapError(
    'run_differs',
    `${input} is not the table of which the shards are: it ${why}. ${remedy} by --input`
  )
}

/** The output of one shard, held against what its run came to. */
class ShardTable {
  readonly name: string

  private constructor(
    readonly part: ShardPart,
    /** Undefined where it has no row: an empty file may have no columns. */
    readonly table: Table | undefined
  ) {
    this.name = nameOf(part)
  }

  /** Throws what `openTable` throws, and `run_differs` where it is not what the run wrote. */
  static async open(part: ShardPart, settings: MergeSettings): Promise<ShardTable> {
    const { rows, finished } = part.run
    const expected = finished.summary.rows
    if (rows === 0 && expected === 0) return new ShardTable(part, undefined)
    const { signal } = settings
    const format = formatOf(part.file, { format: settings.format ?? part.run.table.format ?? undefined })
    const table = await openTable(part.file, { signal, column: 'path', format })
    const refuse = (why: string): never => {
      table.close()
      throw new VcapError('run_differs', `${nameOf(part)} ${why}. Its command again makes it anew`)
    }
    if (table.total !== expected) refuse(`has ${table.total} rows and its run ${expected}: it was changed since`)
    if (!hasColumns(table, finished.columns)) refuse('has other columns than its run wrote')
    return new ShardTable(part, table)
  }

  async *rows(): AsyncGenerator<Cell[], void, undefined> {
    if (this.table) yield* this.table.records()
  }

  close(): void {
    this.table?.close()
  }
}

/** Lines of JSONL have no key for a column that no row of the shard has. */
function hasColumns({ columns, format }: Table, expected: string[]): boolean {
  if (format.format === 'jsonl') return columns.every((name) => expected.includes(name))
  return columns.join('\n') === expected.join('\n')
}

class ShardMerge {
  readonly #columns: string[]
  readonly #path: number
  readonly #status: number
  /** Of the row as a whole. */
  readonly #flags: number
  readonly #captions: CaptionColumns[]
  readonly #types: (ColumnType | undefined)[]
  readonly #inCommon: Map<Table, (cells: Cell[]) => Cell[]>

  constructor(
    private readonly input: string,
    private readonly source: RowSource,
    private readonly shards: ShardTable[],
    private readonly settings: MergeSettings
  ) {
    this.#columns = shards[0]!.part.run.finished.columns
    const place = (name: string) => this.#columns.indexOf(name)
    this.#path = place('path')
    this.#status = place('status')
    this.#flags = place('flags')
    const names = shards[0]!.part.run.finished.captions
    this.#captions = names?.map((name) => ({
      ...{ name, text: place(name) },
      ...{ status: place(statusColumn(name)), flags: place(flagsColumn(name)) }
    })) ?? [{ name: undefined, text: place('text'), status: this.#status, flags: this.#flags }]
    const tables = shards.flatMap(({ table }) => (table ? [table] : []))
    const orders = tables.map((table) => placesOf(this.#columns, table))
    const { types, inCommon } = unify(tables, orders)
    this.#types = types
    this.#inCommon = new Map(tables.map((table, i) => [table, inCommon[i]!]))
  }

  async write(output: string): Promise<ShardsSummary> {
    const otherwise = this.shards.find(({ table }) => table)?.table?.format
    const sink = openSink(output, this.#columns, { types: this.#types, format: this.settings.format, otherwise })
    return fillTable(sink, (begin) =>
      writeFlagged<ShardsSummary>({
        total: this.source.total,
        canBeginAnew: sink.isFile,
        read: (look) => this.#eachRow((row, path) => this.#mark(row, path, look)),
        write: (look) => {
          begin()
          return this.#writeRows(sink, look)
        }
      })
    )
  }

  async #writeRows(sink: RowSink, look: Look): Promise<ShardsSummary> {
    const statuses: Record<string, number> = {}
    const flags: Record<string, number> = {}
    let rows = 0
    await this.#eachRow(async (row, path) => {
      this.#mark(row, path, look)
      rows++
      if (row.status) statuses[row.status] = (statuses[row.status] ?? 0) + 1
      for (const flag of this.#flagsIn(row.cells, this.#flags)) flags[flag] = (flags[flag] ?? 0) + 1
      await sink.write(row.cells)
    })
    return { output: sink.path, rows, statuses, flags, warnings: this.source.warnings }
  }

  /** The rows of all shards in the table's order, each with its resolved path, and without the flag `duplicate`. */
  async #eachRow(use: (row: ShardRow, path: string) => Promise<void> | void): Promise<void> {
    const { source, shards } = this
    const type = source.types?.[source.pathColumn]
    const readers = shards.map((shard) => shard.rows())
    const digest = new TableDigest(source.columns, source.types)
    const counter = new RowCounter(source.total, this.settings)
    try {
      for await (const { index, cells, input } of source.rows()) {
        counter.add()
        digest.add(cells)
        const path = cells[source.pathColumn]
        const shard = shardOf(path, shards.length, type)
        const value = (await readers[shard]!.next()).value as Cell[] | undefined
        const row = value && this.#rowOf(shards[shard]!.table!, value)
        const written = row && this.#textIn(row.cells, this.#path)
        const wanted = cellText(path, type) ?? ''
        if (!row || written !== wanted) this.#refuseRow(shards[shard]!, index, wanted, written)
        await use(row!, input.path)
      }
    } finally {
      for (const reader of readers) await reader.return()
    }
    const { table } = shards[0]!.part.run
    if (digest.end().digest !== table.digest) throw otherTable(this.input, 'has other cells')
  }

  #refuseRow({ name }: ShardTable, index: number, wanted: string, written: string | undefined): never {
    const there = written === undefined ? 'has no row' : `has ${written}`
    throw otherTable(this.input, `has ${wanted} in row ${index + 1} where ${name} ${there}`)
  }

  #rowOf(table: Table, record: Cell[]): ShardRow {
    const cells = this.#inCommon.get(table)!(record)
    // Of one shard it says less than of the whole.
    for (const column of this.#flagColumns()) {
      const flags = this.#flagsIn(cells, column)
      if (flags.includes(duplicate)) {
        this.#flag(
          cells,
          column,
          flags.filter((flag) => flag !== duplicate)
        )
      }
    }
    return { cells, status: this.#textIn(cells, this.#status) as RowStatus }
  }

  /** Tells of a row's captions, and flags those that stand on many files, and with them the row. */
  #mark({ cells }: ShardRow, path: string, look: Look): void {
    const found = this.#captions.filter(({ name, text, status }) => {
      const caption = { status: this.#textIn(cells, status) as RowStatus, text: this.#textIn(cells, text) }
      return look(caption, path, name)
    })
    if (found.length === 0) return
    for (const column of new Set([this.#flags, ...found.map(({ flags }) => flags)])) {
      this.#flag(cells, column, [...this.#flagsIn(cells, column), duplicate])
    }
  }

  #flagColumns(): number[] {
    return [...new Set([this.#flags, ...this.#captions.map(({ flags }) => flags)])]
  }

  #flagsIn(cells: Cell[], column: number): string[] {
    const flags = this.#textIn(cells, column)
    return flags === '' ? [] : flags.split(';')
  }

  #flag(cells: Cell[], column: number, flags: string[]): void {
    if (column >= 0) cells[column] = flags.length === 0 ? null : flags.join(';')
  }

  /** The text of a cell; empty where there is no such column. */
  #textIn(cells: Cell[], column: number): string {
    return cellText(cells[column], this.#types[column]) ?? ''
  }
}

function placesOf(columns: string[], table: Table): number[] {
  const isSparse = table.format.format === 'jsonl'
  return columns.map((name, column) => (isSparse ? table.columns.indexOf(name) : column))
}
