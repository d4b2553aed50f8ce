import fs from 'node:fs'
import path from 'node:path'
import { VcapError } from '../errors'

/**
 * What a run has spent, in dollars, over all its calls: a line for each answer that was paid for, in the journal's
 * folder, written before the answer is used. What was asked twice is counted twice, as the provider does.
 */
export class Spending {
  readonly #file: string
  /** Undefined until there is something to write. */
  #descriptor: number | undefined
  #total: number

  /** `folder` need not be there. Throws `read_failed`. */
  constructor(folder: string) {
    this.#file = path.join(folder, 'spent.log')
    try {
      this.#total = fs.existsSync(this.#file) ? sum(fs.readFileSync(this.#file, 'utf8')) : 0
    } catch (error) {
      const { message } = error as Error
      throw new VcapError('read_failed', `${this.#file} cannot be read: ${message}`, { cause: error })
    }
  }

  get total(): number {
    return this.#total
  }

  /** Throws `write_failed`. */
  add(cost: number): void {
    this.#total += cost
    try {
      fs.writeSync((this.#descriptor ??= this.#open()), `${cost}\n`)
    } catch (error) {
      throw new VcapError('write_failed', `${this.#file} cannot be written: ${(error as Error).message}`, {
        cause: error
      })
    }
  }

  close(): void {
    if (this.#descriptor !== undefined) fs.closeSync(this.#descriptor)
    this.#descriptor = undefined
  }

  #open(): number {
    fs.mkdirSync(path.dirname(this.#file), { recursive: true })
    const descriptor = fs.openSync(this.#file, 'a')
    // A line that a crash cut off stays one of its own.
    fs.writeSync(descriptor, '\n')
    return descriptor
  }
}

/** A line that a crash cut off counts as far as it is a number. */
function sum(text: string): number {
  return text.split('\n').reduce((total, line) => total + (Number(line) || 0), 0)
}
