import { abortedError, VcapError } from '../errors'
import { pauseAfter, waitFor } from '../waiting'
import { readAnswer, refused, type ApiAnswer } from './answer'
import type { Budget } from './cost'
import { faultOf, type Fault } from './fault'
import type { Gate, Hindrance, Pass } from './gate'
import { loadOpenai, type OpenaiClient } from './openai'
import type { ApiRequest, Dialect, RequestBody } from './request'
import { runError } from './run-error'

/** Times that one request is tried before its row is given up, and how many of them a late answer counts as. */
const mostTries = 6
const lateTries = 2

/** An answer and what it cost, where that is known. */
export interface PaidAnswer {
  answer: ApiAnswer
  cost: number | undefined
}

export interface AskSignals {
  /** Drops the request whatever its state. */
  signal: AbortSignal
  /** Takes it back while it waits. */
  recall: AbortSignal
}

export interface AskerParts {
  client: OpenaiClient
  /** The server and its model, for messages. */
  model: string
  baseUrl: string
  hasKey: boolean
  gate: Gate
  dialect: Dialect
  budget: Budget
}

/** Asks a server, again where that may help: the one place where requests are tried anew. */
export class Asker {
  readonly #parts: AskerParts
  /** Answers so far: a key that was refused after one has expired. */
  #answers = 0

  constructor(parts: AskerParts) {
    this.#parts = parts
  }

  /**
   * Rejects with `engine_error` and `context_overflow` where this request cannot be answered, with `aborted`, and with
   * what ends the run: `key_refused`, `key_expired`, `quota_exhausted`, `model_not_found`, `usage`, `engine_lost`,
   * `cost_limit`.
   */
  async ask(request: ApiRequest, { signal, recall }: AskSignals): Promise<PaidAnswer> {
    const reserve = await this.#parts.budget.take(request, recall)
    try {
      const answer = await this.#askUntil(request, { signal, recall })
      return { answer, cost: reserve.pay(answer.usage) }
    } finally {
      reserve.release()
    }
  }

  async #askUntil(request: ApiRequest, signals: AskSignals): Promise<ApiAnswer> {
    const { dialect, gate } = this.#parts
    let failures = 0
    for (let tries = 0; ; ) {
      const body = dialect.body(request)
      const pass = await gate.enter(signals.recall)
      try {
        const answer = await this.#askOnce(body, signals.signal)
        pass.leave('answered')
        return answer
      } catch (error) {
        const isAdapted = this.#isAdapted(body, error)
        const fault = faultOf(error)
        if (fault.kind === 'run') throw await this.#endRun(fault, pass)
        pass.leave(hindranceOf(fault) ?? 'failed')
        if (signals.signal.aborted) throw abortedError(signals.signal)
        if (isAdapted || fault.kind === 'limited' || fault.kind === 'unreachable') continue
        if (fault.kind === 'refusal') return refused(`The server refused: ${fault.message}`, null)
        if (fault.kind === 'row') throw new VcapError(fault.code, `The server refused it: ${fault.message}`)
        failures++
        tries += fault.isLate ? lateTries : 1
        if (tries >= mostTries) {
          throw new VcapError('engine_error', `The server failed ${failures} times, at last with: ${fault.message}`)
        }
        await waitFor(pauseAfter(failures, fault.afterMs), signals.recall)
      }
    }
  }

  async #askOnce(body: RequestBody, signal: AbortSignal): Promise<ApiAnswer> {
    const answer = readAnswer(await this.#parts.client.chat.completions.create(body, { signal }))
    this.#answers++
    return answer
  }

  #isAdapted(body: RequestBody, error: unknown): boolean {
    if (!(error instanceof loadOpenai().APIError) || error.status === undefined) return false
    const { status, param, message } = error
    return this.#parts.dialect.adapt(body, { status, param: String(param ?? ''), message })
  }

  /** What ends the run. Nobody is let in any more; those under way may finish, since they are paid for. */
  async #endRun(fault: Fault & { kind: 'run' }, pass: Pass): Promise<VcapError> {
    const { model, baseUrl, hasKey } = this.#parts
    const error = runError(fault, { model, baseUrl, hasKey, hasAnswered: this.#answers > 0 })
    const closed = this.#parts.gate.close(error)
    pass.leave('failed')
    await closed
    return error
  }
}

/** What hinders all requests; undefined where it is this one's alone. */
function hindranceOf(fault: Fault): Hindrance | undefined {
  const { kind, message } = fault
  if (kind === 'limited') return { what: 'limits every request', message, afterMs: fault.afterMs }
  return kind === 'unreachable' ? { what: 'cannot be reached', message, afterMs: undefined } : undefined
}
