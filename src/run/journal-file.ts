import fs from 'node:fs/promises'
import { constants } from 'node:fs'
import path from 'node:path'
import crc32 from 'crc-32'
import { VcapError } from '../errors'
import { syncFolder } from '../folders'

/** Records that are made durable together at most, and for how many milliseconds the first of them waits. */
const groupRecords = 256
const groupMilliseconds = 250
/** Bytes that are read at once, when all is read and when one record is. */
const scanBytes = 1 << 20
const readBytes = 1 << 15
/** More bytes than records that are written together have: some thousand rows at most. */
const mostGroupBytes = 16 << 20

/** What a file was found to hold. */
export interface JournalScan {
  /** Records that are whole. */
  records: number
  /** Lines that are damaged: a checksum that is not theirs. Their rows count as not done. */
  damaged: number
  /** Bytes of a record at the end that was never finished, which were cut off. */
  torn: number
}

/**
 * Records in a file that only grows, one a line: the CRC-32 of what follows in 8 hexadecimal digits, a space, the
 * record, which holds no line end. A record counts as written when it is on the disk; those of a quarter of a second,
 * or 256, are brought there together.
 */
export class JournalFile {
  readonly path: string
  readonly #handle: fs.FileHandle
  #size: number
  #waiting: Waiting[] = []
  #timer: NodeJS.Timeout | undefined
  /** The one that writes, group after group, while there is one. */
  #writing: Promise<void> | undefined
  #failure: VcapError | undefined
  /** The part of the file that was read last. */
  #block = { start: 0, bytes: Buffer.alloc(0) }

  private constructor(path: string, handle: fs.FileHandle, size: number) {
    this.path = path
    this.#handle = handle
    this.#size = size
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
   * Adds a record. Resolves with its offset when it is on the disk; rejects with `write_failed`, and from then on
   * nothing more is added.
   */
  append(record: string): Promise<number> {
    if (this.#failure) return Promise.reject(this.#failure)
    const line = Buffer.from(`${checksum(record)} ${record}\n`)
    return new Promise((resolve, reject) => {
      this.#waiting.push({ line, resolve, reject })
      if (this.#waiting.length >= groupRecords) void this.flush()
      else this.#timer ??= setTimeout(() => void this.flush(), groupMilliseconds)
    })
  }

  /** Brings what was added to the disk. Does not reject: each record's promise does. */
  flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#waiting.length === 0) return this.#writing ?? Promise.resolve()
    return (this.#writing ??= this.#writeAll())
  }

  /** Group after group until nothing waits: what is added while one is written is the next. */
  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) await this.#writeGroup()
    this.#writing = undefined
  }

  async #writeGroup(): Promise<void> {
    const group = this.#waiting
    this.#waiting = []
    const bytes = Buffer.concat(group.map(({ line }) => line))
    try {
      if (this.#failure) throw this.#failure
      await writeAll(this.#handle, bytes, this.#size)
      await this.#handle.datasync()
    } catch (error) {
      // What may stand there of the group is cut off, so that a later run finds none of it, or all.
      await this.#handle.truncate(this.#size).catch(() => undefined)
      this.#failure ??= unusable(this.path, error as Error)
      for (const { reject } of group) reject(this.#failure)
      return
    }
    for (const { line, resolve } of group) {
      resolve(this.#size)
      this.#size += line.length
    }
  }

  /** The record at an offset that `append` or the opening gave. Throws `read_failed`. */
  async read(offset: number): Promise<string> {
    let line = this.#lineInBlock(offset)
    for (let length = readBytes; !line; length *= 2) {
      const block = Buffer.allocUnsafe(length)
      const { bytesRead } = await this.#handle.read(block, 0, length, offset).catch((error: Error) => {
        throw new VcapError('read_failed', `${this.path} cannot be read: ${error.message}`, { cause: error })
      })
      this.#block = { start: offset, bytes: block.subarray(0, bytesRead) }
      line = this.#lineInBlock(offset)
      if (!line && bytesRead < length) return this.#unreadable(offset)
    }
    return recordOf(line) ?? this.#unreadable(offset)
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

interface Waiting {
  line: Buffer
  resolve: (offset: number) => void
  reject: (error: VcapError) => void
}

const lineEnd = 0x0a
const checksumDigits = 8

function checksum(record: string): string {
  return (crc32.str(record) >>> 0).toString(16).padStart(checksumDigits, '0')
}

/** The record of a line, without its end; undefined where the checksum is not its. */
function recordOf(line: Buffer): string | undefined {
  return isWhole(line) ? line.toString('utf8', checksumDigits + 1) : undefined
}

function isWhole(line: Buffer): boolean {
  if (line.length <= checksumDigits || line[checksumDigits] !== 0x20) return false
  return writtenChecksum(line) === crc32.buf(line.subarray(checksumDigits + 1))
}

/** The checksum at the start of a line, as a signed number; null where no checksum stands there. */
function writtenChecksum(line: Buffer): number | null {
  let sum = 0
  for (let i = 0; i < checksumDigits; i++) {
    const digit = digitOf(line[i]!)
    if (digit < 0) return null
    sum = (sum << 4) | digit
  }
  return sum
}

/** What a hexadecimal digit is worth, which a checksum writes in lower case; -1 for what is none. */
function digitOf(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  return byte >= 0x61 && byte <= 0x66 ? byte - 0x57 : -1
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

/** Reads all lines; `end` is where the last whole line ends. */
async function scanRecords(
  handle: fs.FileHandle,
  onRecord: (record: Buffer, offset: number) => void
): Promise<{ scan: JournalScan; end: number }> {
  const scan: JournalScan = { records: 0, damaged: 0, torn: 0 }
  let rest: Buffer = Buffer.alloc(0)
  /** Where `rest` begins in the file. */
  let start = 0
  for (;;) {
    const block = Buffer.allocUnsafe(scanBytes)
    const { bytesRead } = await handle.read(block, 0, scanBytes, start + rest.length)
    if (bytesRead === 0) break
    const read = block.subarray(0, bytesRead)
    const bytes: Buffer = rest.length === 0 ? read : Buffer.concat([rest, read])
    let begin = 0
    for (let end = bytes.indexOf(lineEnd); end >= 0; end = bytes.indexOf(lineEnd, begin)) {
      const line = bytes.subarray(begin, end)
      if (isWhole(line)) {
        scan.records++
        onRecord(line.subarray(checksumDigits + 1), start + begin)
      } else {
        scan.damaged++
      }
      begin = end + 1
    }
    rest = bytes.subarray(begin)
    start += begin
  }
  scan.torn = rest.length
  return { scan, end: start }
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
  await handle.datasync()
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
