import { setMaxListeners } from 'node:events'
import { isCaptioned, type RowCaption, type RowCaptioner } from '../caption'
import { requireRowCaption } from '../caption-check'
import { abortedError, asVcapError } from '../errors'
import { forEachAtOnce } from '../pool'
import type { Row, RowSource } from '../rows/rows'
import type { RunEvent } from './events'
import type { Journal } from './journal'
import type { Pace } from './pace'
import type { RowKey } from './row-key'
import type { Tally } from './tally'

/** Rows that may wait for the disk before the next row waits too. */
const undurableRows = 4096

export interface CaptionRowsOptions {
  /** Statuses of failed rows to try again; `all` for each of them. */
  retryFailed: string[]
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
  /** Whether it failed in an earlier run, which stands if it fails again. */
  isRetry: boolean
}

/** The rows that are not in the journal yet, and those to try again. */
export async function* pendingRows(
  source: RowSource,
  journal: Journal,
  retryFailed: string[]
): AsyncGenerator<Pending> {
  journal.restartKeys()
  for await (const row of source.rows()) {
    const key = journal.nextKey(row.input)
    const isDone = journal.has(key)
    const isRetry = isDone && retryFailed.length > 0 && (await isToRetry(journal, key, retryFailed))
    if (!isDone || isRetry) yield { row, key, isRetry }
  }
}

async function isToRetry(journal: Journal, key: RowKey, statuses: string[]): Promise<boolean> {
  const caption = await journal.read(key)
  if (!caption || isCaptioned(caption)) return false
  return statuses.includes('all') || statuses.includes(caption.status)
}

/**
 * Captions the rows that are not done and appends each to the journal, in the order in which they finish. A row is
 * told and counted when its record is on the disk. Throws what ends the run, `aborted` among it; what is in the journal
 * stays.
 */
export async function captionRows(
  source: RowSource,
  journal: Journal,
  captioner: RowCaptioner,
  tally: Tally,
  { retryFailed, signal, lost, grace, emit, pace }: CaptionRowsOptions
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
  /** Rows that are captioned and not on the disk yet. */
  const writing = new Set<Promise<void>>()

  const record = async ({ row, key, isRetry }: Pending, made: RowCaption): Promise<void> => {
    const path = String(row.cells[source.pathColumn])
    const { replica, ...caption } = made // who captioned it is no part of what was captioned
    if (!isRetry || isCaptioned(made)) await journal.append(key, path, caption)
    emit({ type: 'row', index: row.index, path, ...made })
  }
  const caption = async (pending: Pending): Promise<void> => {
    try {
      const made = requireRowCaption(await captioner.captionRow(pending.row.input, drop.signal, recall.signal))
      if (fault) return
      pace.add(made)
      tally.add(pending.key, pending.row.index, made)
      const written: Promise<void> = record(pending, made)
        .catch(fail)
        .finally(() => writing.delete(written))
      writing.add(written)
      // The captioner's next row does not wait for the disk, unless that falls far behind.
      if (writing.size >= undurableRows) await written
    } catch (error) {
      if (!isRecalled(error, recall.signal)) fail(error)
    }
  }
  const isOver = () => fault !== undefined || signal?.aborted === true || lost.aborted
  try {
    if (!isOver()) await forEachAtOnce(until(isOver, pendingRows(source, journal, retryFailed)), window, caption)
  } catch (error) {
    fail(error)
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', stop)
    lost.removeEventListener('abort', lose)
    await journal.flush()
    await Promise.all(writing)
    // A working engine may caption what a lost one failed.
    const revoked = tally.lost.map((key) => journal.revoke(key).catch(fail))
    await journal.flush()
    await Promise.all(revoked)
  }
  if (signal?.aborted) throw abortedError(signal)
  if (lost.aborted) throw lost.reason
  if (fault) throw asVcapError((fault as { error: unknown }).error)
}

/** Whether a row came back because the run is over: its captioner rejects with `aborted`, or the signal's reason. */
function isRecalled(error: unknown, recall: AbortSignal): boolean {
  return recall.aborted && (error === recall.reason || asVcapError(error).code === 'aborted')
}

async function* until<T>(isOver: () => boolean, source: AsyncIterable<T>): AsyncGenerator<T> {
  for await (const item of source) {
    if (isOver()) return
    yield item
  }
}
