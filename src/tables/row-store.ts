import { randomBytes } from 'node:crypto'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { deserialize, serialize } from 'node:v8'
import { VcapError } from '../errors'
import { JsonText, type Cell } from '../rows/cell'
import { KeyTable } from '../run/key-table'
import type { RowKey } from '../run/row-key'
import type { Table } from '../rows/table'
import type { TableKey } from './key'
import type { RowCounter } from './row-counter'

/** Bytes that are written at once. */
const writeBytes = 1 << 20
/** Bytes that are read for a row that does not follow the one before, and for one that does. */
const [jumpBytes, nextBytes] = [1 << 13, 1 << 20]
/** Before a row's cells: how many bytes they have, and the row's number. */
const headBytes = 8

/** A row as it was added. */
export interface StoredRow {
  /** How many were added before it. */
  index: number
  cells: Cell[]
}

/**
 * Rows that are found by their keys. Their cells lie in a temporary file without a name, and a key takes some twenty
 * bytes of memory, so that tables larger than memory can be compared and joined.
 */
export class RowStore {
  readonly #keys: KeyTable
  #waiting: Buffer[] = []
  #waitingBytes = 0
  #size = 0
  #rows = 0
  #block = { start: 0, bytes: Buffer.alloc(0) }

  private constructor(
    private readonly file: fs.FileHandle,
    rows: number
  ) {
    this.#keys = new KeyTable(rows)
  }

  /** Throws `write_failed`. */
  static async open(rows: number): Promise<RowStore> {
    const file = path.join(os.tmpdir(), `vcap-rows-${randomBytes(6).toString('hex')}`)
    try {
      const handle = await fs.open(file, 'wx+', 0o600)
      await fs.unlink(file)
      return new RowStore(handle, rows)
    } catch (cause) {
      throw unkept(cause as Error)
    }
  }

  /** Which of the rows with this hash the next one is, from 0. */
  nextKey(hash: string): RowKey {
    return { hash, occurrence: this.#keys.count(hash) }
  }

  /**
   * Adds all rows of a table by their keys, of each the cells that `kept` gives, and makes them ready to be asked for.
   * Returns how many have a key that an earlier one has. Throws `read_failed`, `write_failed`, `aborted`.
   */
  async addAll(table: Table, key: TableKey, counter: RowCounter, kept: (cells: Cell[]) => Cell[]): Promise<number> {
    let repeated = 0
    for await (const cells of table.records()) {
      counter.add()
      const own = this.nextKey(key.hash(cells))
      if (own.occurrence > 0) repeated++
      await this.#add(own, kept(cells))
    }
    await this.#flush()
    this.#keys.resetCounts()
    return repeated
  }

  /** Throws `write_failed`. */
  async #add(key: RowKey, cells: Cell[]): Promise<void> {
    const bytes = pack(cells)
    const head = Buffer.allocUnsafe(headBytes)
    head.writeUInt32LE(bytes.length)
    head.writeUInt32LE(this.#rows++, headBytes / 2)
    this.#keys.setOffset(key, this.#size + this.#waitingBytes)
    this.#waiting.push(head, bytes)
    this.#waitingBytes += headBytes + bytes.length
    if (this.#waitingBytes >= writeBytes) await this.#flush()
  }

  /** Throws `write_failed`. */
  async #flush(): Promise<void> {
    const bytes = Buffer.concat(this.#waiting.splice(0))
    this.#waitingBytes = 0
    try {
      for (let written = 0; written < bytes.length; ) {
        written += (await this.file.write(bytes, written, bytes.length - written, this.#size + written)).bytesWritten
      }
    } catch (cause) {
      throw unkept(cause as Error)
    }
    this.#size += bytes.length
  }

  /** Undefined where there is none of this key. Throws `read_failed`. */
  async read(key: RowKey): Promise<StoredRow | undefined> {
    const offset = this.#keys.offset(key)
    if (offset === undefined) return undefined
    const head = await this.#bytes(offset, headBytes)
    const [length, index] = [head.readUInt32LE(), head.readUInt32LE(headBytes / 2)]
    return { index, cells: unpack(await this.#bytes(offset + headBytes, length)) }
  }

  async close(): Promise<void> {
    await this.file.close().catch(() => undefined) // what was read of it was read
  }

  async #bytes(offset: number, length: number): Promise<Buffer> {
    let at = offset - this.#block.start
    if (at < 0 || at + length > this.#block.bytes.length) {
      const isNext = at >= 0 && at <= this.#block.bytes.length
      const bytes = Buffer.allocUnsafe(Math.max(length, isNext ? nextBytes : jumpBytes))
      let read = 0
      while (read < length) {
        const { bytesRead } = await this.file.read(bytes, read, bytes.length - read, offset + read)
        if (bytesRead === 0) throw new VcapError('read_failed', `Rows kept in ${os.tmpdir()} are gone: run again`)
        read += bytesRead
      }
      this.#block = { start: offset, bytes: bytes.subarray(0, read) }
      at = 0
    }
    return this.#block.bytes.subarray(at, at + length)
  }
}

function unkept(cause: Error): VcapError {
  const message = `Rows cannot be kept in ${os.tmpdir()}: ${cause.message}; TMPDIR names another folder`
  return new VcapError('write_failed', message, { cause })
}

const openBracket = 0x5b

/** What Node's serialization makes of cells of JSON text: their raw text, by their place. */
interface Serialized {
  cells: Cell[]
  raw: [column: number, text: string][]
}

/** As JSON, which is fast, where that has a word for each cell; else as Node hands objects to threads. */
function pack(cells: Cell[]): Buffer {
  if (cells.every(isPlain)) return Buffer.from(JSON.stringify(cells))
  const raw = cells.flatMap((cell, column) => (cell instanceof JsonText ? [[column, cell.raw]] : []))
  return serialize({ cells: cells.map((cell) => (cell instanceof JsonText ? null : cell)), raw })
}

function unpack(bytes: Buffer): Cell[] {
  if (bytes[0] === openBracket) return JSON.parse(bytes.toString()) as Cell[]
  const { cells, raw } = deserialize(bytes) as Serialized
  for (const [column, text] of raw) cells[column] = new JsonText(text)
  return cells
}

function isPlain(cell: Cell): boolean {
  const isNumber = typeof cell === 'number' && Number.isFinite(cell) && !Object.is(cell, -0)
  return typeof cell === 'string' || cell === null || typeof cell === 'boolean' || isNumber
}
