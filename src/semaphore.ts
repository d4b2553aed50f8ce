import { abortedError } from './errors'

interface Waiting {
  count: number
  start: () => void
}

/** Hands out at most `permits` permits at once, to calls or for bytes; who waits gets them in the order they came. */
export class Semaphore {
  readonly #permits: number
  #free: number
  readonly #waiting: Waiting[] = []

  constructor(permits: number) {
    this.#permits = permits
    this.#free = permits
  }

  /** Waits for a permit, runs `work`, gives the permit back. Rejects with `aborted` if the signal comes first. */
  async run<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const giveBack = await this.take(signal)
    try {
      return await work()
    } finally {
      giveBack()
    }
  }

  /**
   * Waits for `count` permits and resolves to what gives them back, once however often it is called. More than there
   * are counts as all of them: what is too large passes alone. Rejects with `aborted` if the signal comes first.
   */
  take(signal: AbortSignal | undefined, count = 1): Promise<() => void> {
    if (signal?.aborted) return Promise.reject(abortedError(signal))
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        count: Math.min(count, this.#permits),
        start: () => {
          signal?.removeEventListener('abort', giveUp)
          let taken = waiting.count
          resolve(() => {
            this.#free += taken
            taken = 0
            this.#startNext()
          })
        }
      }
      const giveUp = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1)
        reject(abortedError(signal!))
        this.#startNext() // those behind it may need less
      }
      signal?.addEventListener('abort', giveUp, { once: true })
      this.#waiting.push(waiting)
      this.#startNext()
    })
  }

  #startNext(): void {
    for (let next = this.#waiting[0]; next && next.count <= this.#free; next = this.#waiting[0]) {
      this.#waiting.shift()
      this.#free -= next.count
      next.start()
    }
  }
}
