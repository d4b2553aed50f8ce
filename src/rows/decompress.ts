import { pipeline, type Readable, type Transform } from 'node:stream'
import zlib from 'node:zlib'
import { Decompress } from 'fzstd'
import { VcapError } from '../errors'
import type { Compression } from '../table-format'
import type { TableFile } from './table-file'

/** The bytes of a table's text, as often as they are asked for. */
export interface TableBytes {
  /** As messages call it. */
  readonly label: string
  /** All bytes from the start. `passing`: each block is there until the next is asked for. */
  blocks(options?: { passing?: boolean }): AsyncGenerator<Buffer, void, undefined>
  /** Throws `read_failed` where it is not what the first reading saw. */
  requireUnchanged(): Promise<void>
}

const magics = { gz: Buffer.from([0x1f, 0x8b]), zst: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]) }
const programs = { gz: 'gzip', zst: 'zstd' }

/** Bytes that fzstd gets at once: a block of 128 KiB may stand in 4 of them. */
const fzstdBytes = 1024

/**
 * A compressed file's bytes, decompressed as they are read. Its blocks throw `table_invalid` where it is not compressed
 * as its name says, damaged or cut short.
 */
export class Decompressed implements TableBytes {
  readonly label: string

  constructor(
    private readonly file: TableFile,
    private readonly compression: Compression
  ) {
    this.label = file.label
  }

  requireUnchanged(): Promise<void> {
    return this.file.requireUnchanged()
  }

  async *blocks(): AsyncGenerator<Buffer, void, undefined> {
    try {
      yield* this.compression === 'gz' ? this.#through(zlib.createGunzip()) : this.#zstd()
    } catch (cause) {
      if (cause instanceof VcapError) throw cause
      throw this.#fault(`is damaged or cut short: ${(cause as Error).message}`, cause)
    }
  }

  async *#zstd(): AsyncGenerator<Buffer, void, undefined> {
    // Of Node 22.15 and newer.
    const { createZstdDecompress } = zlib as { createZstdDecompress?: () => Transform }
    yield* createZstdDecompress ? this.#through(createZstdDecompress()) : this.#byFzstd()
  }

  async *#through(transform: Transform): AsyncGenerator<Buffer, void, undefined> {
    // Its errors reach the loop below.
    pipeline(this.#compressed(), transform, () => undefined)
    yield* transform as Readable as AsyncIterable<Buffer>
  }

  async *#byFzstd(): AsyncGenerator<Buffer, void, undefined> {
    const made: Buffer[] = []
    const decompress = new Decompress((chunk) => made.push(Buffer.from(chunk)))
    for await (const block of this.#compressed()) {
      for (let at = 0; at < block.length; at += fzstdBytes) {
        decompress.push(Uint8Array.from(block.subarray(at, at + fzstdBytes)))
        yield* made.splice(0)
      }
    }
    decompress.push(new Uint8Array(0), true)
    yield* made.splice(0)
  }

  async *#compressed(): AsyncGenerator<Buffer, void, undefined> {
    let isFirst = true
    for await (const block of this.file.blocks()) {
      const magic = magics[this.compression]
      if (isFirst && !block.subarray(0, magic.length).equals(magic)) {
        throw this.#fault(`is not compressed by ${programs[this.compression]}, as its name or --format says`)
      }
      isFirst = false
      yield block
    }
  }

  #fault(what: string, cause?: unknown): VcapError {
    return new VcapError('table_invalid', `${this.label} ${what}`, { cause })
  }
}
