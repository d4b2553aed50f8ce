/** The times of a video's frames, in seconds. */
export interface FrameTimes {
  /** In presentation order; NaN where one is not known. */
  times: ArrayLike<number>
  /** Of the container's clock: each time was rounded to a whole number of it. */
  unit: number
  /** How long the last frame is shown, where that is known. */
  lastDuration: number | undefined
}

/** Rates at which cameras and editors make videos, besides the whole numbers. */
const broadcastRates = [24, 30, 48, 60, 120].map((rate) => (rate * 1000) / 1001)
const usualRates = [...broadcastRates, ...Array.from({ length: 240 }, (_, i) => i + 1)]

/**
 * Whether the last frame is shown for as long as the others: what containers say of one frame, or of a field of it, is
 * not exact. One that stays at the end, as of a slide show, is shown for longer.
 */
const isAbout = (duration: number, step: number) => duration >= 0.4 * step && duration <= 1.5 * step

/** How far from a whole number of units a mean distance is one that no rounding has touched. */
const exactness = 1e-4

/**
 * Mean number of frames a second: the frames, by the time for which they are shown. The container's clock may be too
 * coarse for it, as the milliseconds of Matroska for 29.97: the usual rate is then taken that gives every time to
 * within one unit, where there is one. Undefined where the times say nothing.
 */
export function frameRate({ times, unit, lastDuration }: FrameTimes): number | undefined {
  const known = Array.from(times).filter((time) => !Number.isNaN(time))
  const count = known.length
  if (count === 0) return undefined
  const step = count > 1 ? meanStep(known) : 0
  const last = lastDuration !== undefined && !isAbout(lastDuration, step) ? lastDuration : step
  const rate = count / (step * (count - 1) + last)
  if (!Number.isFinite(rate)) return undefined
  const isRounded = Math.abs(step / unit - Math.round(step / unit)) > exactness
  const usual = isRounded && last === step ? usualRate(known, rate, unit) : undefined
  return withoutNoise(usual ?? rate)
}

/** The usual rate near `rate` whose frames all have these times, each rounded to a unit. */
function usualRate(times: number[], rate: number, unit: number): number | undefined {
  const seconds = times.length / rate
  const near = usualRates.filter((usual) => Math.abs(times.length / usual - seconds) <= 2 * unit)
  const spreads = near.map((usual) => ({ usual, spread: spreadOf(times.map((time, i) => time - i / usual)) }))
  const fitting = spreads.filter(({ spread }) => spread <= unit * (1 + exactness)).sort((a, b) => a.spread - b.spread)
  return fitting[0]?.usual
}

function spreadOf(values: number[]): number {
  let [least, most] = [Infinity, -Infinity]
  for (const value of values) {
    least = Math.min(least, value)
    most = Math.max(most, value)
  }
  return most - least
}

/** Without what calculating adds in the last digits. */
const withoutNoise = (value: number) => Number(value.toPrecision(10))

/** Of times that go back, as where recordings were joined, the usual step counts, not the way from first to last. */
function meanStep(times: number[]): number {
  const steps = times.slice(1).map((time, i) => time - times[i]!)
  if (steps.every((step) => step >= 0)) return (times.at(-1)! - times[0]!) / steps.length
  const forward = steps.filter((step) => step > 0).sort((a, b) => a - b)
  return forward[forward.length >> 1] ?? 0
}
