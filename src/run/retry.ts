import { isCaptioned, type RowCaption, type RowUsage } from '../caption'
import { edited, type TextEdits } from '../checks/flags'

/** Which rows of an earlier run are captioned again, and which captions are asked for once more. */
export interface RetryOptions {
  /** Statuses of failed rows; `all` for each of them. */
  retryFailed: string[]
  /** Flags of captions; `all` for each of them. */
  retryFlagged: string[]
  /** A flag that an edit mends is none. */
  edits: TextEdits
}

/** Whether a row failed with one of the statuses that are tried again. */
export function isFailureToRetry(caption: RowCaption, { retryFailed }: RetryOptions): boolean {
  if (isCaptioned(caption)) return false
  return retryFailed.includes('all') || retryFailed.includes(caption.status)
}

/**
 * Whether a caption has a flag for which it is asked for once more. No caption is asked for a third time, by whatever
 * command.
 */
export function isFlaggedToRetry(caption: RowCaption, { retryFlagged, edits }: RetryOptions): boolean {
  if (retryFlagged.length === 0 || caption.retry !== undefined) return false
  // A row without a caption is one that failed, but for the model's silence.
  if (!isCaptioned(caption) && caption.status !== 'empty') return false
  const { flags = [] } = edited(caption, edits)
  return flags.length > 0 && (retryFlagged.includes('all') || flags.some((flag) => retryFlagged.includes(flag)))
}

/**
 * The better of two answers, marked as such: the second, where it has none of the flags that were asked about and none
 * that the first does not have.
 */
export function betterOf(first: RowCaption, second: RowCaption, { retryFlagged, edits }: RetryOptions): RowCaption {
  const { flags: before = [] } = edited(first, edits)
  const { flags: now = [] } = edited(second, edits)
  const isBad = (flag: string) => retryFlagged.includes('all') || retryFlagged.includes(flag) || !before.includes(flag)
  const isBetter = isCaptioned(second) && !now.some(isBad)
  const usage = costOfBoth(first, second, isBetter ? second.usage : first.usage)
  return isBetter ? { ...second, usage, retry: 'replaced' } : { ...first, usage, retry: 'kept' }
}

/** The answer that was not taken was paid for as well. */
function costOfBoth(first: RowCaption, second: RowCaption, usage: RowUsage | null): RowUsage | null {
  const costs = [first.usage?.cost, second.usage?.cost].filter((cost) => cost !== undefined)
  if (!usage || costs.length === 0) return usage
  return { ...usage, cost: costs.reduce((sum, cost) => sum + cost, 0) }
}
