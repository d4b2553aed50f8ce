import fs from 'node:fs'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { VcapError } from '../errors'
import { syncFolder } from '../folders'
import { findPlace, unwritable, type OutputPlace } from './output-place'

const writeSome = promisify(fs.write)

/** Milliseconds until a pipe that takes nothing now is tried again. */
const fullPipePauseMs = 5

/** Bytes that are copied at once. */
const blockBytes = 1024 * 1024

/** The file in which an output is made, in a folder that belongs to it. */
const temporaryName = 'output.tmp'

/**
 * A file that appears whole or not at all: made under another name, flushed to the disk, then renamed. A file that has
 * to stay the same file is filled from it instead. What is no file, such as a pipe, gets the text as it comes.
 */
export class OutputFile {
  /** Where the file will be: links followed. */
  readonly path: string
  /** False for a stream. */
  readonly isFile: boolean
  #place: OutputPlace
  /** Undefined for a stream, and where nothing is begun. */
  #temporary: string | undefined
  /** -1: closed. */
  #descriptor = -1

  /** Throws `output_unwritable` when the folder is not there or the place cannot take a file; `write_failed`. */
  constructor(file: string) {
    this.#place = findPlace(file)
    this.path = this.#place.path
    this.isFile = this.#place.kind === 'replace' || this.#place.kind === 'fill'
    if (this.#place.kind === 'descriptor') this.#descriptor = this.#place.descriptor
    if (this.#place.kind === 'stream') this.#descriptor = openStream(file, this.path)
  }

  /**
   * Begins a file, in a folder of its own on the same file system, in which nobody else writes: what a killed run left
   * there is overwritten, and what was written since it was begun before. Does nothing for a stream. Throws
   * `write_failed`.
   */
  begin(folder: string): void {
    if (!this.isFile) return
    this.#close()
    this.#temporary = path.join(folder, temporaryName)
    try {
      this.#descriptor = fs.openSync(this.#temporary, 'w+')
    } catch (cause) {
      throw this.#failure(cause as Error)
    }
    this.#takeOwner(this.#descriptor)
  }

  /** Adds to the end. Wait for it before the next call. Rejects with `write_failed`. */
  async write(data: string | Uint8Array): Promise<void> {
    try {
      await this.#writeAll(typeof data === 'string' ? Buffer.from(data) : data)
    } catch (cause) {
      throw this.#failure(cause as Error)
    }
  }

  /** Makes the file appear under its name. Throws `write_failed`. */
  commit(): void {
    try {
      if (this.#temporary !== undefined) this.#putInPlace(this.#temporary)
    } catch (cause) {
      throw this.#failure(cause as Error)
    }
    this.#temporary = undefined
    this.#close()
  }

  /** Removes what was written. Does nothing after `commit`. */
  discard(): void {
    this.#close()
    if (this.#temporary === undefined) return
    try {
      fs.rmSync(this.#temporary, { force: true })
    } catch {
      // A disk that fails keeps it until the next run begins it anew.
    }
    this.#temporary = undefined
  }

  /** The new file is the old one's equal from the start on; where that is refused, the old one stays and is filled. */
  #takeOwner(descriptor: number): void {
    const { kind, path: file } = this.#place
    if (kind !== 'replace' || !this.#place.stat) return
    try {
      copyOwner(descriptor, this.#place.stat)
    } catch {
      this.#place = { kind: 'fill', path: file, stat: this.#place.stat }
    }
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    for (let written = 0; written < bytes.length; ) {
      try {
        written += (await writeSome(this.#descriptor, bytes, written)).bytesWritten
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
        await pause(fullPipePauseMs) // somebody made the pipe one that does not wait
      }
    }
  }

  #putInPlace(temporary: string): void {
    const { kind, path: file } = this.#place
    if (kind === 'replace') {
      fs.fsyncSync(this.#descriptor)
      this.#rename(temporary, file)
    } else {
      fill(file, this.#descriptor)
      fs.rmSync(temporary, { force: true })
    }
    syncFolder(path.dirname(file))
  }

  /** What was made on another file system, as where a journal was given a folder, is brought over first. */
  #rename(temporary: string, file: string): void {
    try {
      fs.renameSync(temporary, file)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error
      const near = `${file}.${temporaryName}`
      try {
        fs.copyFileSync(temporary, near)
        const descriptor = fs.openSync(near, 'r+')
        try {
          if (this.#place.kind === 'replace' && this.#place.stat) copyOwner(descriptor, this.#place.stat)
          fs.fsyncSync(descriptor)
        } finally {
          fs.closeSync(descriptor)
        }
        fs.renameSync(near, file)
      } catch (cause) {
        fs.rmSync(near, { force: true })
        throw cause
      }
      fs.rmSync(temporary, { force: true })
    }
  }

  #failure(cause: Error): VcapError {
    return new VcapError('write_failed', `Output ${this.path} cannot be written: ${cause.message}`, { cause })
  }

  #close(): void {
    const descriptor = this.#descriptor
    if (descriptor === -1 || this.#place.kind === 'descriptor') return
    this.#descriptor = -1
    try {
      fs.closeSync(descriptor)
    } catch {
      // What had to be on the disk was synced before.
    }
  }
}

/** Opening a pipe that nobody reads would wait for a reader, and with it the whole process. */
function openStream(file: string, name: string): number {
  let probe: number | undefined
  try {
    probe = fs.openSync(name, fs.constants.O_WRONLY | fs.constants.O_NONBLOCK)
    return fs.openSync(name, fs.constants.O_WRONLY)
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    throw unwritable(file, code === 'ENXIO' ? 'nobody reads this pipe: start its reader first' : message, cause)
  } finally {
    if (probe !== undefined) fs.closeSync(probe)
  }
}

/** Gives an open file another's owner and mode. */
function copyOwner(descriptor: number, { uid, gid, mode }: fs.Stats): void {
  const own = fs.fstatSync(descriptor)
  if (own.uid !== uid || own.gid !== gid) fs.fchownSync(descriptor, uid, gid)
  fs.fchmodSync(descriptor, mode & 0o7777) // last, since a change of owner takes bits of the mode away
}

/** Copies an open file over another, which is cut to its length last. */
function fill(file: string, source: number): void {
  const target = fs.openSync(file, 'r+')
  try {
    const block = Buffer.allocUnsafe(blockBytes)
    let length = 0
    for (let read = fs.readSync(source, block, 0, block.length, 0); read > 0; ) {
      for (let written = 0; written < read; ) {
        written += fs.writeSync(target, block, written, read - written, length + written)
      }
      length += read
      read = fs.readSync(source, block, 0, block.length, length)
    }
    fs.ftruncateSync(target, length)
    fs.fsyncSync(target)
  } finally {
    fs.closeSync(target)
  }
}
