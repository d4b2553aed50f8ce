import { constants } from 'node:fs'
import fs from 'node:fs/promises'
import { VcapError } from '../errors'
import { whyMissing } from './refused'

/*
 * A fault of reading (a bad sector, a network file system that is gone, a reader that was killed) is never the end of a
 * file: what was read until then would pass for a shorter video.
 */

/** Reading ended before the end of the file. It says nothing about the file's contents: reading it again may pass. */
export class ReadFault extends VcapError {
  /** `reason` is the system's. */
  constructor(reason: string, options?: { cause?: unknown }) {
    super('unreadable', `Reading the file failed twice: ${reason}`, options)
  }
}

/** Runs `read`, and once more where a fault of reading ended it. */
export async function readTwice<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (!(error instanceof ReadFault)) throw error
  }
  return read()
}

/** Bytes that are read at once. */
const chunkBytes = 2 ** 20

/** A local file open for reading. Its methods reject with `ReadFault`. */
export class InputFile {
  /** Bytes of the file when it was opened. */
  readonly size: number
  readonly #handle: fs.FileHandle

  private constructor(handle: fs.FileHandle, size: number) {
    this.#handle = handle
    this.size = size
  }

  /**
   * Opens a regular file; pipes, devices and directories are refused. Rejects with `missing` and `unreadable`, a
   * `ReadFault` where the system fails to open it.
   */
  static async open(file: string): Promise<InputFile> {
    let handle: fs.FileHandle
    let size: number
    try {
      const stat = await fs.stat(file)
      if (stat.isDirectory()) throw new VcapError('unreadable', 'It is a directory')
      if (!stat.isFile()) throw new VcapError('unreadable', 'It is not a regular file')
      if (stat.size === 0) throw new VcapError('unreadable', 'It has 0 bytes')
      size = stat.size
      // O_NONBLOCK: should the file have been replaced by a pipe since, opening it must not wait for a writer.
      handle = await fs.open(file, constants.O_RDONLY | constants.O_NONBLOCK)
    } catch (error) {
      throw toFileError(file, error)
    }
    return new InputFile(handle, size)
  }

  /** Up to `length` bytes from `position`; fewer only where the file ends. */
  async read(position: number, length: number): Promise<Buffer> {
    const bytes = Buffer.alloc(Math.max(0, Math.min(length, this.size - position)))
    return bytes.subarray(0, await this.#fill(bytes, position))
  }

  async #fill(bytes: Buffer, position: number): Promise<number> {
    let filled = 0
    while (filled < bytes.length) {
      const count = await this.#readOnce(bytes, filled, position + filled)
      if (count === 0) break
      filled += count
    }
    return filled
  }

  /** A read that a signal interrupts is repeated: Node leaves that to its caller. */
  async #readOnce(bytes: Buffer, offset: number, position: number): Promise<number> {
    for (let attempt = 0; ; attempt++) {
      try {
        return (await this.#handle.read(bytes, offset, bytes.length - offset, position)).bytesRead
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException
        if (code !== 'EINTR' || attempt === maxInterruptions) throw new ReadFault(message, { cause: error })
      }
    }
  }

  /** Reads the bytes from `from` up to `to` and drops them, to learn whether they can be read. */
  async requireReadable(from: number, to: number, deadline: number): Promise<void> {
    const bytes = Buffer.allocUnsafe(chunkBytes)
    for (let position = from; position < to && performance.now() < deadline; position += bytes.length) {
      if ((await this.#fill(bytes, position)) < bytes.length) return
    }
  }

  async close(): Promise<void> {
    await this.#handle.close()
  }
}

/** Interruptions of one read in a row after which it counts as failed. */
const maxInterruptions = 100

/** Opens `file` for `use` and closes it whatever happens. */
export async function withFile<T>(file: string, use: (input: InputFile) => Promise<T>): Promise<T> {
  const input = await InputFile.open(file)
  try {
    return await use(input)
  } finally {
    await input.close()
  }
}

/** Bytes of the largest file that is read as a whole. */
const maxWholeBytes = 2 ** 31

/** A whole file, of an image. Rejects with `missing` and `unreadable`. */
export function readWhole(file: string): Promise<Buffer> {
  return withFile(file, async (input) => {
    if (input.size <= maxWholeBytes) return input.read(0, input.size)
    const size = `${(input.size / 2 ** 30).toFixed(1)} GiB`
    throw new VcapError('unreadable', `The image file has ${size}, and up to ${maxWholeBytes / 2 ** 30} GiB are read`)
  })
}

/** Rejects with `ReadFault` where some byte of the file cannot be read. */
export function requireReadable(file: string, deadline: number): Promise<void> {
  return withFile(file, (input) => input.requireReadable(0, input.size, deadline))
}

/** Bytes at each end of a file that are read again where FFmpeg could make nothing of it. */
const endBytes = 32 * 2 ** 20

/**
 * Rejects with `ReadFault` where a byte near the file's start or end cannot be read. Whatever FFmpeg says about such a
 * file (that it has no index, no video, …) comes from there.
 */
export function requireReadableEnds(file: string, deadline: number): Promise<void> {
  return withFile(file, async (input) => {
    const { size } = input
    await input.requireReadable(0, Math.min(size, endBytes), deadline)
    await input.requireReadable(Math.max(endBytes, size - endBytes), size, deadline)
  })
}

/** Converts an error of the file system to `missing`, `unreadable` or `ReadFault`. */
function toFileError(file: string, error: unknown): VcapError {
  if (error instanceof VcapError) return error
  const { code, message } = error as NodeJS.ErrnoException
  // Node throws ERR_INVALID_ARG_VALUE for a name that contains a NUL character, which no file can have.
  const absent = code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG' || code === 'ERR_INVALID_ARG_VALUE'
  if (absent) return new VcapError('missing', whyMissing(file), { cause: error })
  if (code === 'EACCES' || code === 'EPERM') return new VcapError('unreadable', message, { cause: error })
  return new ReadFault(message, { cause: error })
}
