import { abortedError } from '../errors'
import type { TableSettings } from '../options'

/** Rows after which progress is told, and a stop is heeded. */
const rowsBetween = 1024

/** Counts rows that are done: tells of them now and then, and ends the work where it was stopped. */
export class RowCounter {
  #rows = 0

  constructor(
    private readonly total: number,
    private readonly settings: TableSettings
  ) {}

  get rows(): number {
    return this.#rows
  }

  /** Throws `aborted`. */
  add(): void {
    if (this.#rows++ % rowsBetween !== 0) return
    const { signal, onProgress } = this.settings
    if (signal?.aborted) throw abortedError(signal)
    onProgress?.(this.#rows, this.total)
  }
}
