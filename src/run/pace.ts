import type { EngineTime, RowCaption, RowCaptioner } from '../caption'
import { requireEngineTime } from '../caption-check'
import type { RunSummary } from './events'

/** What a run's own captioning came to. */
export type PaceSummary = Pick<RunSummary, 'captioningSeconds' | 'tokensMade' | 'engineShare' | 'filledShare'>

/** Of a run in which nothing was left to caption. */
export const noPace: PaceSummary = { captioningSeconds: 0, tokensMade: 0, engineShare: null, filledShare: null }

/** How fast a run captions, and which share of its engines' time it uses. */
export class Pace {
  readonly #captioner: RowCaptioner
  readonly #before: EngineTime | undefined
  readonly #started = performance.now()
  #tokens = 0

  private constructor(captioner: RowCaptioner, before: EngineTime | undefined) {
    this.#captioner = captioner
    this.#before = before
  }

  /** Before the first row. Throws `usage` where the captioner tells its engines' time in another form. */
  static async begin(captioner: RowCaptioner): Promise<Pace> {
    const time = await readEngineTime(captioner)
    return new Pace(captioner, time === undefined ? undefined : requireEngineTime(time))
  }

  add({ usage }: RowCaption): void {
    this.#tokens += usage?.tokens ?? 0
  }

  /** After the last row. */
  async end(): Promise<PaceSummary> {
    const captioningSeconds = (performance.now() - this.#started) / 1000
    const shares = sharesOf(this.#before, await readEngineTime(this.#captioner), captioningSeconds)
    return { captioningSeconds, tokensMade: this.#tokens, ...shares }
  }
}

/** Undefined where the captioner does not tell: this is worth no run. */
async function readEngineTime(captioner: RowCaptioner): Promise<EngineTime | undefined> {
  try {
    return await captioner.engineTime?.()
  } catch {
    return undefined
  }
}

function sharesOf(
  before: EngineTime | undefined,
  after: EngineTime | undefined,
  seconds: number
): Pick<RunSummary, 'engineShare' | 'filledShare'> {
  const unknown = { engineShare: null, filledShare: null }
  if (!before || !after) return unknown
  const busy = after.busy - before.busy
  const filled = after.filled - before.filled
  // An engine that was replaced in between may count anew.
  if (!(busy > 0 && filled >= 0 && seconds > 0)) return unknown
  return { engineShare: Math.min(1, busy / (after.engines * seconds)), filledShare: Math.min(1, filled / busy) }
}
