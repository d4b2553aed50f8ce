import { setTimeout as pause } from 'node:timers/promises'
import { abortedError, VcapError } from '../errors'
import { pauseAfter } from '../waiting'

/**
 * Pauses in a row, without an answer between them, after which a server that cannot be reached is given up: fewer where
 * it has not answered at all, since it then may be another than was meant.
 */
const mostPauses = 10
const mostFirstPauses = 5
/** The same for one that limits requests, and the milliseconds that this must have lasted: it asks for patience. */
const mostLimits = 20
const leastLimitedMs = 180_000
/** Pauses in a row that are told. */
const worthTelling = 3
/** Milliseconds that requests under way may take when the gate is closed. */
const drainMs = 10_000

/** A request that was let in. */
export interface Pass {
  /** It is over. A hindrance: the server has enough, or is not there, and all are to wait. */
  leave(outcome: 'answered' | 'failed' | Hindrance): void
}

/** Why a server takes no request now, and the milliseconds after which it asks to come back. */
export interface Hindrance {
  what: 'limits every request' | 'cannot be reached'
  message: string
  afterMs: number | undefined
}

/**
 * How many requests may be under way at once at a server: as many as it bears. Each time it takes none there is a pause
 * for all, and half as many are let in; with each answer it becomes a little more again.
 */
export class Gate {
  readonly #most: number
  readonly #onWarning: (message: string) => void
  #limit: number
  #hasAnswered = false
  /** When the last answer came; before the first, when it began. */
  #answeredAt = performance.now()
  #underWay = 0
  readonly #waiting: (() => void)[] = []
  #opensAt = 0
  #timer: NodeJS.Timeout | undefined
  /** Pauses since an answer came, and when the last one began. */
  #pauses = 0
  #pausedAt = 0
  #fault: VcapError | undefined
  #isClosed = false

  constructor(most: number, onWarning: (message: string) => void) {
    this.#most = most
    this.#onWarning = onWarning
    this.#limit = most
  }

  /** Rejects with `aborted`, and with what the gate was closed with. */
  async enter(signal: AbortSignal): Promise<Pass> {
    await this.#turn(signal)
    const began = performance.now()
    let isOver = false
    return {
      leave: (outcome) => {
        if (isOver) return
        isOver = true
        this.#underWay--
        if (outcome === 'answered') this.#widen()
        else if (outcome !== 'failed') this.#narrow(began, outcome)
        this.#letIn()
      }
    }
  }

  /** Nobody is let in any more. Resolves when those inside have left, or have taken too long. */
  async close(fault: VcapError): Promise<void> {
    this.#fault ??= fault
    const until = performance.now() + drainMs
    while (this.#underWay > 0 && performance.now() < until) await pause(20)
    // What the last of them answered is recorded before the run hears of its end.
    await pause(0)
    this.#isClosed = true
    for (const settle of this.#waiting.splice(0)) settle()
  }

  #turn(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(abortedError(signal))
    if (this.#isClosed) return Promise.reject(this.#fault)
    return new Promise((resolve, reject) => {
      const settle = () => {
        signal.removeEventListener('abort', giveUp)
        if (this.#fault) {
          reject(this.#fault)
        } else {
          this.#underWay++
          resolve()
        }
      }
      const giveUp = () => {
        this.#waiting.splice(this.#waiting.indexOf(settle), 1)
        reject(abortedError(signal))
      }
      signal.addEventListener('abort', giveUp, { once: true })
      this.#waiting.push(settle)
      this.#letIn()
    })
  }

  #letIn(): void {
    if (this.#fault) return
    const wait = this.#opensAt - performance.now()
    if (wait > 0) {
      clearTimeout(this.#timer)
      if (this.#waiting.length > 0) this.#timer = setTimeout(() => this.#letIn(), Math.ceil(wait))
      return
    }
    while (this.#waiting.length > 0 && this.#underWay < Math.floor(this.#limit)) this.#waiting.shift()!()
  }

  #widen(): void {
    this.#pauses = 0
    this.#hasAnswered = true
    this.#answeredAt = performance.now()
    this.#limit = Math.min(this.#most, this.#limit + 1 / this.#limit)
  }

  #narrow(began: number, { what, message, afterMs }: Hindrance): void {
    const now = performance.now()
    // Requests that were under way together are hindered together: that is one time.
    if (began >= this.#pausedAt) {
      this.#pausedAt = now
      this.#pauses++
      this.#limit = Math.max(1, this.#limit / 2)
      if (this.#pauses === worthTelling) this.#onWarning(`The server ${what} (${message}): waiting, and trying again`)
    }
    this.#opensAt = Math.max(this.#opensAt, now + pauseAfter(this.#pauses, afterMs))
    if (!this.#isTooMuch(what, now)) return
    const text = `The server ${what}, ${this.#pauses} times in a row: ${message}. The same command goes on`
    void this.close(new VcapError('engine_lost', text))
  }

  #isTooMuch(what: Hindrance['what'], now: number): boolean {
    if (what === 'cannot be reached') return this.#pauses > (this.#hasAnswered ? mostPauses : mostFirstPauses)
    return this.#pauses > mostLimits && now - this.#answeredAt > leastLimitedMs
  }
}
