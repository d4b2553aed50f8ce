import type { RowCaption, RowInput } from '../caption'

/** A replica that was lost, and the rows that it had then and that have not been captioned since. */
export interface Loss {
  suspects: Set<Job>
  /** Whether it had one row alone. */
  isAlone: boolean
}

/** A row on its way to a caption. */
export interface Job {
  row: RowInput
  signal: AbortSignal
  /** Aborted when it is not to be begun any more. */
  recall: AbortSignal
  resolve: (caption: RowCaption) => void
  reject: (error: unknown) => void
  /** Of replicas that had it. */
  losses: Loss[]
  /** The replica that failed it, where another one is to try. */
  failedIn?: number
}

/** A row in whose company so many replicas were lost goes on without company. */
const lossesInCompany = 2
/** Replicas that a row may end which it has for itself. */
const mostAlone = 3
/** The same where something else ends replicas too. */
const mostAtAll = 6

/** The rows that wait for a replica, and what is held against them. */
export class RowQueue {
  #shared: Job[] = []
  #alone: Job[] = []
  /** Losses of which no row is suspect any more: something else ends replicas. */
  #unexplained = 0

  add(job: Job): void {
    this.#shared.push(job)
  }

  has(job: Job): boolean {
    return this.#shared.includes(job) || this.#alone.includes(job)
  }

  remove(job: Job): void {
    this.#shared = this.#shared.filter((other) => other !== job)
    this.#alone = this.#alone.filter((other) => other !== job)
    this.settle(job)
  }

  /** A row for a replica with others under way; one that `replica` failed only if `isOnly`, as no other is there. */
  takeShared(replica: number, isOnly: boolean): Job | undefined {
    const at = this.#shared.findIndex(({ failedIn }) => isOnly || failedIn !== replica)
    return at < 0 ? undefined : this.#shared.splice(at, 1)[0]
  }

  /** A row that is to have a replica for itself. */
  takeAlone(): Job | undefined {
    return this.#alone.shift()
  }

  /** Back to the front, for another replica to try. */
  putBack(jobs: Job[]): void {
    const isSuspect = ({ losses }: Job) => losses.length >= lossesInCompany
    this.#alone.unshift(...jobs.filter(isSuspect))
    this.#shared.unshift(...jobs.filter((job) => !isSuspect(job)))
  }

  /**
   * A replica was lost with these rows under way. They go back, but for one that ends every replica: it is returned.
   */
  lose(jobs: Job[]): Job | undefined {
    const loss: Loss = { suspects: new Set(jobs), isAlone: jobs.length === 1 }
    if (jobs.length === 0) this.#unexplained++
    for (const { losses } of jobs) losses.push(loss)
    const [first] = jobs
    if (first && loss.isAlone && this.#isGuilty(first)) return first
    this.putBack(jobs)
    return undefined
  }

  /** The row has an outcome that clears it of what it was suspect of. */
  settle(job: Job): void {
    for (const { suspects } of job.losses) {
      if (suspects.delete(job) && suspects.size === 0) this.#unexplained++
    }
  }

  /** Takes all rows out. */
  clear(): Job[] {
    return [...this.#alone.splice(0), ...this.#shared.splice(0)]
  }

  /** The more replicas end for no row's sake, the more is asked before one is blamed. */
  #isGuilty({ losses }: Job): boolean {
    const alone = losses.filter(({ isAlone }) => isAlone).length
    return alone >= Math.min(mostAtAll, mostAlone + this.#unexplained)
  }
}
