import { createHash } from 'node:crypto'
import { digestOf } from '../digest'
import { abortedError } from '../errors'
import type { Shard } from '../shard'
import { cellText } from './cell'
import type { Cell, ColumnType, Row, RowSource } from './rows'

/** Hexadecimal digits of a digest that choose the shard: 48 bits, which no number of shards leaves uneven. */
const hashDigits = 12
/** Records whose cells are hashed at once. */
const recordsPerUpdate = 256

/** A table of which a shard was taken: what the other shards' has to be as well. */
export interface TableIdentity {
  rows: number
  /** SHA-256 of the columns' names and all cells, as text: the same in any format. */
  digest: string
}

/**
 * Which shard a row belongs to: by the SHA-256 of its path as it stands in the table, so that every machine says the
 * same wherever its files are, and rows of one path stay together, in their order.
 */
export function shardOf(path: Cell, count: number, type?: ColumnType): number {
  return Number.parseInt(digestOf('sha256', textOf(path, type), 'hex').slice(0, hashDigits), 16) % count
}

/** A shard's rows, and the table that they are of. Each keeps its number in the table. */
export async function takeShard(
  source: RowSource,
  { index, count }: Shard,
  signal: AbortSignal | undefined
): Promise<{ source: RowSource; table: TableIdentity }> {
  const { types } = source
  const isOwn = ({ cells }: Row) => shardOf(cells[source.pathColumn], count, types?.[source.pathColumn]) === index
  const digest = new TableDigest(source.columns, types)
  let total = 0
  for await (const row of source.rows()) {
    if (signal?.aborted) throw abortedError(signal)
    digest.add(row.cells)
    if (isOwn(row)) total++
  }
  async function* rows(): AsyncGenerator<Row> {
    for await (const row of source.rows()) if (isOwn(row)) yield row
  }
  // All else is the table's own.
  const shard = Object.create(source, { total: { value: total }, rows: { value: rows } }) as RowSource
  return { source: shard, table: digest.end() }
}

/** The identity of a table whose records are added in order. */
export class TableDigest {
  readonly #hash = createHash('sha256')
  #waiting: string[] = []
  #rows = -1 // the header

  constructor(
    columns: string[],
    private readonly types?: ColumnType[] | undefined
  ) {
    this.#addTexts(columns)
  }

  add(cells: Cell[]): void {
    this.#addTexts(cells.map((cell, column) => textOf(cell, this.types?.[column])))
  }

  #addTexts(texts: string[]): void {
    this.#rows++
    this.#waiting.push(texts.join('\x1f'))
    if (this.#waiting.length >= recordsPerUpdate) this.#update()
  }

  end(): TableIdentity {
    this.#update()
    return { rows: this.#rows, digest: this.#hash.digest('hex') }
  }

  #update(): void {
    for (const record of this.#waiting.splice(0)) this.#hash.update(`${record}\x1e`)
  }
}

function textOf(cell: Cell, type?: ColumnType): string {
  return cellText(cell, type) ?? ''
}
