import { VcapError } from '../errors'
import { parseJoinOptions, type JoinOptions } from '../options'
import type { Cell, ColumnType } from '../rows/cell'
import { openSink, type Table } from '../rows/table'
import type { RowKey } from '../run/row-key'
import { unify } from './columns'
import { TableKey } from './key'
import { fillTable } from '../rows/fill-table'
import { requireNoInput } from '../rows/output-place'
import { withTables } from './open-tables'
import { RowCounter } from './row-counter'
import { RowStore, type StoredRow } from './row-store'

/** What a join came to. */
export interface JoinSummary {
  /** The output's absolute path. */
  output: string
  /** Rows of the output. */
  rows: number
  /** Rows of the table with a row of the captions, and those without. */
  matched: number
  unmatched: number
  /** Rows of the captions that no row of the table took. */
  unused: number
  /** Columns that the output has beside the table's, and those of the table that took the captions' cells. */
  added: string[]
  replaced: string[]
  /** Rows with a key that an earlier row has. */
  repeated: { table: number; captions: number }
  /** What their owner should know of the tables, a sentence each. */
  warnings: string[]
}

/**
 * Puts columns of `captions` back on a table, by a key: the table's rows in their order, its columns, then the new
 * ones. A column that both have takes the captions' cell where there is one. A row whose key is there several times
 * takes the row of the captions with the same number, or else the first. Throws `usage`, `csv_invalid`, `read_failed`,
 * `output_unwritable`, `write_failed`, `aborted`.
 */
export async function joinTables(
  table: string,
  captions: string,
  output: string,
  options: JoinOptions = {}
): Promise<JoinSummary> {
  const settings = parseJoinOptions(options)
  requireNoInput(output, [table, captions])
  const { signal, format, inputFormat, on } = settings
  return withTables([table, captions], { signal, format, inputFormat, column: on[0] }, async ([left, right]) => {
    const store = await RowStore.open(right!.total)
    try {
      return await new Join(left!, right!, store, settings).write(output)
    } finally {
      await store.close()
    }
  })
}

class Join {
  readonly #keyOfTable: TableKey
  readonly #keyOfCaptions: TableKey
  /** Columns of the captions that are taken, and where each stands in the output. */
  readonly #taken: { from: number; to: number }[]
  readonly #columns: string[]
  readonly #types: (ColumnType | undefined)[]
  /** Records of each table in the output's columns. */
  readonly #fromTable: (cells: Cell[]) => Cell[]
  readonly #fromCaptions: (cells: Cell[]) => Cell[]
  readonly #counter: RowCounter
  /** 1 for each row of the captions that was taken. */
  readonly #used: Uint8Array

  constructor(
    private readonly table: Table,
    private readonly captions: Table,
    private readonly store: RowStore,
    private readonly settings: ReturnType<typeof parseJoinOptions>
  ) {
    this.#keyOfTable = new TableKey(table, settings.on)
    this.#keyOfCaptions = new TableKey(captions, settings.on)
    const from = this.#chooseColumns()
    const names = from.map((column) => captions.columns[column]!)
    const added = names.filter((name) => !table.columns.includes(name))
    this.#columns = [...table.columns, ...added]
    this.#taken = from.map((column) => ({ from: column, to: this.#columns.indexOf(captions.columns[column]!) }))
    const { types, inCommon } = unify(
      [table, captions],
      [
        this.#columns.map((_, column) => (column < table.columns.length ? column : -1)),
        this.#columns.map((_, column) => this.#taken.find(({ to }) => to === column)?.from ?? -1)
      ]
    )
    this.#types = types
    this.#fromTable = inCommon[0]!
    this.#fromCaptions = inCommon[1]!
    this.#counter = new RowCounter(table.total + captions.total, settings)
    this.#used = new Uint8Array(captions.total)
  }

  /** Where the columns to take stand among those of the captions. */
  #chooseColumns(): number[] {
    const { table, captions, settings } = this
    if (!settings.columns) {
      return captions.columns.flatMap((name, column) => {
        const isNew = !table.columns.includes(name) && captions.columns.indexOf(name) === column
        return isNew ? [column] : []
      })
    }
    return [...new Set(settings.columns)].map((name) => {
      const column = captions.columns.indexOf(name)
      const has = captions.columns.join(', ')
      if (column < 0) throw new VcapError('usage', `${captions.label} has no column ${name}: its columns are ${has}`)
      if (!this.#keyOfCaptions.has(column)) return column
      throw new VcapError('usage', `The column ${name} is the key, and the same in both: take others`)
    })
  }

  async write(output: string): Promise<JoinSummary> {
    const { table, captions } = this
    const takenOf = (cells: Cell[]) => {
      const inOutput = this.#fromCaptions(cells)
      return this.#taken.map(({ to }) => inOutput[to])
    }
    const repeated = {
      table: 0,
      captions: await this.store.addAll(captions, this.#keyOfCaptions, this.#counter, takenOf)
    }
    const summary = { rows: 0, matched: 0, unmatched: 0, repeated }
    const { format } = this.settings
    const sink = openSink(output, this.#columns, { types: this.#types, format, otherwise: table.format })
    await fillTable(sink, async (begin) => {
      begin()
      for await (const cells of table.records()) {
        this.#counter.add()
        const key = this.store.nextKey(this.#keyOfTable.hash(cells))
        if (key.occurrence > 0) repeated.table++
        const row = await this.#captionOf(key)
        if (row) summary.matched++
        else summary.unmatched++
        if (!row && this.settings.inner) continue
        await sink.write(this.#joined(cells, row))
        summary.rows++
      }
    })
    const names = this.#taken.map(({ from }) => captions.columns[from]!)
    return {
      output: sink.path,
      ...summary,
      unused: this.#used.reduce((unused, used) => unused - used, captions.total),
      added: names.filter((name) => !table.columns.includes(name)),
      replaced: names.filter((name) => table.columns.includes(name)),
      warnings: [...table.warnings, ...captions.warnings]
    }
  }

  async #captionOf(key: RowKey): Promise<StoredRow | undefined> {
    const row = (await this.store.read(key)) ?? (await this.store.read({ ...key, occurrence: 0 }))
    if (row) this.#used[row.index] = 1
    return row
  }

  #joined(cells: Cell[], row: StoredRow | undefined): Cell[] {
    const joined = this.#fromTable(cells)
    for (let column = cells.length; column < joined.length; column++) joined[column] = null
    if (row) for (const [i, { to }] of this.#taken.entries()) joined[to] = row.cells[i]
    return joined
  }
}
