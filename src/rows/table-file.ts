import { createHash, randomBytes } from 'node:crypto'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { addAbortSignal, type Readable } from 'node:stream'
import tty from 'node:tty'
import { promisify } from 'node:util'
import { abortedError, VcapError } from '../errors'
import { isPassing } from '../folders'

const readInto = promisify(fs.read)
/** Given a descriptor, it writes on from where the file stands, until all is written. */
const writeOn = promisify(fs.writeFile)

/** Bytes that are read at once. */
const blockBytes = 64 * 1024

/**
 * The bytes of a table: a file, or a copy of what came through a pipe. It stays open until `close`, so that each
 * reading is of the one file even where another has taken its name, and each reading is held against the first.
 */
export class TableFile {
  /** As messages call it. */
  readonly label: string
  readonly #descriptor: number
  readonly #size: number
  readonly #modified: bigint
  /** Of each block, as the first reading saw it. */
  readonly #digests: string[] = []

  private constructor(label: string, descriptor: number) {
    this.label = label
    this.#descriptor = descriptor
    const { size, mtimeNs } = this.#stat()
    this.#size = Number(size)
    this.#modified = mtimeNs
  }

  /**
   * Opens a file, or copies what a pipe, a terminal or another stream gives until it ends; `-` is standard input.
   * Throws `usage`, `read_failed`, `write_failed`, `aborted`.
   */
  static async open(input: string, signal: AbortSignal | undefined): Promise<TableFile> {
    if (isStandardInput(input)) return new TableFile('Standard input', await copyStream(input, process.stdin, signal))
    const { descriptor, stat } = openInput(input)
    if (stat.isFile()) return new TableFile(input, descriptor)
    // The stream closes the descriptor, whatever becomes of it.
    if (!stat.isDirectory()) return new TableFile(input, await copyStream(input, openStream(descriptor, stat), signal))
    fs.closeSync(descriptor)
    throw new VcapError('usage', `Input ${input} is a directory: expected a CSV file`)
  }

  /**
   * All bytes from the start, block by block. Throws `read_failed` where the system cannot read on, and where a block
   * is no longer what the first reading saw. `passing`: each block is there until the next is asked for, all in one
   * piece of memory; without it a long table would be as much garbage before the first is collected.
   */
  async *blocks({ passing = false } = {}): AsyncGenerator<Buffer, void, undefined> {
    const memory = passing ? Buffer.allocUnsafe(blockBytes) : undefined
    for (let index = 0, start = 0; start < this.#size; index++, start += blockBytes) {
      const length = Math.min(blockBytes, this.#size - start)
      const block = memory?.subarray(0, length) ?? Buffer.allocUnsafe(length)
      await this.#fill(block, start)
      this.#requireSame(block, index)
      yield block
    }
  }

  /**
   * The bytes from `start` to `end`. Throws `read_failed` where the system cannot read them, and where they or those
   * around them are no longer what the first reading saw.
   */
  async read(start: number, end: number): Promise<Buffer> {
    const first = Math.floor(start / blockBytes)
    const blocks: Buffer[] = []
    for (let index = first; index * blockBytes < Math.min(end, this.#size); index++) {
      const from = index * blockBytes
      const block = Buffer.allocUnsafe(Math.min(blockBytes, this.#size - from))
      await this.#fill(block, from)
      this.#requireSame(block, index)
      blocks.push(block)
    }
    const offset = first * blockBytes
    return Buffer.concat(blocks).subarray(start - offset, end - offset)
  }

  /** Bytes that it had when it was opened. */
  get size(): number {
    return this.#size
  }

  /** Throws `read_failed` where it is not what the first reading saw. A new time alone is no change. */
  async requireUnchanged(): Promise<void> {
    if (this.resized) throw this.#failure('changed since it was opened: run again when nothing writes to it')
    if (this.#stat().mtimeNs === this.#modified) return
    for await (const _ of this.blocks({ passing: true }));
  }

  /** True where it is longer or shorter than when it was opened. */
  get resized(): boolean {
    return Number(this.#stat().size) !== this.#size
  }

  close(): void {
    closeQuietly(this.#descriptor)
  }

  #requireSame(block: Buffer, index: number): void {
    const digest = createHash('sha1').update(block).digest('base64')
    if ((this.#digests[index] ??= digest) === digest) return
    const near = `changed near byte ${index * blockBytes} since it was checked`
    throw this.#failure(`${near}: run again when nothing writes to it`)
  }

  #stat(): fs.BigIntStats {
    try {
      return fs.fstatSync(this.#descriptor, { bigint: true })
    } catch (error) {
      throw this.#failure(`cannot be read: ${(error as Error).message}`, error as Error)
    }
  }

  /** Fills a block: a short read is no end. */
  async #fill(block: Buffer, start: number): Promise<void> {
    for (let read = 0; read < block.length; ) {
      const bytes = await readSome(this.#descriptor, block, read, start + read).catch((error: Error) => {
        throw this.#failure(`cannot be read from byte ${start + read} on: ${error.message}`, error)
      })
      if (bytes === 0) throw this.#failure(`ended after ${start + read} of ${this.#size} bytes: it was cut while read`)
      read += bytes
    }
  }

  #failure(what: string, cause?: Error): VcapError {
    return new VcapError('read_failed', `${this.label} ${what}`, { cause })
  }
}

/** True for `-` and its kin, which have no folder. */
export function isStandardInput(input: string): boolean {
  return input === '-' || input === '/dev/stdin'
}

/** True where an input is no file on a disk: standard input, a pipe. */
export function isStream(input: string): boolean {
  if (isStandardInput(input)) return true
  const stat = fs.statSync(input, { throwIfNoEntry: false })
  return stat !== undefined && !stat.isFile() && !stat.isDirectory()
}

/** What was read from it was checked: nothing depends on its end. */
function closeQuietly(descriptor: number): void {
  try {
    fs.closeSync(descriptor)
  } catch {
    // closed by the system, which says why
  }
}

/** A read that fails is tried once more; one that was interrupted, again and again. */
async function readSome(descriptor: number, block: Buffer, offset: number, position: number): Promise<number> {
  for (let failed = 0; ; ) {
    try {
      return (await readInto(descriptor, block, offset, block.length - offset, position)).bytesRead
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EINTR' && ++failed > 1) throw error
    }
  }
}

function openInput(input: string): { descriptor: number; stat: fs.Stats } {
  let descriptor: number | undefined
  try {
    // Not blocking: a pipe without a writer would hold a thread of libuv's, and with it the end of the process.
    descriptor = fs.openSync(input, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
    return { descriptor, stat: fs.fstatSync(descriptor) }
  } catch (error) {
    if (descriptor !== undefined) closeQuietly(descriptor)
    const { code, message } = error as NodeJS.ErrnoException
    const why = code === 'ENOENT' ? 'not found' : `cannot be opened: ${message}`
    throw new VcapError(isPassing(error) ? 'read_failed' : 'usage', `Input ${input} ${why}`, { cause: error })
  }
}

/** A stream that can be given up while it waits: one of `fs` could not. */
function openStream(descriptor: number, stat: fs.Stats): Readable {
  if (stat.isFIFO() || stat.isSocket()) return new net.Socket({ fd: descriptor, readable: true, writable: false })
  return tty.isatty(descriptor) ? new tty.ReadStream(descriptor) : fs.createReadStream('', { fd: descriptor })
}

/** Copies a stream to a file without a name, which is gone when its descriptor is closed, however the process ends. */
async function copyStream(input: string, stream: Readable, signal: AbortSignal | undefined): Promise<number> {
  const folder = os.tmpdir()
  let copy: number | undefined
  try {
    copy = openUnnamed(folder)
    if (signal) addAbortSignal(signal, stream)
    for await (const chunk of stream) await keep(copy, chunk as Buffer, input, folder)
    return copy
  } catch (error) {
    if (copy !== undefined) fs.closeSync(copy)
    if (signal?.aborted) throw abortedError(signal)
    if (error instanceof VcapError) throw error
    throw new VcapError('read_failed', `Input ${input} cannot be read: ${(error as Error).message}`, { cause: error })
  } finally {
    stream.destroy()
  }
}

function openUnnamed(folder: string): number {
  const file = path.join(folder, `vcap-table-${randomBytes(6).toString('hex')}`)
  try {
    const descriptor = fs.openSync(file, 'wx+', 0o600)
    fs.unlinkSync(file)
    return descriptor
  } catch (error) {
    throw unkept(folder, error as Error)
  }
}

async function keep(copy: number, chunk: Buffer, input: string, folder: string): Promise<void> {
  try {
    await writeOn(copy, chunk)
  } catch (error) {
    throw unkept(folder, error as Error, input)
  }
}

function unkept(folder: string, cause: Error, input = 'a pipe'): VcapError {
  const message = `The table from ${input} cannot be kept in ${folder}: ${cause.message}; TMPDIR names another folder`
  return new VcapError('write_failed', message, { cause })
}
