import type { CaptionerInfo, EngineTime, ReplicaState, RowCaption, RowCaptioner, RowInput } from '../caption'
import { abortedError, VcapError } from '../errors'
import { beatMs, type ReplicaLoad } from './protocol'
import { RowQueue, type Job } from './queue'
import { Seat } from './seat'

/** What replicas tell while they work. */
export interface ReplicaEvents {
  /** The share of the model that is loaded, over all of them. */
  onProgress?: ((fraction: number) => void) | undefined
  /** How each of them stands: every second, and when one is ready or lost. */
  onReplicas?: ((replicas: ReplicaState[]) => void) | undefined
  /** What the user should know. */
  onWarning?: ((message: string) => void) | undefined
}

/** Milliseconds after which a replica that gives no sign of life is ended. Starting on several GPUs takes long. */
const defaultSilentMs = 120_000
/** Starts in a row that may fail for each replica, where none works, before all are given up. */
const mostFailedStarts = 5
/** Losses for each replica without an outcome of any row in between, before all are given up. */
const mostLosses = 15
/** Rows handed in for each that replicas have: enough to keep them busy past slow ones. */
const windowFactor = 2

/** Replicas of one model, each in a process of its own, as one captioner. */
export class ReplicaPool implements RowCaptioner {
  #info: CaptionerInfo | undefined
  readonly #seats: Seat[]
  readonly #queue = new RowQueue()
  readonly #on: ReplicaEvents
  readonly #timer: NodeJS.Timeout
  /** Replicas that were lost since a row had an outcome. */
  #lossesInARow = 0
  /** Why no row can be captioned any more. */
  #fault: VcapError | undefined
  /** Called when a replica is ready, or none will be. */
  #notice: () => void = () => undefined

  /** Use `open`. */
  private constructor(
    loads: ReplicaLoad[],
    on: ReplicaEvents,
    private readonly silentMs: number
  ) {
    this.#on = on
    this.#seats = loads.map(
      (load, number) =>
        new Seat(number, load, {
          ready: () => this.#isReady(),
          done: (job, outcome) => this.#done(number, job, outcome),
          lost: (jobs, reason) => this.#lost(number, jobs, reason),
          failed: (reason) => this.#failed(number, reason),
          loading: () => this.#tellProgress()
        })
    )
    this.#timer = setInterval(() => this.#look(), beatMs).unref()
  }

  /**
   * Starts a replica for each of `loads`, side by side, and resolves when they have loaded; those that are lost
   * meanwhile are started again later, as long as one is there. Rejects with what loading a model throws, once.
   */
  static async open(
    loads: ReplicaLoad[],
    on: ReplicaEvents,
    signal?: AbortSignal,
    silentMs = defaultSilentMs
  ): Promise<ReplicaPool> {
    const pool = new ReplicaPool(loads, on, silentMs)
    const stop = () => pool.#giveUp(abortedError(signal!))
    signal?.addEventListener('abort', stop, { once: true })
    try {
      await Promise.all(pool.#seats.map((seat) => seat.start(signal)))
      while (!pool.#fault && !pool.#seats.some(({ isReady }) => isReady)) {
        await new Promise<void>((resolve) => (pool.#notice = resolve))
      }
      if (pool.#fault) throw pool.#fault
      pool.#info = pool.#describe()
      return pool
    } catch (error) {
      await pool.close()
      throw error
    } finally {
      signal?.removeEventListener('abort', stop)
    }
  }

  get info(): CaptionerInfo {
    return this.#info!
  }

  captionRow(row: RowInput, signal: AbortSignal, recall = signal): Promise<RowCaption> {
    if (this.#fault) return Promise.reject(this.#fault)
    if (recall.aborted) return Promise.reject(abortedError(recall))
    return new Promise<RowCaption>((resolve, reject) => {
      const job: Job = { row, signal, recall, losses: [], resolve: settle(resolve), reject: settle(reject) }
      const onAbort = () => {
        this.#queue.remove(job)
        job.reject(abortedError(signal))
      }
      const onRecall = () => {
        if (!this.#queue.has(job)) return
        this.#queue.remove(job)
        job.reject(abortedError(recall))
      }
      function settle<T>(how: (value: T) => void) {
        return (value: T) => {
          signal.removeEventListener('abort', onAbort)
          recall.removeEventListener('abort', onRecall)
          how(value)
        }
      }
      signal.addEventListener('abort', onAbort, { once: true })
      recall.addEventListener('abort', onRecall, { once: true })
      this.#queue.add(job)
      this.#handOut()
    })
  }

  async engineTime(): Promise<EngineTime> {
    const times = this.#seats.map(({ time }) => time)
    const sum = (of: (time: EngineTime) => number) => times.reduce((total, time) => total + of(time), 0)
    return {
      engines: sum(({ engines }) => engines),
      busy: sum(({ busy }) => busy),
      filled: sum(({ filled }) => filled)
    }
  }

  /** Ends every replica and resolves when their processes are gone. */
  async close(): Promise<void> {
    this.#giveUp(new VcapError('closed', 'The captioner is closed'))
    await Promise.all(this.#seats.map((seat) => seat.close()))
  }

  /** Gives rows to the replicas that have most room, and a row that needs one for itself to one that has no other. */
  #handOut(): void {
    while (true) {
      const seats = this.#seats.filter(({ free }) => free > 0).sort((a, b) => b.free - a.free)
      const idle = seats.find(({ underWay }) => underWay.size === 0)
      const alone = idle && this.#queue.takeAlone()
      if (alone) {
        void idle.give(alone, true)
        continue
      }
      const given = seats.some((seat) => {
        const job = this.#queue.takeShared(seat.number, !this.#hasOther(seat.number))
        if (job) void seat.give(job, false)
        return job !== undefined
      })
      if (!given) return
    }
  }

  #hasOther(number: number): boolean {
    return this.#seats.some((seat) => seat.number !== number && seat.isReady)
  }

  #canRetry(number: number, { recall }: Job): boolean {
    return this.#hasOther(number) && !recall.aborted
  }

  #isReady(): void {
    this.#notice()
    this.#tellProgress()
    this.#tell()
    this.#handOut()
  }

  #done(number: number, job: Job, outcome: { caption: RowCaption } | { error: unknown }): void {
    this.#lossesInARow = 0
    if ('error' in outcome) {
      this.#queue.settle(job)
      job.reject(outcome.error)
    } else if (outcome.caption.status === 'engine_error' && job.failedIn === undefined && this.#canRetry(number, job)) {
      // It may be the device's fault rather than the row's.
      job.failedIn = number
      this.#queue.putBack([job])
    } else {
      this.#queue.settle(job)
      job.resolve({ ...outcome.caption, replica: number })
    }
    this.#handOut()
  }

  #lost(number: number, jobs: Job[], reason: string): void {
    if (this.#fault) return
    for (const job of jobs) if (job.recall.aborted) job.reject(abortedError(job.recall))
    const waiting = jobs.filter(({ recall }) => !recall.aborted)
    const guilty = this.#queue.lose(waiting)
    this.#lossesInARow = guilty ? 0 : this.#lossesInARow + 1
    const rows = waiting.length === 1 ? '1 row goes' : `${waiting.length} rows go`
    this.#warn(
      guilty
        ? `Replica ${number} was lost (${reason}), as often before with this row alone, which fails: ${guilty.row.path}`
        : `Replica ${number} was lost (${reason}): it is started again, ${rows} back`
    )
    guilty?.resolve(endsReplicas(reason))
    if (this.#lossesInARow >= mostLosses * this.#seats.length) this.#giveUp(allLost(reason))
    this.#tell()
    this.#handOut()
  }

  #failed(number: number, reason: string): void {
    if (this.#fault) return
    const { failedStarts } = this.#seats[number]!
    if (failedStarts <= 1) this.#warn(`Replica ${number} could not be started (${reason}): it is tried again`)
    const isHopeless = (seat: Seat) => !seat.isReady && seat.failedStarts >= mostFailedStarts
    if (this.#seats.every(isHopeless)) this.#giveUp(allLost(reason))
    this.#tell()
  }

  /** Ends the waiting for all rows, for good. */
  #giveUp(fault: VcapError): void {
    if (this.#fault) return
    this.#fault = fault
    clearInterval(this.#timer)
    for (const job of this.#queue.clear()) job.reject(fault)
    for (const seat of this.#seats) {
      for (const job of seat.underWay) job.reject(fault)
      void seat.close()
    }
    this.#notice()
  }

  #look(): void {
    for (const seat of this.#seats) seat.requireBeat(this.silentMs)
    this.#tell()
  }

  #tell(): void {
    if (!this.#fault) this.#on.onReplicas?.(this.#seats.map(({ state }) => state))
  }

  #warn(message: string): void {
    if (!this.#fault) this.#on.onWarning?.(message)
  }

  #tellProgress(): void {
    if (this.#info) return
    const fractions = this.#seats.map(({ replica, isReady }) => (isReady ? 1 : (replica?.fraction ?? 0)))
    this.#on.onProgress?.(fractions.reduce((sum, fraction) => sum + fraction, 0) / fractions.length)
  }

  /** What they are together; one that is not there yet counts as one that is. */
  #describe(): CaptionerInfo {
    const known = this.#seats.flatMap(({ replica }) => replica?.info ?? [])
    const first = known[0]!
    const infos = this.#seats.map(({ replica }) => replica?.info ?? first)
    const sum = (of: (info: (typeof infos)[number]) => number) => infos.reduce((total, info) => total + of(info), 0)
    return {
      ...first.captioner,
      summary: summary(
        infos.length,
        known.map(({ captioner }) => captioner.summary)
      ),
      warnings: [...new Set(known.flatMap(({ captioner }) => captioner.warnings))],
      window: sum(({ places }) => places) * windowFactor,
      concurrency: sum(({ captioner }) => captioner.concurrency)
    }
  }
}

function summary(count: number, all: string[]): string {
  const different = [...new Set(all)]
  return count === 1 ? different[0]! : `${count} replicas, each ${different.join(' or ')}`
}

function endsReplicas(reason: string): RowCaption {
  const error = `It ends every replica that is to caption it (${reason})`
  return { status: 'engine_error', text: '', numFrames: null, error, usage: null }
}

function allLost(reason: string): VcapError {
  return new VcapError('engine_lost', `No replica can be kept running, the last one ended by: ${reason}`)
}
