/** What the engine waited for, as shares of the time since counting began. */
export interface EngineWait {
  /** Share in which it had nothing to do while frames were being decoded. */
  idle: number
  /** Share of its slots that stood empty, on average, while frames were being decoded for them. */
  emptySlots: number
}

/** Counts the captions whose frames are being decoded and those that are with the engine, which has so many slots. */
export class Occupancy {
  readonly #slots: number
  #preparing = 0
  #inside = 0
  #began = performance.now()
  #last = this.#began
  #idle = 0
  #empty = 0

  constructor(slots: number) {
    this.#slots = slots
  }

  /** Starts counting anew. */
  reset(): void {
    this.#began = this.#last = performance.now()
    this.#idle = this.#empty = 0
  }

  /** Runs the decoding of one caption's frames. */
  async preparing<T>(work: () => Promise<T>): Promise<T> {
    this.#change(1, 0)
    try {
      return await work()
    } finally {
      this.#change(-1, 0)
    }
  }

  /** Runs one caption's time with the engine. */
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
    return { idle: this.#idle / total, emptySlots: this.#empty / total }
  }

  #change(preparing: number, inside: number): void {
    const now = performance.now()
    const passed = now - this.#last
    if (this.#inside === 0 && this.#preparing > 0) this.#idle += passed
    this.#empty += (passed * Math.min(this.#preparing, Math.max(0, this.#slots - this.#inside))) / this.#slots
    this.#last = now
    this.#preparing += preparing
    this.#inside += inside
  }
}
