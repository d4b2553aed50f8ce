import { setMaxListeners } from 'node:events'
import type { RowCaption, RowCaptioner } from '../caption'
import { edited } from '../checks/flags'
import { abortedError, asVcapError } from '../errors'
import { forEachAtOnce } from '../pool'
import type { Row, RowSource } from '../rows/rows'
import { Semaphore } from '../semaphore'
import { Answers } from './answers'
import type { RunEvent } from './events'
import type { Journal } from './journal'
import type { Pace } from './pace'
import {
  isFailureToRetry,
  isFlaggedToRetry,
  isWorthKeeping,
  namesToAskAgain,
  namesToTry,
  retried,
  type RetryOptions
} from './retry'
import type { RowKey } from './row-key'
import type { Tally } from './tally'

/** Rows that may wait for the disk before the next row waits too. */
const undurableRows = 1024

export interface CaptionRowsOptions {
  retry: RetryOptions
  /** Ends the run: no row is begun any more, and those under way are dropped after `grace` seconds. */
  signal: AbortSignal | undefined
  grace: number
  /** Ends the run at once: another process writes. */
  lost: AbortSignal
  emit: (event: RunEvent) => void
  pace: Pace
}

interface Pending {
  row: Row
  key: RowKey
  /** What an earlier run made of it, where it is tried again: a failure, or a flagged caption. */
  before?: RowCaption | undefined
}

/** The rows that are not in the journal yet, and those to try again; none any more from when on `isOver`. */
export async function* pendingRows(
  source: RowSource,
  journal: Journal,
  retry: RetryOptions,
  isOver: () => boolean
): AsyncGenerator<Pending> {
  const retries = retry.retryFailed.length > 0 || retry.retryFlagged.length > 0
  journal.restartKeys()
  for await (const row of source.rows()) {
    if (isOver()) return
    const key = journal.nextKey(row.input)
    if (!journal.has(key)) {
      yield { row, key }
    } else if (retries) {
      const before = await journal.read(key)
      if (before && (isFailureToRetry(before, retry) || isFlaggedToRetry(before, retry))) yield { row, key, before }
    }
  }
}

/**
 * Captions the rows that are not done and appends each to the journal, in the order in which they finish. A row is
 * told and counted when its record is on the disk: told as the output will have it, recorded as it was answered. Throws
 * what ends the run, `aborted` among it; what is in the journal stays.
 */
export async function captionRows(
  source: RowSource,
  journal: Journal,
  captioner: RowCaptioner,
  tally: Tally,
  { retry, signal, lost, grace, emit, pace }: CaptionRowsOptions
): Promise<void> {
  const { window } = captioner.info
  /** Takes back the rows that the captioner has not begun. */
  const recall = new AbortController()
  /** Drops the captions under way. */
  const drop = new AbortController()
  setMaxListeners(0, recall.signal, drop.signal) // each row under way may listen
  /** The first failure: those after it may only be what it dropped. */
  let fault: { error: unknown } | undefined
  const fail = (error: unknown) => {
    fault ??= { error }
    recall.abort(error)
    drop.abort(error) // what ends the run ends it now, not when the rows under way have finished
  }
  let timer: NodeJS.Timeout | undefined
  const stop = () => {
    timer = setTimeout(() => drop.abort(signal?.reason), grace * 1000)
    recall.abort(signal?.reason)
    try {
      emit({ type: 'stopping', grace })
    } catch (error) {
      fail(error)
    }
  }
  const lose = () => fail(lost.reason)
  signal?.addEventListener('abort', stop, { once: true })
  lost.addEventListener('abort', lose, { once: true })
  const isOver = () => fault !== undefined || signal?.aborted === true || lost.aborted
  const pathOf = (row: Row) => String(row.cells[source.pathColumn])
  const undurable = new Semaphore(undurableRows)
  /**
   * Appends a row's record, unless it stays as it was, and tells the row when that is on the disk. Resolves before
   * that, unless the disk falls far behind.
   */
  const record = async ({ key, row, before }: Pending, made: RowCaption, told = true): Promise<void> => {
    const settled = await undurable.take(undefined)
    // What fails again stays as it was, unless it is to be known that it was asked for.
    const isKept = !before || isWorthKeeping(made)
    const kept = isKept ? journal.append(key, pathOf(row), made) : Promise.resolve()
    kept
      .then(() => told && emit({ type: 'row', index: row.index, path: pathOf(row), ...edited(made, retry.edits) }))
      .catch(fail)
      .then(settled)
  }
  const answers = new Answers(captioner, { tally, pace, retry })
  const signals = { drop: drop.signal, recall: recall.signal }
  /** The second answer to a row whose first is flagged; undefined where none is wanted, or the run is over. */
  const askAgain = async (pending: Pending, first: RowCaption): Promise<RowCaption | undefined> => {
    const { row, before } = pending
    if (isOver()) return undefined
    // The first is kept, whatever becomes of the second.
    if (!before) void record(pending, first, false)
    return answers.ask(row, signals, { attempt: 1, captions: namesToAskAgain(first, retry) })
  }
  /** The first answer to a row; of one whose captions are tried again, with those that stand. */
  const askFirst = async ({ row, before }: Pending): Promise<RowCaption> => {
    if (!before) return answers.ask(row, signals)
    const captions = namesToTry(before, retry)
    const isTried = captions ? captions.length > 0 : !answers.isToRetry(before)
    return isTried ? retried(before, await answers.ask(row, signals, { captions })) : before
  }
  const caption = async (pending: Pending): Promise<void> => {
    const { key, row } = pending
    try {
      const first = await askFirst(pending)
      if (fault) return
      const second = answers.isToRetry(first) ? await askAgain(pending, first) : undefined
      if (fault) return
      const made = answers.settle(key, row, first, second)
      await record(pending, made)
    } catch (error) {
      if (!isRecalled(error, recall.signal)) fail(error)
    }
  }
  try {
    const rows = pendingRows(source, journal, retry, isOver)
    if (!isOver())
      await forEachAtOnce(
        telling(rows, () => captioner.handedIn?.()),
        window,
        caption
      )
  } catch (error) {
    fail(error)
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', stop)
    lost.removeEventListener('abort', lose)
    await journal.flush()
    await undurable.take(undefined, undurableRows)
    // A working engine may caption what a lost one failed.
    const revoked = tally.lost.map((key) => journal.revoke(key).catch(fail))
    await journal.flush()
    await Promise.all(revoked)
  }
  if (signal?.aborted) throw abortedError(signal)
  if (lost.aborted) throw lost.reason
  if (fault) throw asVcapError((fault as { error: unknown }).error)
}

/** The same rows; `told` is called when there is none any more. */
async function* telling<T>(rows: AsyncIterable<T>, told: () => void): AsyncGenerator<T> {
  yield* rows
  told()
}

/** Whether a row came back because the run is over: its captioner rejects with `aborted`, or the signal's reason. */
function isRecalled(error: unknown, recall: AbortSignal): boolean {
  return recall.aborted && (error === recall.reason || asVcapError(error).code === 'aborted')
}
