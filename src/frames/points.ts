import type { FrameSettings } from '../options'

/** How many frames are sampled, or how many a second. */
export type PointSettings = Pick<FrameSettings, 'numFrames' | 'fps'>

/**
 * The frames that are sampled of a video of so many, in presentation order; of a short one some more than once. Up to
 * three stand at Open-Sora's points: .5; .25 and .75; .1, .5 and .9 of the length. More are spread evenly from the
 * first frame to the last, as LLaVA-NeXT's video scripts do it. With `fps` so many a second from the first one on, and
 * where those are more than `numFrames`, or nobody knows the video's `rate` in frames a second, `numFrames` spread
 * evenly.
 */
export function sampledIndices(length: number, settings: PointSettings, rate: number | undefined): number[] {
  const { numFrames, fps } = settings
  if (fps !== undefined && rate !== undefined) {
    const step = Math.max(1, roundHalfToEven(rate / fps))
    if (Math.ceil(length / step) <= numFrames) {
      return Array.from({ length: Math.ceil(length / step) }, (_, i) => i * step)
    }
    return evenly(length, numFrames)
  }
  if (fps !== undefined || numFrames > 3) return evenly(length, numFrames)
  const points = numFrames === 3 ? [0.1, 0.5, 0.9] : Array.from({ length: numFrames }, (_, i) => (i + 0.5) / numFrames)
  return points.map((point) => Math.trunc(point * length))
}

/** numpy's linspace(0, length - 1, count, dtype=int). */
function evenly(length: number, count: number): number[] {
  const step = (length - 1) / (count - 1)
  return Array.from({ length: count }, (_, i) => (i > 0 && i === count - 1 ? length - 1 : Math.floor(i * step) || 0))
}

/** As Python rounds. */
function roundHalfToEven(value: number): number {
  const below = Math.floor(value)
  if (value - below !== 0.5) return Math.round(value)
  return below % 2 === 0 ? below : below + 1
}
