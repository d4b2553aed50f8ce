import type { RowCaption, RowCaptioner, RowInput } from '../caption'
import { requireRowCaption } from '../caption-check'
import { flagged } from '../checks/flags'
import type { Row } from '../rows/rows'
import type { Pace } from './pace'
import { betterOf, isFlaggedToRetry, type RetryOptions } from './retry'
import type { RowKey } from './row-key'
import type { Tally } from './tally'

/** What ends a caption under way, and what takes back a row that is not begun. */
interface AnswerSignals {
  drop: AbortSignal
  recall: AbortSignal
}

/** What a captioner answers to the rows of a run, flagged and counted. */
export class Answers {
  readonly #tally: Tally
  readonly #pace: Pace
  readonly #retry: RetryOptions

  constructor(
    private readonly captioner: RowCaptioner,
    { tally, pace, retry }: { tally: Tally; pace: Pace; retry: RetryOptions }
  ) {
    this.#tally = tally
    this.#pace = pace
    this.#retry = retry
  }

  /** Whether a row is to be asked for once more. */
  isToRetry(caption: RowCaption | undefined): boolean {
    return caption !== undefined && isFlaggedToRetry(caption, this.#retry)
  }

  /**
   * `captions`: those of several that are wanted. Rejects with what ends the run; `usage` for what is no caption.
   */
  async ask(
    { input }: Row,
    { drop, recall }: AnswerSignals,
    { attempt, captions }: Pick<RowInput, 'attempt' | 'captions'> = {}
  ): Promise<RowCaption> {
    const asked = { ...input, ...(attempt !== undefined && { attempt }), ...(captions && { captions }) }
    const made = requireRowCaption(await this.captioner.captionRow(asked, drop, recall))
    this.#pace.add(made)
    return flagged(made)
  }

  /**
   * What stands of a row's answers, of which the second is undefined where none was asked for. Counts it; throws as
   * `Tally` does. An engine's error leaves the first as it is, for another run to ask again.
   */
  settle(key: RowKey, { index }: Row, first: RowCaption, second: RowCaption | undefined): RowCaption {
    if (second?.status === 'engine_error') {
      this.#tally.addFault(index, second)
      return first
    }
    const made = second ? betterOf(first, second, this.#retry) : first
    this.#tally.add(key, index, made)
    return made
  }
}
