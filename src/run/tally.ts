import { isCaptioned, type RowCaption } from '../caption'
import { VcapError } from '../errors'
import type { RowKey } from './row-key'

export interface TallyOptions {
  /** Rows that the captioner has at once, which may all fail by one fault. */
  concurrency: number
  /** Rows of the table. */
  rows: number
  /** Failed rows that a run may have: a number, or a share such as `5%`. */
  maxFailures?: number | string | undefined
}

/** Watches the rows of a run as they finish, and decides when it is over before its end. */
export class Tally {
  readonly #options: TallyOptions
  readonly #mostFailures: number
  #failed = 0
  /** The last answers, as far as each of them was an engine's error; undefined for one that a row can do without. */
  #inARow: (RowKey | undefined)[] = []
  /** Rows that a lost engine failed, and that another may caption. */
  lost: RowKey[] = []
  /** Index of the first row that ended in an engine's error, and how many were captioned since. */
  #firstEngineError: number | undefined
  #captionedSince = 0

  constructor(options: TallyOptions) {
    this.#options = options
    this.#mostFailures = countOf(options.maxFailures, options.rows)
  }

  /**
   * Counts a row in the order in which they finish. Throws `engine_lost` when more rows in a row end in an engine's
   * error than were in it at once; `too_many_failures` when more rows failed than may.
   */
  add(key: RowKey, index: number, caption: RowCaption): void {
    if (!isCaptioned(caption)) this.#failed++
    if (caption.status === 'engine_error') {
      this.#addEngineError(key, index, caption)
    } else {
      this.#inARow = []
      if (this.#firstEngineError !== undefined && isCaptioned(caption)) this.#captionedSince++
    }
    if (this.#failed > this.#mostFailures) {
      throw new VcapError(
        'too_many_failures',
        `${this.#failed} ${this.#failed === 1 ? 'row' : 'rows'} failed, the last with ${caption.status}: ` +
          `${caption.error ?? 'no caption'}. What was captioned is kept: the same command goes on`
      )
    }
  }

  /** Counts an engine's error in place of a second answer: its row has the first. Throws `engine_lost`. */
  addFault(index: number, caption: RowCaption): void {
    this.#addEngineError(undefined, index, caption)
  }

  #addEngineError(key: RowKey | undefined, index: number, { error }: RowCaption): void {
    this.#inARow.push(key)
    this.#firstEngineError ??= index
    if (this.#inARow.length <= this.#options.concurrency) return
    this.lost = this.#inARow.filter((lost) => lost !== undefined)
    throw new VcapError('engine_lost', `The engine fails on every row: ${error}${this.#suspects()}`)
  }

  /** What was captioned since the engine's first fault is named as suspect. */
  #suspects(): string {
    if (this.#captionedSince === 0) return ''
    const first = `its first fault, in row ${this.#firstEngineError! + 1}`
    return `. Captions since ${first}, are suspect: ${this.#captionedSince} of them`
  }
}

function countOf(most: number | string | undefined, rows: number): number {
  if (most === undefined) return Infinity
  if (typeof most === 'number') return most
  return most.endsWith('%') ? (Number(most.slice(0, -1)) / 100) * rows : Number(most)
}
