/** What the engine waited for, as shares of the time since counting began. */
export interface EngineWait {
  /** Nothing to do while frames were being decoded or cut. */
  idle: number
  /** Mean share of its places that stood empty while frames were being decoded or cut for them. */
  emptyPlaces: number
}

/** Counts who is on the way to the engine and who is in it. */
export class Occupancy {
  readonly #places: number
  #preparing = 0
  #inside = 0
  #began = performance.now()
  #last = this.#began
  #idle = 0
  #empty = 0

  constructor(places: number) {
    this.#places = places
  }

  /** Starts counting anew. */
  reset(): void {
    this.#began = this.#last = performance.now()
    this.#idle = this.#empty = 0
  }

  /** Runs what makes frames and tiles. */
  async preparing<T>(work: () => Promise<T>): Promise<T> {
    this.#change(1, 0)
    try {
      return await work()
    } finally {
      this.#change(-1, 0)
    }
  }

  /** Runs what the engine does. */
  async inside<T>(work: () => Promise<T>): Promise<T> {
    this.#change(0, 1)
    try {
      return await work()
    } finally {
      this.#change(0, -1)
    }
  }

  get wait(): EngineWait {
    this.#change(0, 0)
    const total = Math.max(this.#last - this.#began, 1e-9)
    return { idle: this.#idle / total, emptyPlaces: this.#empty / total }
  }

  #change(preparing: number, inside: number): void {
    const now = performance.now()
    const passed = now - this.#last
    if (this.#inside === 0 && this.#preparing > 0) this.#idle += passed
    this.#empty += (passed * Math.min(this.#preparing, Math.max(0, this.#places - this.#inside))) / this.#places
    this.#last = now
    this.#preparing += preparing
    this.#inside += inside
  }
}
