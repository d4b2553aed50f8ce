import fs from 'node:fs'
import path from 'node:path'
import { VcapError } from '../errors'

/**
 * What a run has spent, in dollars, over all its calls: a line for each answer that was paid for, in a folder of the
 * journal's, written before the answer is used. What was asked twice is counted twice, as the provider does.
 */
export class Spending {
  readonly #file: string
  /** Undefined until there is something to write. */
  #descriptor: number | undefined
  #total = 0
  /** Of amounts that are recorded once, however often they are told. */
  readonly #marks = new Set<string>()

  /** `folder` need not be there. Throws `read_failed`. */
  constructor(folder: string) {
    this.#file = path.join(folder, 'spent.log')
    try {
      const text = fs.existsSync(this.#file) ? fs.readFileSync(this.#file, 'utf8') : ''
      for (const line of text.split('\n')) this.#count(...(line.split(' ') as [string, string?]))
    } catch (error) {
      const { message } = error as Error
      throw new VcapError('read_failed', `${this.#file} cannot be read: ${message}`, { cause: error })
    }
  }

  get total(): number {
    return this.#total
  }

  /** Throws `write_failed`. */
  add(cost: number, mark?: string): void {
    if (!this.#count(String(cost), mark)) return
    try {
      fs.writeSync((this.#descriptor ??= this.#open()), `${cost}${mark === undefined ? '' : ` ${mark}`}\n`)
    } catch (error) {
      const { message } = error as Error
      throw new VcapError('write_failed', `${this.#file} cannot be written: ${message}`, { cause: error })
    }
  }

  close(): void {
    if (this.#descriptor !== undefined) fs.closeSync(this.#descriptor)
    this.#descriptor = undefined
  }

  /** A line that a crash cut off counts as far as it is a number. Returns whether it was not counted before. */
  #count(cost: string, mark?: string): boolean {
    if (mark !== undefined && this.#marks.has(mark)) return false
    if (mark !== undefined) this.#marks.add(mark)
    this.#total += Number(cost) || 0
    return true
  }

  #open(): number {
    fs.mkdirSync(path.dirname(this.#file), { recursive: true })
    const descriptor = fs.openSync(this.#file, 'a')
    // A line that a crash cut off stays one of its own.
    fs.writeSync(descriptor, '\n')
    return descriptor
  }
}
