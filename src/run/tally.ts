import { isCaptioned, type RowCaption } from '../caption'
import { VcapError } from '../errors'
import type { RunSummary } from './events'

/** Counts what became of the rows, and decides when the captioner is lost. */
export class Tally {
  readonly #started = performance.now()
  readonly #statuses: RunSummary['statuses'] = {}
  readonly #concurrency: number
  #rows = 0
  #failed = 0
  #tokens = 0
  #engineErrorsInARow = 0

  /** `concurrency`: rows that the captioner has at once, which may all fail by one fault. */
  constructor(concurrency: number) {
    this.#concurrency = concurrency
  }

  /** Throws `engine_lost` when more rows in a row end in an engine's error than were in it at once. */
  add(caption: RowCaption): void {
    const { status, usage, error } = caption
    this.#rows++
    if (!isCaptioned(caption)) this.#failed++
    this.#tokens += usage?.tokens ?? 0
    this.#statuses[status] = (this.#statuses[status] ?? 0) + 1
    this.#engineErrorsInARow = status === 'engine_error' ? this.#engineErrorsInARow + 1 : 0
    if (this.#engineErrorsInARow > this.#concurrency) {
      throw new VcapError('engine_lost', `The engine fails on every row: ${error}`)
    }
  }

  get summary(): Omit<RunSummary, 'input' | 'output'> {
    return {
      rows: this.#rows,
      statuses: this.#statuses,
      failed: this.#failed,
      seconds: (performance.now() - this.#started) / 1000,
      tokens: this.#tokens
    }
  }
}
