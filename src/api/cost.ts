import { setImmediate } from 'node:timers/promises'
import { abortedError, VcapError } from '../errors'
import type { ApiAnswer } from './answer'
import { priceOf, type Price } from './prices'
import type { ApiRequest } from './request'
import type { Spending } from './spending'

/** Characters of a token, at least. */
const charactersPerToken = 2
/** Tokens that a prompt has besides: roles, marks. */
const otherTokens = 50

/** The price asked for, else that of the model in the list; undefined where it is in none. */
export function findPrice(model: string, given: [input: number, output: number] | undefined): Price | undefined {
  return given ? { input: given[0], output: given[1] } : priceOf(model)
}

/** What the same costs in a batch. */
export function halved(price: Price | undefined): Price | undefined {
  return price && { ...price, input: price.input / 2, output: price.output / 2 }
}

/** Dollars that so many tokens cost. */
export function costOf({ input, output }: Price, { promptTokens, tokens }: NonNullable<ApiAnswer['usage']>): number {
  // A millionth of a millionth is no money, and digits that no float has are none either.
  return Math.round(promptTokens * input * 1e6 + tokens * output * 1e6) / 1e12
}

/** Tokens that a picture is, at most by the rules that providers publish. */
function pictureTokens(width: number, height: number, detail: string, { pictures = 1 }: Price): number {
  if (detail === 'low') return 85 * pictures
  const shrunk = Math.min(1, 2048 / Math.max(width, height))
  const scale = Math.min(shrunk, 768 / Math.min(width, height))
  const tiles = Math.ceil((width * scale) / 512) * Math.ceil((height * scale) / 512)
  return (85 + 170 * tiles) * pictures
}

export interface BudgetOptions {
  /** Undefined where nobody knows. */
  price: Price | undefined
  /** Dollars; undefined for no limit. */
  most: number | undefined
  detail: string
  maxTokens: number
  /** What was spent before, and where each further cost is recorded before anybody else is told. */
  spending: Spending
  /** Until an answer says what a prompt really has, one request goes alone. */
  startsAlone: boolean
}

/** What was set aside for a request. */
export interface Reserve {
  /** Dollars. */
  readonly estimate: number
  /** It was answered; the cost, where it can be told. */
  pay(usage: ApiAnswer['usage']): number | undefined
  /** It was not answered. Idempotent, and without effect once it was paid. */
  release(): void
}

/** What a run spends: nothing is begun that might exceed it. */
export class Budget {
  readonly #options: BudgetOptions
  /** Dollars set aside for requests under way, and how many they are. */
  #reserved = 0
  #underWay = 0
  /** Tokens of the largest prompt that was answered; undefined before the first answer. */
  #largestPrompt: number | undefined
  #waiting: (() => void)[] = []

  constructor(options: BudgetOptions) {
    this.#options = options
  }

  /**
   * Sets aside what a request may cost, and waits where that depends on what those under way come to. Rejects with
   * `cost_limit` where it would be too much, and with `aborted`.
   */
  async take(request: ApiRequest, signal: AbortSignal): Promise<Reserve> {
    for (;;) {
      if (signal.aborted) throw abortedError(signal)
      const reserve = this.tryTake(request)
      if (reserve) return reserve
      if (this.#underWay === 0) throw await this.#exhausted(this.#estimate(request))
      await this.#change(signal)
    }
  }

  /** As `take`; undefined where it has to wait, or is too much. */
  tryTake(request: ApiRequest): Reserve | undefined {
    const { price, most, spending, startsAlone } = this.#options
    if (!price || most === undefined) return this.hold(0)
    const estimate = this.#estimate(request)
    const mayStart = !startsAlone || this.#largestPrompt !== undefined || this.#underWay === 0
    return mayStart && spending.total + this.#reserved + estimate <= most ? this.hold(estimate) : undefined
  }

  /** Dollars that a request may cost: its prompt as large as the largest so far, and an answer of full length. */
  #estimate({ pictures, prompt }: ApiRequest): number {
    const { price, detail, maxTokens } = this.#options
    if (!price) return 0
    const byRule = pictures.reduce((sum, { width, height }) => sum + pictureTokens(width, height, detail, price), 0)
    const guessed = byRule + prompt.length / charactersPerToken + otherTokens
    return costOf(price, { promptTokens: this.#largestPrompt ?? guessed, tokens: maxTokens })
  }

  /** Sets so many dollars aside, whether they are there or not. */
  hold(estimate: number): Reserve {
    this.#reserved += estimate
    this.#underWay++
    let isOpen = true
    const release = () => {
      if (!isOpen) return
      isOpen = false
      this.#reserved -= estimate
      this.#underWay--
      for (const wake of this.#waiting.splice(0)) wake()
    }
    const pay = (usage: ApiAnswer['usage']) => {
      const { cost, paid } = this.charge(usage, estimate)
      this.record(paid)
      release()
      return cost
    }
    return { estimate, pay, release }
  }

  /** What an answer cost, where it can be told, and what is to be recorded for it: where not, all that was feared. */
  charge(usage: ApiAnswer['usage'], estimate: number): { cost: number | undefined; paid: number } {
    const { price } = this.#options
    if (!price) return { cost: undefined, paid: 0 }
    if (!usage) return { cost: undefined, paid: estimate }
    this.#largestPrompt = Math.max(this.#largestPrompt ?? 0, usage.promptTokens)
    const cost = costOf(price, usage)
    return { cost, paid: cost }
  }

  /** Dollars that were spent; those with a mark once, however often they are recorded. */
  record(paid: number, mark?: string): void {
    if (paid > 0) this.#options.spending.add(paid, mark)
  }

  async #exhausted(estimate: number): Promise<VcapError> {
    await setImmediate() // what was answered last is recorded first
    const { spending } = this.#options
    const most = dollars(this.#options.most!)
    return new VcapError(
      'cost_limit',
      `${dollars(spending.total)} are spent and the next caption may cost ${dollars(estimate)}: more than ${most}, ` +
        'which it may be in all. What was captioned is kept: the same command with a higher --max-cost goes on'
    )
  }

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        signal.removeEventListener('abort', wake)
        resolve()
      }
      signal.addEventListener('abort', wake, { once: true })
      this.#waiting.push(wake)
    })
  }
}

/** An amount with as many digits as tell something. */
export function dollars(amount: number): string {
  if (amount === 0) return '$0'
  const digits = amount >= 1 ? 2 : Math.min(8, 2 - Math.floor(Math.log10(amount)))
  return `$${amount.toFixed(digits)}`
}
