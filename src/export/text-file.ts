import fs from 'node:fs'
import path from 'node:path'
import { VcapError } from '../errors'
import { syncFolder } from '../folders'

/** Bytes that are written at once. */
const blockBytes = 1 << 18

/** A text file that appears whole or not at all: made under another name, flushed to the disk, then renamed. */
export class TextFile {
  readonly #temporary: string
  #descriptor: number
  #waiting = ''
  /** What ends the file. */
  footer = ''

  /** Throws `output_unwritable`. */
  constructor(readonly path: string) {
    this.#temporary = `${path}.vcap.tmp`
    try {
      if (fs.statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw new Error('it is a folder')
      this.#descriptor = fs.openSync(this.#temporary, 'w')
    } catch (cause) {
      throw new VcapError('output_unwritable', `${path} cannot be written: ${(cause as Error).message}`, { cause })
    }
  }

  /** Throws `write_failed`. */
  write(text: string): void {
    this.#waiting += text
    if (this.#waiting.length >= blockBytes) this.#try(() => this.#flush())
  }

  /** Makes it appear. Throws `write_failed`. */
  commit(): void {
    this.#try(() => {
      this.#waiting += this.footer
      this.#flush()
      fs.fsyncSync(this.#descriptor)
      fs.closeSync(this.#descriptor)
      this.#descriptor = -1
      fs.renameSync(this.#temporary, this.path)
      syncFolder(path.dirname(this.path))
    })
  }

  /** Removes what was written; does nothing after `commit`. */
  discard(): void {
    if (this.#descriptor >= 0) fs.closeSync(this.#descriptor)
    this.#descriptor = -1
    fs.rmSync(this.#temporary, { force: true })
  }

  #flush(): void {
    const text = this.#waiting
    this.#waiting = ''
    fs.writeFileSync(this.#descriptor, text)
  }

  #try(work: () => void): void {
    try {
      work()
    } catch (cause) {
      throw new VcapError('write_failed', `${this.path} cannot be written: ${(cause as Error).message}`, { cause })
    }
  }
}
