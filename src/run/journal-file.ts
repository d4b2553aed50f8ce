import fs from 'node:fs/promises'
import { constants } from 'node:fs'
import path from 'node:path'
import { VcapError } from '../errors'
import { syncFile, syncFolder } from '../folders'
import { lineEnd, LineBuffer, recordIn, scanBytes, scanRecords, type JournalScan } from './record-lines'

/** Records that are made durable together at most, and for how many milliseconds the first of them waits. */
const groupRecords = 256
const groupMilliseconds = 250
/** Bytes that are read for a record that does not follow the one before. */
const readBytes = 1 << 15
/** More bytes than records that are written together have: some thousand rows at most. */
const mostGroupBytes = 16 << 20

/**
 * Records in a file that only grows, one a line: the CRC-32 of what follows in 8 hexadecimal digits, a space, the
 * record, which holds no line end. A record counts as written when it is on the disk; those of a quarter of a second,
 * or 256, are brought there together.
 */
export class JournalFile {
  readonly path: string
  readonly #handle: fs.FileHandle
  #size: number
  /** Where the next record will stand. */
  #end: number
  #waiting = new Group(new LineBuffer())
  /** Of the group that was written last. */
  #spare = new LineBuffer()
  #timer: NodeJS.Timeout | undefined
  /** The one that writes, group after group, while there is one. */
  #writing: Promise<void> | undefined
  #failure: VcapError | undefined
  /** The part of the file that was read last, and the memory that it is in. */
  #block = { start: 0, bytes: Buffer.alloc(0) }
  #memory = Buffer.alloc(0)

  private constructor(path: string, handle: fs.FileHandle, size: number) {
    this.path = path
    this.#handle = handle
    this.#size = size
    this.#end = size
  }

  /**
   * Opens a file, or makes it, and calls `onRecord` with each whole record and where it stands. Throws `write_failed`
   * where the system does not let it be read and written.
   */
  static async open(
    file: string,
    onRecord: (record: Buffer, offset: number) => void
  ): Promise<{ file: JournalFile; scan: JournalScan }> {
    let handle: fs.FileHandle | undefined
    try {
      handle = await fs.open(file, constants.O_RDWR | constants.O_CREAT, 0o666)
      const { scan, end } = await scanRecords(handle, onRecord)
      if (scan.torn > 0) await handle.truncate(end)
      await bringToDisk(handle, end)
      syncFolder(path.dirname(file))
      return { file: new JournalFile(file, handle, end), scan }
    } catch (error) {
      await handle?.close()
      if (error instanceof VcapError) throw error
      throw unusable(file, error as Error)
    }
  }

  /** Bytes that are on the disk. */
  get size(): number {
    return this.#size
  }

  /**
   * Adds a record. Returns its offset, and the promise of all that are brought to the disk with it: it rejects with
   * `write_failed`, and from then on nothing more is added.
   */
  append(record: string): { offset: number; written: Promise<void> } {
    const offset = this.#end
    this.#end += this.#waiting.lines.add(record)
    if (this.#waiting.lines.count >= groupRecords) void this.flush()
    else this.#timer ??= setTimeout(() => void this.flush(), groupMilliseconds)
    return { offset, written: this.#waiting.written }
  }

  /** Brings what was added to the disk. Does not reject: the promises of the records do. */
  flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#waiting.lines.count === 0) return this.#writing ?? Promise.resolve()
    return (this.#writing ??= this.#writeAll())
  }

  /** Group after group until nothing waits: what is added while one is written is the next. */
  async #writeAll(): Promise<void> {
    while (this.#waiting.lines.count > 0) await this.#writeGroup()
    this.#writing = undefined
  }

  async #writeGroup(): Promise<void> {
    const { lines, resolve, reject } = this.#waiting
    this.#waiting = new Group(this.#spare)
    const { bytes } = lines
    try {
      if (this.#failure) throw this.#failure
      await writeAll(this.#handle, bytes, this.#size)
      await syncFile(this.#handle)
    } catch (error) {
      // What may stand there of the group is cut off, so that a later run finds none of it, or all.
      await this.#handle.truncate(this.#size).catch(() => undefined)
      this.#failure ??= unusable(this.path, error as Error)
      reject(this.#failure)
      return
    } finally {
      lines.clear()
      this.#spare = lines
    }
    this.#size += bytes.length
    resolve()
  }

  /** The record at an offset that `append` or the opening gave. Wait for it before the next. Throws `read_failed`. */
  async read(offset: number): Promise<string> {
    let line = this.#lineInBlock(offset)
    const { start, bytes } = this.#block
    const isNext = start <= offset && offset <= start + bytes.length
    for (let length = isNext ? scanBytes : readBytes; !line; length *= 2) {
      if (this.#memory.length < length) this.#memory = Buffer.allocUnsafe(length)
      const { bytesRead } = await this.#handle.read(this.#memory, 0, length, offset).catch((error: Error) => {
        throw new VcapError('read_failed', `${this.path} cannot be read: ${error.message}`, { cause: error })
      })
      this.#block = { start: offset, bytes: this.#memory.subarray(0, bytesRead) }
      line = this.#lineInBlock(offset)
      if (!line && bytesRead < length) return this.#unreadable(offset)
    }
    return recordIn(line, 0, line.length)?.toString('utf8') ?? this.#unreadable(offset)
  }

  /** The line at an offset, where the part of the file that was read last holds all of it. */
  #lineInBlock(offset: number): Buffer | undefined {
    const { start, bytes } = this.#block
    const at = offset - start
    if (at < 0 || at >= bytes.length) return undefined
    const end = bytes.indexOf(lineEnd, at)
    return end < 0 ? undefined : bytes.subarray(at, end)
  }

  #unreadable(offset: number): never {
    throw new VcapError('read_failed', `${this.path} changed at byte ${offset} since it was written: run again`)
  }

  async close(): Promise<void> {
    await this.flush()
    await this.#handle.close().catch(() => undefined) // what counts as done is on the disk
  }
}

/** Records that are brought to the disk together. */
class Group {
  resolve: () => void = () => undefined
  reject: (error: VcapError) => void = () => undefined
  readonly written = new Promise<void>((resolve, reject) => {
    this.resolve = resolve
    this.reject = reject
  })

  constructor(readonly lines: LineBuffer) {}
}

/** Reads a journal that another may be writing: each whole record in turn. Nothing is changed. Throws `read_failed`. */
export async function scanJournal(path: string, onRecord: (record: Buffer) => void): Promise<JournalScan> {
  let handle: fs.FileHandle | undefined
  try {
    handle = await fs.open(path, 'r')
    return (await scanRecords(handle, onRecord)).scan
  } catch (error) {
    throw new VcapError('read_failed', `${path} cannot be read: ${(error as Error).message}`, { cause: error })
  } finally {
    await handle?.close()
  }
}

/**
 * A killed process may have left records that are not on the disk yet, and one to which the disk failed such as never
 * will be, though all can read them: the system takes what it could not write for written. They are written once more,
 * as far from the end as that can be.
 */
async function bringToDisk(handle: fs.FileHandle, end: number): Promise<void> {
  for (let start = Math.max(0, end - mostGroupBytes); start < end; start += scanBytes) {
    const block = Buffer.allocUnsafe(Math.min(scanBytes, end - start))
    const { bytesRead } = await handle.read(block, 0, block.length, start)
    await writeAll(handle, block.subarray(0, bytesRead), start)
  }
  await syncFile(handle)
}

/** Writes all bytes: a short write is no end. */
async function writeAll(handle: fs.FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, written, bytes.length - written, position + written)
    written += bytesWritten
  }
}

function unusable(path: string, cause: Error): VcapError {
  const kept = 'What was captioned before is kept: run the same command again'
  const what = `${path} cannot be written: ${cause.message}. ${kept}`
  return new VcapError('write_failed', what, { cause })
}
