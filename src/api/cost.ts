import { setImmediate } from 'node:timers/promises'
import { abortedError, VcapError } from '../errors'
import type { ApiAnswer } from './answer'
import { priceOf, type Price } from './prices'
import type { ApiRequest } from './request'

/** Characters of a token, at least. */
const charactersPerToken = 2
/** Tokens that a prompt has besides: roles, marks. */
const otherTokens = 50

/** The price asked for, else that of the model in the list; undefined where it is in none. */
export function findPrice(model: string, given: [input: number, output: number] | undefined): Price | undefined {
  return given ? { input: given[0], output: given[1] } : priceOf(model)
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
  /** Dollars that were spent before. */
  spent: number
  /** Told of each answer that was paid for, before anybody else. */
  onSpent: (cost: number) => void
}

/** What was set aside for a request. */
export interface Reserve {
  /** It was answered; the cost, where it can be told. */
  pay(usage: ApiAnswer['usage']): number | undefined
  /** It was not answered. Idempotent, and without effect once it was paid. */
  release(): void
}

/** What a run spends: nothing is begun that might exceed it. */
export class Budget {
  readonly #options: BudgetOptions
  #spent: number
  /** Dollars set aside for requests under way, and how many they are. */
  #reserved = 0
  #underWay = 0
  /** Tokens of the largest prompt that was answered; undefined before the first answer. */
  #largestPrompt: number | undefined
  #waiting: (() => void)[] = []

  constructor(options: BudgetOptions) {
    this.#options = options
    this.#spent = options.spent
  }

  get spent(): number {
    return this.#spent
  }

  /**
   * Sets aside what a request may cost, and waits where that depends on what those under way come to. Rejects with
   * `cost_limit` where it would be too much, and with `aborted`.
   */
  async take(request: ApiRequest, signal: AbortSignal): Promise<Reserve> {
    const { price, most } = this.#options
    if (!price || most === undefined) return this.#reserve(0)
    for (;;) {
      if (signal.aborted) throw abortedError(signal)
      const estimate = this.estimate(request)
      // Until an answer says what a prompt really has, one request goes alone.
      const isAlone = this.#largestPrompt !== undefined || this.#underWay === 0
      if (isAlone && this.#spent + this.#reserved + estimate <= most) return this.#reserve(estimate)
      if (this.#underWay === 0) throw await this.#exhausted(estimate, most)
      await this.#change(signal)
    }
  }

  /** Dollars that a request may cost: its prompt as large as the largest so far, and an answer of full length. */
  estimate({ pictures, prompt }: ApiRequest): number {
    const { price, detail, maxTokens } = this.#options
    if (!price) return 0
    const byRule = pictures.reduce((sum, { width, height }) => sum + pictureTokens(width, height, detail, price), 0)
    const guessed = byRule + prompt.length / charactersPerToken + otherTokens
    return costOf(price, { promptTokens: this.#largestPrompt ?? guessed, tokens: maxTokens })
  }

  #reserve(estimate: number): Reserve {
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
      const cost = this.#pay(usage, estimate)
      release()
      return cost
    }
    return { pay, release }
  }

  #pay(usage: ApiAnswer['usage'], estimate: number): number | undefined {
    const { price, onSpent } = this.#options
    if (!price) return undefined
    if (usage) this.#largestPrompt = Math.max(this.#largestPrompt ?? 0, usage.promptTokens)
    // Where the server does not tell, it may have been as much as was feared.
    const cost = usage ? costOf(price, usage) : estimate
    this.#spent += cost
    onSpent(cost)
    return usage ? cost : undefined
  }

  async #exhausted(estimate: number, most: number): Promise<VcapError> {
    await setImmediate() // what was answered last is recorded first
    return new VcapError(
      'cost_limit',
      `${dollars(this.#spent)} are spent and the next caption may cost ${dollars(estimate)}, which is more than the ` +
        `${dollars(most)} that may be. What was captioned is kept: the same command with a higher --max-cost goes on`
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
