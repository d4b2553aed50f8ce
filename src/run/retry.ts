import { isCaptioned, type RowAnswer, type RowCaption, type RowUsage } from '../caption'
import { editedAnswer, type TextEdits } from '../checks/flags'
import { captionsOf, withCaptions } from '../row-captions'

/** Which rows of an earlier run are captioned again, and which captions are asked for once more. */
export interface RetryOptions {
  /** Statuses of failed rows; `all` for each of them. */
  retryFailed: string[]
  /** Flags of captions; `all` for each of them. */
  retryFlagged: string[]
  /** A flag that an edit mends is none. */
  edits: TextEdits
}

/** Whether a row, or one of its captions, failed with one of the statuses that are tried again. */
export function isFailureToRetry(row: RowCaption, retry: RetryOptions): boolean {
  return captionsOf(row).some(([, caption]) => hasFailed(caption, retry))
}

function hasFailed(caption: RowAnswer, { retryFailed }: RetryOptions): boolean {
  if (isCaptioned(caption)) return false
  return retryFailed.includes('all') || retryFailed.includes(caption.status)
}

/** The captions of a row that failed and are tried again as if for the first time; undefined for all of it. */
export function namesToTry(row: RowCaption, retry: RetryOptions): string[] | undefined {
  return namesOf(row, (caption) => hasFailed(caption, retry) && !isFlagged(caption, retry))
}

/** The captions of a row that are asked for once more since they are flagged; undefined for all of it. */
export function namesToAskAgain(row: RowCaption, retry: RetryOptions): string[] | undefined {
  return namesOf(row, (caption) => isFlagged(caption, retry))
}

function namesOf(row: RowCaption, isWanted: (caption: RowAnswer) => boolean): string[] | undefined {
  if (!row.captions) return undefined
  return captionsOf(row).flatMap(([name, caption]) => (isWanted(caption) ? [name!] : []))
}

/** A row of which some captions were tried again: what failed once more stays as it was. */
export function retried(before: RowCaption, made: RowCaption): RowCaption {
  if (!before.captions) return made
  const now = captionsOf(made).filter(([name, caption]) => name !== undefined && isCaptioned(caption))
  return withCaptions(before, { ...before.captions, ...Object.fromEntries(now) })
}

/** Whether a row that was tried again has a caption, or one that was asked for once more: else it stays as it was. */
export function isWorthKeeping(row: RowCaption): boolean {
  return captionsOf(row).some(([, caption]) => isCaptioned(caption) || caption.retry !== undefined)
}

/**
 * Whether a row has a caption with a flag for which it is asked for once more. No caption is asked for a third time, by
 * whatever command.
 */
export function isFlaggedToRetry(row: RowCaption, retry: RetryOptions): boolean {
  return captionsOf(row).some(([, caption]) => isFlagged(caption, retry))
}

function isFlagged(caption: RowAnswer, { retryFlagged, edits }: RetryOptions): boolean {
  if (retryFlagged.length === 0 || caption.retry !== undefined) return false
  // A row without a caption is one that failed, but for the model's silence.
  if (!isCaptioned(caption) && caption.status !== 'empty') return false
  const { flags = [] } = editedAnswer(caption, edits)
  return flags.length > 0 && (retryFlagged.includes('all') || flags.some((flag) => retryFlagged.includes(flag)))
}

/**
 * The better of two answers to a row, marked as such; of a row with several captions, of each that was asked for once
 * more.
 */
export function betterOf(first: RowCaption, second: RowCaption, retry: RetryOptions): RowCaption {
  if (!first.captions) return betterAnswer(first, second, retry)
  const names = namesToAskAgain(first, retry)
  const captions = captionsOf(first).map(([name, caption]): [string, RowAnswer] => {
    if (!names?.includes(name!)) return [name!, caption]
    return [name!, betterAnswer(caption, second.captions?.[name!] ?? answerOf(second), retry)]
  })
  return withCaptions(first, Object.fromEntries(captions))
}

/** Of a row that could not be asked about: why, for each of its captions. */
function answerOf({ status, error }: RowCaption): RowAnswer {
  return { status, text: '', error, usage: null }
}

/** The second, where it has none of the flags that were asked about and none that the first does not have. */
function betterAnswer<T extends RowAnswer>(first: T, second: T, { retryFlagged, edits }: RetryOptions): T {
  const { flags: before = [] } = editedAnswer(first, edits)
  const { flags: now = [] } = editedAnswer(second, edits)
  const isBad = (flag: string) => retryFlagged.includes('all') || retryFlagged.includes(flag) || !before.includes(flag)
  const isBetter = isCaptioned(second) && !now.some(isBad)
  const usage = costOfBoth(first, second, isBetter ? second.usage : first.usage)
  return isBetter ? { ...second, usage, retry: 'replaced' } : { ...first, usage, retry: 'kept' }
}

/** The answer that was not taken was paid for as well. */
function costOfBoth(first: RowAnswer, second: RowAnswer, usage: RowUsage | null): RowUsage | null {
  const costs = [first.usage?.cost, second.usage?.cost].filter((cost) => cost !== undefined)
  if (!usage || costs.length === 0) return usage
  return { ...usage, cost: costs.reduce((sum, cost) => sum + cost, 0) }
}
