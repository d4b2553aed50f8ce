import { dollars } from '../api/cost'
import type { BatchState, RowStatus } from '../caption'
import type { RowEvent, RunSummary, ShardEvent } from '../run/events'
import { duration } from './duration'

/*
 * What is told of a run in words, a line each.
 */

/** Share of the engine's time below which it is said what would help, where a run took so many seconds. */
const lowShare = 0.8
const secondsWorthAdvice = 30

export function resumedLine(rows: number): string {
  return `Going on: ${rows} ${rows === 1 ? 'row is' : 'rows are'} done`
}

export function shardLine({ index, count, from, rows, tableRows, output }: ShardEvent): string {
  const which = `Shard ${index} of ${count}${from === null ? '' : ` (${from})`}`
  return oneLine(`${which}: ${thousands(rows)} of ${thousands(tableRows)} rows: ${output}`)
}

export function stoppingLine(grace: number): string {
  return `Stopping: no row is begun any more, those under way may take ${duration(grace)}; once more ends it at once`
}

export function batchLine({ part, batch, state, rows, done, failed }: BatchState): string {
  const failures = failed > 0 ? `, ${failed} failed` : ''
  return `batch ${part} (${batch}): ${state}, ${done} of ${rows} rows${failures}`
}

export function failureLine({ path, status, error }: RowEvent): string {
  return oneLine(`${path || '(no path)'}: ${status}: ${error ?? 'the model answered nothing'}`)
}

export function leftOutLine(status: RowStatus, told: number): string {
  return `More than ${told} rows are ${status}: from here on they are only counted; the output has each with its error`
}

/** What a run came to. `concurrency`: captions at once of its captioner. */
export function summaryLines(summary: RunSummary, concurrency: number | undefined): string[] {
  const { rows, statuses, failed, captioned, seconds, output, already, cost } = summary
  const counts = countsOf(statuses)
  const what = `${rows - failed} of ${rows} rows captioned${counts ? ` (${counts})` : ''}`
  if (already) return [`This run was finished before: ${what}: ${output}. --restart begins anew`]
  const rate = (captioned / Math.max(seconds, 0.001)).toFixed(1)
  return [
    `${what} in ${duration(seconds)}, ${rate}/s: ${output}`,
    ...flagLines(summary),
    ...sidecarLines(summary),
    ...(captioned > 0 ? [engineLine(summary, concurrency)] : []),
    ...(cost === null ? [] : [`cost: ${dollars(cost)} for all rows together`])
  ]
}

function sidecarLines({ sidecars }: RunSummary): string[] {
  if (!sidecars) return []
  const { written, kept, failed } = sidecars
  const rest = [...(kept > 0 ? [`${kept} kept as they were`] : []), ...(failed > 0 ? [`${failed} failed`] : [])]
  return [[`${written} ${written === 1 ? 'sidecar' : 'sidecars'} written`, ...rest].join(', ')]
}

/** What is to be said of the captions, and what was done about it; none where there is nothing to tell. */
function flagLines({ flags, retried, replaced, edited }: RunSummary): string[] {
  const told = [
    ...(Object.keys(flags).length > 0 ? [`flagged: ${countsOf(flags)}`] : []),
    ...(retried > 0 ? [`${retried} asked for once more, ${replaced} of them replaced`] : []),
    ...(edited > 0 ? [`${edited} edited`] : [])
  ]
  return told.length > 0 ? [told.join('; ')] : []
}

export function countsOf(counts: Record<string, number>): string {
  return Object.entries(counts)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ')
}

/** How much of the engine's time the run used, and what to do about it. */
function engineLine(
  { tokensMade, captioningSeconds, engineShare, filledShare }: RunSummary,
  concurrency: number | undefined
): string {
  const speed = `${tokensMade} tokens, ${(tokensMade / Math.max(captioningSeconds, 0.001)).toFixed(1)}/s`
  if (engineShare === null || filledShare === null) return speed
  const atOnce = concurrency
    ? `, with work for ${(filledShare * concurrency).toFixed(1)} of ${concurrency} captions`
    : ''
  const busy = `${speed}; the engine was busy ${percent(engineShare)} of the time${atOnce}`
  if (engineShare * filledShare >= lowShare || captioningSeconds < secondsWorthAdvice) return busy
  return `${busy}; otherwise it waited for frames: more of --decoders, or of processors, would help (docs/running.md)`
}

export function thousands(count: number): string {
  return count.toLocaleString('en-US')
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}

/** Control characters, which a path may have, as escapes: they would break the line, or steer the terminal. */
export function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`)
}
