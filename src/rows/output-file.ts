import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { VcapError } from '../errors'
import { findPlace, unwritable, type OutputPlace } from './output-place'
import { openTemporary, removeAbandoned } from './temporary-file'

const writeSome = promisify(fs.write)

/** Milliseconds until a pipe that takes nothing now is tried again. */
const fullPipePauseMs = 5

/** Bytes that are copied at once. */
const blockBytes = 1024 * 1024

/**
 * A file that appears whole or not at all: written beside its place under another name, flushed to the disk, then
 * renamed. A file that has to stay the same file is filled from it instead. What is no file, such as a pipe, gets the
 * text as it comes.
 */
export class OutputFile {
  /** Where the file will be: links followed. */
  readonly path: string
  /** What its owner should know, such as temporary files of others. */
  readonly warnings: string[] = []
  #place: OutputPlace
  /** Undefined for a stream. */
  #temporary: string | undefined
  /** -1: closed. */
  #descriptor: number
  /** Bytes written. */
  #length = 0
  #open = true

  /** Throws `output_unwritable` when the folder is not there or not to be written, or the place cannot take a file. */
  constructor(file: string) {
    this.#place = findPlace(file)
    this.path = this.#place.path
    if (this.#place.kind === 'descriptor') {
      this.#descriptor = this.#place.descriptor
    } else if (this.#place.kind === 'stream') {
      this.#descriptor = openStream(file, this.path)
    } else {
      const { path: temporary, descriptor } = this.#openTemporary(file, this.#place)
      this.#temporary = temporary
      this.#descriptor = descriptor
      this.#takeOwner(descriptor)
    }
    process.once('exit', this.#discard)
  }

  /** False for a stream. */
  get isFile(): boolean {
    return this.#temporary !== undefined
  }

  /**
   * Adds to the end. Wait for it before the next call. Where it fails, as many of the first bytes as `whole` says of
   * those that were written are kept. Rejects with `write_failed`.
   */
  async write(text: string, whole: (written: Buffer) => number = () => 0): Promise<void> {
    const bytes = Buffer.from(text)
    const before = this.#length
    try {
      await this.#writeAll(bytes)
    } catch (cause) {
      this.#length = before + whole(bytes.subarray(0, this.#length - before))
      throw new VcapError('write_failed', `Output could not be written: ${this.#keep(cause as Error)}`, { cause })
    }
  }

  /** Makes the file appear under its name. Throws `write_failed`. */
  commit(): void {
    try {
      if (this.#temporary !== undefined) this.#putInPlace(this.#temporary)
    } catch (cause) {
      const message = `Output ${this.path} could not be finished: ${this.#keep(cause as Error)}`
      throw new VcapError('write_failed', message, { cause })
    }
    this.#close()
    this.#open = false
    process.removeListener('exit', this.#discard)
  }

  /** Removes what was written. Does nothing after `commit`. */
  discard(): void {
    process.removeListener('exit', this.#discard)
    this.#discard()
  }

  readonly #discard = (): void => {
    if (!this.#open) return
    this.#open = false
    if (this.#temporary !== undefined) fs.rmSync(this.#temporary, { force: true })
    this.#close()
  }

  /** Beside its place, else among temporary files where it only has to be copied. */
  #openTemporary(file: string, { kind }: OutputPlace): { path: string; descriptor: number } {
    const folder = path.dirname(this.path)
    this.warnings.push(...removeAbandoned(folder).map((other) => `${other} is of a run on another machine`))
    try {
      return openTemporary(folder)
    } catch (cause) {
      if (kind === 'fill') return openElsewhere(file)
      throw unwritable(file, (cause as Error).message, cause)
    }
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

  async #writeAll(bytes: Buffer): Promise<void> {
    for (let written = 0; written < bytes.length; ) {
      try {
        const { bytesWritten } = await writeSome(this.#descriptor, bytes, written)
        written += bytesWritten
        this.#length += bytesWritten
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
      fs.renameSync(temporary, file)
    } else {
      // What a later run would take for a killed one's and remove is all there is, while the file is half full.
      const kept = this.#setAside(temporary)
      fill(file, this.#descriptor)
      fs.rmSync(kept, { force: true })
    }
    flushFolder(path.dirname(file))
  }

  /** Keeps the rows that were written whole where they can be found; returns what happened, and where they are. */
  #keep({ message }: Error): string {
    if (this.#temporary === undefined || this.#length === 0) return message
    try {
      fs.ftruncateSync(this.#descriptor, this.#length)
    } catch {
      // half a row may then stand at its end
    }
    const kept = this.#setAside(this.#temporary)
    this.#open = false
    this.#close()
    process.removeListener('exit', this.#discard)
    return `${message}; what was written is kept in ${kept}`
  }

  /** Gives the temporary file a name that people see and no later run removes, where that can be; returns its path. */
  #setAside(temporary: string): string {
    const name = `${path.basename(this.path)}.kept-${randomBytes(4).toString('hex')}`
    const kept = path.join(path.dirname(temporary), name)
    try {
      fs.renameSync(temporary, kept)
      this.#temporary = kept
      return kept
    } catch {
      return temporary // such a name may be too long
    }
  }

  #close(): void {
    const descriptor = this.#descriptor
    if (descriptor === -1 || this.#place.kind === 'descriptor') return
    this.#descriptor = -1
    fs.closeSync(descriptor)
  }
}

function openElsewhere(file: string): { path: string; descriptor: number } {
  try {
    removeAbandoned(os.tmpdir())
    return openTemporary(os.tmpdir())
  } catch (cause) {
    throw unwritable(
      file,
      `neither its folder nor that for temporary files can be written: ${(cause as Error).message}`
    )
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

/** The new name itself has to reach the disk. */
function flushFolder(folder: string): void {
  try {
    const descriptor = fs.openSync(folder, 'r')
    try {
      fs.fsyncSync(descriptor)
    } finally {
      fs.closeSync(descriptor)
    }
  } catch {
    // Some file systems cannot, and some folders may not be opened. The file is in its place.
  }
}
