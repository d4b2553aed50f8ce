import fs from 'node:fs'
import path from 'node:path'
import { randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { VcapError } from '../errors'

/** Given a descriptor, it writes on from where the file stands, until all is written. */
const writeFile = promisify(fs.writeFile)

/**
 * A file that appears whole or not at all: written beside its place under another name,
 * flushed to the disk, then renamed.
 */
export class OutputFile {
  /** Where the file will be: links followed. */
  readonly path: string
  readonly #temporary: string
  /** -1: closed. */
  #descriptor: number
  #open = true

  /** Throws `output_unwritable` when the folder is not there or not to be written, or the place is no file. */
  constructor(file: string) {
    this.path = followLinks(file)
    const folder = path.dirname(this.path)
    this.#temporary = path.join(folder, `.vcap-${randomBytes(6).toString('hex')}.tmp`)
    try {
      const stat = fs.statSync(this.path, { throwIfNoEntry: false })
      if (stat && !stat.isFile()) throw new VcapError('output_unwritable', `Output ${file} is not a file`)
      this.#descriptor = fs.openSync(this.#temporary, 'wx')
    } catch (error) {
      if (error instanceof VcapError) throw error
      const { code, message } = error as NodeJS.ErrnoException
      const why = code === 'ENOENT' || code === 'ENOTDIR' ? `the folder ${folder} does not exist` : message
      throw new VcapError('output_unwritable', `Output ${file} cannot be written: ${why}`, { cause: error })
    }
    process.once('exit', this.#discard)
  }

  /** Adds to the end. Wait for it before the next call. Rejects with `write_failed`. */
  async write(text: string): Promise<void> {
    try {
      await writeFile(this.#descriptor, text)
    } catch (error) {
      const { message } = error as Error
      throw new VcapError('write_failed', `Output could not be written: ${message}`, { cause: error })
    }
  }

  /** Makes the file appear under its name. Throws `write_failed`. */
  commit(): void {
    try {
      fs.fsyncSync(this.#descriptor)
      this.#close()
      fs.renameSync(this.#temporary, this.path)
      flushFolder(path.dirname(this.path))
    } catch (error) {
      throw new VcapError('write_failed', `Output ${this.path} could not be finished: ${(error as Error).message}`, {
        cause: error
      })
    }
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
    fs.rmSync(this.#temporary, { force: true })
    this.#close()
  }

  #close(): void {
    const descriptor = this.#descriptor
    if (descriptor === -1) return
    this.#descriptor = -1
    fs.closeSync(descriptor)
  }
}

/** True where both names lead to one file. */
export function isSameFile(a: string, b: string): boolean {
  const [left, right] = [a, b].map((file) => fs.statSync(file, { throwIfNoEntry: false }))
  return left !== undefined && right !== undefined && left.dev === right.dev && left.ino === right.ino
}

function followLinks(file: string): string {
  return fs.existsSync(file) ? fs.realpathSync(file) : path.resolve(file)
}

/** The new name itself has to reach the disk. */
function flushFolder(folder: string): void {
  const descriptor = fs.openSync(folder, 'r')
  try {
    fs.fsyncSync(descriptor)
  } finally {
    fs.closeSync(descriptor)
  }
}
