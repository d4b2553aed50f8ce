import { parseDiffOptions, type DiffOptions } from '../options'
import { cellJson, cellText, type Cell, type ColumnType } from '../rows/cell'
import type { Table } from '../rows/table'
import { TableKey } from './key'
import { withTables } from './open-tables'
import { RowCounter } from './row-counter'
import { RowStore } from './row-store'

/** Two cells that differ, as a CSV has them, in two JSONL tables as JSON; null where there is nothing. */
export interface CellDifference {
  column: string
  a: string | null
  b: string | null
}

/** How two tables differ, row by row, by a key. */
export interface TableDiff {
  a: string
  b: string
  /** The columns of the key. */
  on: string[]
  /** True where both have the same rows, in any order, and the same columns, in any order. */
  same: boolean
  rows: { a: number; b: number }
  /** Rows that are in both and alike, and those that are in both and differ. */
  alike: number
  changed: number
  onlyInA: number
  onlyInB: number
  /** Changed cells by column; those without any are not there. */
  changedCells: Record<string, number>
  columnsOnlyInA: string[]
  columnsOnlyInB: string[]
  /** Rows with a key that an earlier row has: the second of it is compared with the second, and so on. */
  repeated: { a: number; b: number }
  /** True where rows that are in both stand in another order. */
  reordered: boolean
  /** The first ones of each kind: their keys, and the cells that changed. */
  examples: {
    onlyInA: string[][]
    onlyInB: string[][]
    changed: { key: string[]; cells: CellDifference[] }[]
  }
  /** What their owner should know of the tables, a sentence each. */
  warnings: string[]
}

/**
 * Compares two tables by a key, whatever the order of their rows and columns and whatever their formats. Rows with the
 * same key are told apart by which of them they are. Of one table the keys are held in memory, some 20 bytes a row, and
 * the cells in a temporary file. Throws `usage`, `csv_invalid`,
 * `table_invalid`, `read_failed`, `write_failed`, `aborted`.
 */
export async function diffTables(a: string, b: string, options: DiffOptions = {}): Promise<TableDiff> {
  const settings = parseDiffOptions(options)
  const { signal, inputFormat, on } = settings
  return withTables([a, b], { signal, inputFormat, column: on[0] }, async ([left, right]) => {
    const store = await RowStore.open(left!.total)
    try {
      return await new Comparison(left!, right!, store, settings).run(a, b)
    } finally {
      await store.close()
    }
  })
}

/** A column that both tables have. */
interface SharedColumn {
  name: string
  a: number
  b: number
}

class Comparison {
  readonly #keyA: TableKey
  readonly #keyB: TableKey
  readonly #shared: SharedColumn[]
  readonly #counter: RowCounter
  /** 1 for each row of A that is in B as well. */
  readonly #found: Uint8Array
  readonly #diff: TableDiff

  constructor(
    private readonly a: Table,
    private readonly b: Table,
    private readonly store: RowStore,
    private readonly settings: ReturnType<typeof parseDiffOptions>
  ) {
    this.#keyA = new TableKey(a, settings.on)
    this.#keyB = new TableKey(b, settings.on)
    this.#shared = sharedColumns(a.columns, b.columns)
    this.#counter = new RowCounter(a.total + b.total, settings)
    this.#found = new Uint8Array(a.total)
    this.#diff = {
      a: a.label,
      b: b.label,
      on: settings.on,
      same: false,
      rows: { a: a.total, b: b.total },
      alike: 0,
      changed: 0,
      onlyInA: 0,
      onlyInB: 0,
      changedCells: {},
      columnsOnlyInA: others(a.columns, b.columns),
      columnsOnlyInB: others(b.columns, a.columns),
      repeated: { a: 0, b: 0 },
      reordered: false,
      examples: { onlyInA: [], onlyInB: [], changed: [] },
      warnings: [...a.warnings, ...b.warnings]
    }
  }

  /** A cell in the form in which it is compared: an empty one is nothing where a CSV could not tell it. */
  #textOf(cell: Cell, type: ColumnType | undefined): string | null {
    const formats = [this.a.format.format, this.b.format.format]
    if (formats.every((format) => format === 'jsonl')) return cellJson(cell, type)
    const text = cellText(cell, type)
    return text === '' && formats.some((format) => format === 'csv' || format === 'tsv') ? null : text
  }

  async run(a: string, b: string): Promise<TableDiff> {
    const diff = this.#diff
    const textsOf = (cells: Cell[]) => this.#shared.map(({ a }) => this.#textOf(cells[a], this.a.types?.[a]))
    diff.repeated.a = await this.store.addAll(this.a, this.#keyA, this.#counter, textsOf)
    await this.#compareB()
    diff.onlyInA = this.#found.reduce((missing, found) => missing - found, this.a.total)
    await this.#showOnlyInA()
    const others = diff.columnsOnlyInA.length + diff.columnsOnlyInB.length
    diff.same = diff.changed + diff.onlyInA + diff.onlyInB + others === 0
    return { ...diff, a, b }
  }

  async #compareB(): Promise<void> {
    const diff = this.#diff
    let last = -1
    for await (const cells of this.b.records()) {
      this.#counter.add()
      const key = this.store.nextKey(this.#keyB.hash(cells))
      if (key.occurrence > 0) diff.repeated.b++
      const row = await this.store.read(key)
      if (!row) {
        diff.onlyInB++
        this.#show(diff.examples.onlyInB, () => this.#keyB.texts(cells))
        continue
      }
      this.#found[row.index] = 1
      diff.reordered ||= row.index < last
      last = row.index
      this.#compare(row.cells, cells)
    }
  }

  /** A row that is in both: its cells of A as text, and all of B. */
  #compare(before: Cell[], cells: Cell[]): void {
    const diff = this.#diff
    const changed: CellDifference[] = []
    for (const [i, { name, b }] of this.#shared.entries()) {
      const [was, is] = [before[i] as string | null, this.#textOf(cells[b], this.b.types?.[b])]
      if (was !== is) changed.push({ column: name, a: was, b: is })
    }
    if (changed.length === 0) {
      diff.alike++
      return
    }
    diff.changed++
    for (const { column } of changed) diff.changedCells[column] = (diff.changedCells[column] ?? 0) + 1
    this.#show(diff.examples.changed, () => ({ key: this.#keyB.texts(cells), cells: changed }))
  }

  async #showOnlyInA(): Promise<void> {
    const { examples, onlyInA } = this.#diff
    const shown = Math.min(onlyInA, this.settings.examples)
    if (shown === 0) return
    let index = 0
    for await (const cells of this.a.records()) {
      if (this.#found[index++] === 0) examples.onlyInA.push(this.#keyA.texts(cells))
      if (examples.onlyInA.length === shown) return
    }
  }

  #show<T>(examples: T[], make: () => T): void {
    if (examples.length < this.settings.examples) examples.push(make())
  }
}

/** The columns of both tables; of those that share a name the first with the first, and so on. */
function sharedColumns(a: string[], b: string[]): SharedColumn[] {
  const free = b.map((name) => name as string | undefined)
  return a.flatMap((name, column) => {
    const other = free.indexOf(name)
    if (other < 0) return []
    free[other] = undefined
    return [{ name, a: column, b: other }]
  })
}

/** The names among `columns` that `than` has not, or not as often. */
function others(columns: string[], than: string[]): string[] {
  const left = [...than]
  return columns.filter((name) => {
    const at = left.indexOf(name)
    if (at >= 0) left.splice(at, 1)
    return at < 0
  })
}
