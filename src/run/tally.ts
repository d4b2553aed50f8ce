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
  #firstEngineError: number | undefined
  #captionedSince = 0

  /** `concurrency`: rows that the captioner has at once, which may all fail by one fault. */
  constructor(concurrency: number) {
    this.#concurrency = concurrency
  }

  /** Throws `engine_lost` when more rows in a row end in an engine's error than were in it at once. */
  add(caption: RowCaption, index = this.#rows): void {
    const { status, usage, error } = caption
    this.#rows++
    if (!isCaptioned(caption)) this.#failed++
    this.#tokens += usage?.tokens ?? 0
    this.#statuses[status] = (this.#statuses[status] ?? 0) + 1
    if (status === 'engine_error') this.#firstEngineError ??= index
    else if (this.#firstEngineError !== undefined && isCaptioned(caption)) this.#captionedSince++
    this.#engineErrorsInARow = status === 'engine_error' ? this.#engineErrorsInARow + 1 : 0
    if (this.#engineErrorsInARow > this.#concurrency) {
      throw new VcapError('engine_lost', `The engine fails on every row: ${error}`)
    }
  }

  /** The error that ends a run. Where the engine is lost, captions since its first fault are named as suspect. */
  blame(error: VcapError): VcapError {
    if (error.code !== 'engine_lost' || this.#captionedSince === 0) return error
    const since = `${this.#captionedSince} rows captioned since its first fault, in row ${this.#firstEngineError! + 1},`
    return new VcapError('engine_lost', `${error.message}. The ${since} are suspect`, { cause: error })
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
