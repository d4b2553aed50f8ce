import type { EngineTime, ReplicaState, RowCaption } from '../caption'
import { ChildLost } from '../child'
import { asVcapError, exitCodes, type VcapError } from '../errors'
import type { ReplicaLoad } from './protocol'
import type { Job } from './queue'
import { Replica, ReplicaLost } from './replica'

/** What a seat tells the pool. */
export interface SeatEvents {
  /** It is ready for rows. */
  ready: () => void
  /** A row has an outcome that is no loss: a caption, or what ends the run. */
  done: (job: Job, outcome: { caption: RowCaption } | { error: unknown }) => void
  /** Its process is gone, with these rows under way. */
  lost: (jobs: Job[], reason: string) => void
  /** Its process did not come as far as to be ready. */
  failed: (reason: string) => void
  /** It has loaded more of the model. */
  loading: () => void
}

/** Milliseconds of the first pause before a process is started again, and of the longest one. */
const firstPauseMs = 250
const longestPauseMs = 30_000

/** A start that somebody ended from outside says less of whether it would have succeeded. */
const killedStart = 1 / 3

/** A replica's place: one process after the other, each started when the one before was lost. */
export class Seat {
  replica: Replica | undefined
  readonly underWay = new Set<Job>()
  /** True while it works on a row that must have it for itself. */
  isAlone = false
  /** Processes in a row that did not come as far as to be ready; one that was killed counts as a part of one. */
  failedStarts = 0
  /** Processes in a row that were lost without an outcome of any row. */
  #failures = 0
  /** Rows in a row that ended in the engine's error. */
  #errorsInARow = 0
  #done = 0
  #doneBefore = 0
  #readySince = 0
  #losses = 0
  /** What the engines of processes that are gone had done. */
  #timeBefore = { busy: 0, filled: 0 }
  #timer: NodeJS.Timeout | undefined
  #closed = false
  /** Resolves when the processes that were lost or let go are gone. */
  #gone: Promise<unknown> = Promise.resolve()

  constructor(
    readonly number: number,
    private readonly load: ReplicaLoad,
    private readonly on: SeatEvents
  ) {}

  get isReady(): boolean {
    return this.replica?.info !== undefined
  }

  /** Rows that it could take now. */
  get free(): number {
    if (!this.replica?.info || this.isAlone) return 0
    return this.replica.info.places - this.underWay.size
  }

  get state(): ReplicaState {
    const { replica } = this
    const seconds = (performance.now() - this.#readySince) / 1000
    return {
      replica: this.number,
      state: this.isReady ? 'ready' : replica ? 'loading' : 'lost',
      pid: replica?.pid ?? null,
      devices: [...this.load.set.devices, ...this.load.set.rpc],
      rows: this.underWay.size,
      done: this.#done,
      rate: this.isReady ? (this.#done - this.#doneBefore) / Math.max(1, seconds) : 0,
      memory: replica?.memory ?? 0,
      losses: this.#losses
    }
  }

  /** What its engines have done, those of processes that are gone among them, up to a second ago. */
  get time(): EngineTime {
    const { busy = 0, filled = 0 } = this.replica?.time ?? {}
    return { engines: 1, busy: this.#timeBefore.busy + busy, filled: this.#timeBefore.filled + filled }
  }

  /**
   * Starts its process; resolves when that is ready or lost. Rejects with what no second try would mend, which is what
   * the user asked for wrongly, and with `aborted`.
   */
  async start(signal?: AbortSignal): Promise<void> {
    let replica: Replica | undefined
    try {
      replica = this.replica = new Replica(this.load, this.on.loading)
      await replica.open(signal)
    } catch (error) {
      this.#leaveProcess(replica)
      if (this.#closed) return
      const known = asVcapError(error)
      const isLost = error instanceof ReplicaLost || error instanceof ChildLost
      if (!isLost && (known.exitCode === exitCodes.usage || known.code === 'aborted')) throw known
      this.#fail(known.message)
      return
    }
    this.failedStarts = 0
    this.#readySince = performance.now()
    this.#doneBefore = this.#done
    this.on.ready()
  }

  /** Hands it a row. */
  async give(job: Job, alone: boolean): Promise<void> {
    const replica = this.replica!
    this.isAlone = alone
    this.underWay.add(job)
    try {
      const caption = await replica.caption(job.row, job.signal)
      if (this.replica !== replica) return // it is lost, and another one has the row
      this.#leave(job)
      this.#count(caption)
      this.on.done(job, { caption })
    } catch (error) {
      if (error instanceof ReplicaLost) return this.#lose(replica, error.message)
      if (this.replica !== replica) return
      this.#leave(job)
      this.on.done(job, { error })
    }
  }

  /** Ends a process that gives no sign of life. */
  requireBeat(silentMs: number): void {
    this.replica?.requireBeat(silentMs)
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.replica?.stop()
    await this.#gone
  }

  #leaveProcess(replica: Replica | undefined): void {
    const { busy, filled } = this.time
    this.#timeBefore = { busy, filled }
    this.replica = undefined
    if (replica) this.#gone = Promise.all([this.#gone, replica.stop()])
  }

  #leave(job: Job): void {
    this.underWay.delete(job)
    if (this.underWay.size === 0) this.isAlone = false
  }

  #count({ status, error }: RowCaption): void {
    this.#done++
    this.#failures = 0
    this.#errorsInARow = status === 'engine_error' ? this.#errorsInARow + 1 : 0
    const { replica } = this
    if (!replica?.info || this.#errorsInARow <= replica.info.captioner.concurrency) return
    this.#lose(replica, `it fails on every row: ${error}`)
  }

  /** Once for each process: all its rows are told of its loss. */
  #lose(replica: Replica, reason: string): void {
    if (this.replica !== replica) return
    this.#leaveProcess(replica)
    this.isAlone = false
    this.#errorsInARow = 0
    const jobs = [...this.underWay]
    this.underWay.clear()
    this.#losses++
    this.#restartLater()
    this.on.lost(jobs, reason)
  }

  #fail(reason: string): void {
    this.failedStarts += reason === 'SIGKILL' ? killedStart : 1
    this.#restartLater()
    this.on.failed(reason)
  }

  /** At once where the last process had done rows, else the later the more were in vain. */
  #restartLater(): void {
    if (this.#closed) return
    const pause = this.#failures === 0 ? 0 : Math.min(longestPauseMs, firstPauseMs * 2 ** (this.#failures - 1))
    this.#failures++
    this.#timer = setTimeout(() => {
      this.start().catch((error) => this.#fail((error as VcapError).message))
    }, pause)
  }
}
