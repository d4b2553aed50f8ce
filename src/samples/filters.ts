import type { MediaFacts } from '../frames/probe'
import type { SamplesSettings } from '../options'
import { durationOf } from './columns'

/** Why a file is left out of a table. */
export type DropReason = 'unreadable' | 'minFrames' | 'minSide' | 'maxSeconds'

export type FilterSettings = Pick<SamplesSettings, 'minFrames' | 'minSide' | 'maxSeconds'>

/** Whether any file may be left out for what it is. */
export function hasFilters({ minFrames, minSide, maxSeconds }: FilterSettings): boolean {
  return minFrames !== undefined || minSide !== undefined || maxSeconds !== undefined
}

/**
 * Why a file cannot be used: the first of the reasons, so that each file counts once; undefined where it can. `facts`
 * are undefined where it could not be read. What is not known of it is no reason.
 */
export function dropReason(facts: MediaFacts | undefined, settings: FilterSettings): DropReason | undefined {
  const { minFrames = 0, minSide = 0, maxSeconds = Infinity } = settings
  if (!hasFilters(settings)) return undefined
  if (!facts) return 'unreadable'
  if (facts.length < minFrames) return 'minFrames'
  if (Math.min(facts.width, facts.height) < minSide) return 'minSide'
  return (durationOf(facts) ?? 0) > maxSeconds ? 'maxSeconds' : undefined
}
