/** Pseudo-random numbers by the generator mulberry32. The same seed gives the same numbers on every machine. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** A number from `low` inclusive to `high` exclusive. */
  between(low: number, high: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return low + (((mixed ^ (mixed >>> 14)) >>> 0) / 0x100000000) * (high - low)
  }

  /** One of `items`, each with the same probability. */
  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.between(0, items.length))]!
  }
}
