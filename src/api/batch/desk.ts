import { setImmediate } from 'node:timers/promises'
import type { Batch } from 'openai/resources/batches'
import { isCaptioned, type BatchState } from '../../caption'
import { abortedError, VcapError } from '../../errors'
import { Semaphore } from '../../semaphore'
import type { Budget, Reserve } from '../cost'
import type { Fault } from '../fault'
import type { ApiRequest, Dialect } from '../request'
import { readOutcome, type Outcome } from './outcome'
import { PartFile, requestLine } from './part-file'
import type { BatchServer } from './remote'
import { requestFileName, type KeptAnswer, type Part, type PartRow, type PartStore } from './store'

/** Batches in which one row is asked for before it is given up. */
const mostTries = 3
/** Batches that are made of one part while the server has no room for it. */
const mostBatches = 200
/** Of the pause between two looks: the first one's share of the longest, and how much longer each next one is. */
const firstShare = 0.1
const growth = 1.5

/** A row's request, ready to be sent. */
export interface Prepared {
  request: ApiRequest
  numFrames: number
  partial?: true | undefined
}

/** What became of a row, and what was known of its file. */
export interface DeskAnswer {
  row: PartRow
  outcome: Outcome & { kind: 'answer' | 'row' }
}

export interface DeskParts {
  store: PartStore
  server: BatchServer
  budget: Budget
  dialect: Dialect
  /** Rows of one batch, at most. */
  mostRows: number
  /** Rows that are handed in at once: when all of them wait, nothing more comes. */
  window: number
  /** Milliseconds between two looks at a batch, at most. */
  pollMs: number
  /** What ends the run. */
  toError: (fault: Fault & { kind: 'run' }) => VcapError
  onBatches: (batches: BatchState[]) => void
}

/** A row whose batch is under way. */
interface Waiting {
  row: PartRow
  outcome: Promise<Outcome>
  resolve: (outcome: Outcome) => void
  reject: (error: unknown) => void
}

/**
 * Gathers requests into parts, has each part captioned by a batch, and hands the answers out. Parts that earlier calls
 * of the run have begun are followed first of all.
 */
export class BatchDesk {
  readonly #parts: DeskParts
  /** By the row's name: in a batch that is under way, or in an answer that was kept. */
  readonly #waiting = new Map<string, Waiting>()
  readonly #kept = new Map<string, DeskAnswer>()
  /** What is set aside for each part. */
  readonly #reserves = new Map<Part, Reserve[]>()
  readonly #states = new Map<Part, BatchState>()
  /** One file is sent at a time. */
  readonly #sending = new Semaphore(1)
  #open: PartFile | undefined
  #openReserves: Reserve[] = []
  /** Rows that are not in a part yet, and rows without an outcome. */
  #preparing = 0
  #unresolved = 0
  #isAllIn = false
  #fault: { error: unknown } | undefined

  constructor(parts: DeskParts) {
    this.#parts = parts
    for (const part of [...parts.store.parts]) this.#resume(part)
  }

  /** Batches that are under way at the server. */
  get underWay(): BatchState[] {
    return [...this.#states.values()]
  }

  /** No row comes any more: what was gathered is sent. */
  handedIn(): void {
    this.#isAllIn = true
    this.#sealIfDue()
  }

  /**
   * What becomes of a row of that name; `prepare` is called where it is not known yet. Rejects with what `prepare`
   * throws, `engine_error`, `aborted`, and what ends the run.
   */
  async ask(id: string, prepare: () => Promise<Prepared>, recall: AbortSignal): Promise<DeskAnswer> {
    this.#unresolved++
    try {
      for (let tries = 1; ; tries++) {
        const kept = this.#kept.get(id)
        this.#kept.delete(id)
        if (kept) return kept
        const waiting = this.#waiting.get(id) ?? (await this.#gather(id, prepare, recall))
        const outcome = await until(waiting.outcome, recall)
        this.#waiting.delete(id)
        if (outcome.kind === 'answer' || outcome.kind === 'row') return { row: waiting.row, outcome }
        if (tries === mostTries || outcome.kind === 'run') {
          throw new VcapError('engine_error', `It was in ${tries} batches, of the last: ${messageOf(outcome)}`)
        }
      }
    } finally {
      this.#unresolved--
    }
  }

  /** Every row's record is on the disk: what was kept for them goes, here and at the server. */
  async recorded(): Promise<void> {
    const { store, server } = this.#parts
    for (const part of store.parts.filter(({ state }) => state === 'collected')) {
      await server.remove([...(part.inputFile ? [part.inputFile] : []), ...part.outputFiles])
      store.drop(part)
    }
  }

  close(): void {
    this.#open?.discard()
    this.#open = undefined
  }

  /** Adds a row to the open part, which is sealed when it is full. */
  async #gather(id: string, prepare: () => Promise<Prepared>, recall: AbortSignal): Promise<Waiting> {
    const { budget, dialect, mostRows } = this.#parts
    this.#preparing++
    try {
      const { request, numFrames, partial } = await prepare()
      const reserve = budget.tryTake(request) ?? (await this.#afford(request, recall))
      if (this.#fault) throw this.#fault.error
      const line = requestLine(id, dialect.body(request))
      if (this.#open?.isFullFor(line)) this.#seal()
      this.#open ??= new PartFile(this.#parts.store)
      const row: PartRow = { id, numFrames, ...(partial && { partial }) }
      this.#open.add(row, line, reserve.estimate)
      this.#openReserves.push(reserve)
      const waiting = this.#await(row)
      if (this.#open.rows.length === mostRows) this.#seal()
      return waiting
    } finally {
      this.#preparing--
      this.#sealIfDue()
    }
  }

  /** Waits until those under way leave money for it: the open part is one of them. */
  async #afford(request: ApiRequest, recall: AbortSignal): Promise<Reserve> {
    this.#preparing--
    this.#sealIfDue()
    try {
      return await this.#parts.budget.take(request, recall)
    } finally {
      this.#preparing++
    }
  }

  #await(row: PartRow): Waiting {
    const waiting = { row } as Waiting
    waiting.outcome = new Promise((resolve, reject) => Object.assign(waiting, { resolve, reject }))
    waiting.outcome.catch(() => undefined) // nobody may have asked yet
    this.#waiting.set(row.id, waiting)
    return waiting
  }

  #sealIfDue(): void {
    const isDue = this.#isAllIn || this.#unresolved >= this.#parts.window
    if (this.#open && this.#preparing === 0 && isDue && !this.#fault) this.#seal()
  }

  #seal(): void {
    const open = this.#open!
    this.#open = undefined
    const part = open.seal()
    this.#reserves.set(part, this.#openReserves)
    this.#openReserves = []
    void this.#follow(part, true)
  }

  /** Goes on with a part of an earlier call. */
  #resume(part: Part): void {
    const { store, budget } = this.#parts
    if (part.state !== 'collected') {
      for (const row of part.rows) this.#await(row)
      this.#reserves.set(part, [budget.hold(part.estimate)])
      void this.#follow(part, false)
      return
    }
    const rows = new Map(part.rows.map((row) => [row.id, row]))
    for (const { id, answer, cost } of store.readAnswers(part)) {
      const row = rows.get(id)
      // A row that is asked for again although it was answered without a caption is to be asked anew.
      if (row && isCaptioned(answer)) this.#kept.set(id, { row, outcome: { kind: 'answer', answer, cost } })
    }
  }

  async #follow(part: Part, isNew: boolean): Promise<void> {
    try {
      await this.#begin(part, isNew)
      let batch = await this.#end(part)
      while (batch.status === 'failed') {
        await this.#makeRoom(part, batch)
        await this.#begin(part, true)
        batch = await this.#end(part)
      }
      await this.#collect(part, batch)
    } catch (error) {
      this.#fail(error)
    }
  }

  /** Has the part at the server, and a batch made of it. Each step is recorded before the next. */
  async #begin(part: Part, isNew: boolean): Promise<void> {
    const { store, server } = this.#parts
    const sent = await this.#sending.take(undefined)
    try {
      if (part.state === 'sealed') {
        const file = store.requestFile(part)
        part.inputFile = await server.upload(file, requestFileName(part), part.bytes, isNew)
        part.state = 'uploaded'
        store.save(part)
      }
      if (part.state === 'uploaded') {
        part.batch = await server.create(part, isNew)
        part.state = 'created'
        store.save(part)
        store.dropRequests(part)
      }
    } finally {
      sent()
    }
  }

  /** The batch when it has come to an end, looked at with growing pauses. */
  async #end(part: Part): Promise<Batch> {
    const { server, pollMs } = this.#parts
    for (let pause = pollMs * firstShare; ; pause = Math.min(pollMs, pause * growth)) {
      const batch = await server.look(part.batch!)
      this.#tell(part, batch)
      if (['completed', 'failed', 'expired', 'cancelled'].includes(batch.status)) return batch
      await server.wait(pause)
    }
  }

  #tell(part: Part, { id, status, request_counts: counts }: Batch): void {
    const state = { part: part.part, batch: id, state: status, rows: part.rows.length }
    this.#states.set(part, { ...state, done: counts?.completed ?? 0, failed: counts?.failed ?? 0 })
    this.#parts.onBatches(this.underWay)
  }

  /** A batch that failed for want of room is made once more, later. Rejects with what it failed of else. */
  async #makeRoom(part: Part, { errors, id }: Batch): Promise<void> {
    const { store, server, pollMs } = this.#parts
    const { code, message } = errors?.data?.[0] ?? {}
    if (!/limit|quota|enqueued/i.test(`${code}`) || part.failed === mostBatches) {
      store.drop(part)
      throw new VcapError('usage', `The server refused the batch ${id}: ${message ?? code ?? 'it does not say why'}`)
    }
    await server.wait(pollMs)
    part.failed++
    part.batch = undefined
    part.state = 'uploaded'
    store.save(part)
  }

  /** Takes the answers of a batch that has ended. They are on the disk before any row gets one. */
  async #collect(part: Part, batch: Batch): Promise<void> {
    const { store, budget, toError } = this.#parts
    part.outputFiles = [batch.output_file_id, batch.error_file_id].filter((file) => typeof file === 'string')
    const outcomes = await this.#download(part)
    const kept: KeptAnswer[] = []
    let paid = 0
    for (const [id, outcome] of outcomes) {
      if (outcome.kind !== 'answer') continue
      const charged = budget.charge(outcome.answer.usage, 0)
      paid += charged.paid
      outcome.cost = charged.cost
      kept.push({ id, answer: outcome.answer, cost: charged.cost })
    }
    store.saveAnswers(part, kept)
    budget.record(paid, `${part.run}-${part.part}`)
    part.state = 'collected'
    store.save(part)
    for (const { release } of this.#reserves.get(part) ?? []) release()
    this.#states.delete(part)
    const isCancelled = batch.status === 'cancelled'
    const missing: Outcome = { kind: 'again', message: `the batch ended as ${batch.status} without an answer to it` }
    for (const { id } of part.rows) {
      const outcome = outcomes.get(id) ?? missing
      const isOver = outcome.kind === 'run' || (isCancelled && outcome.kind === 'again')
      if (!isOver) this.#waiting.get(id)?.resolve(outcome)
    }
    // What was answered is recorded before the run hears of its end.
    await setImmediate()
    for (const outcome of outcomes.values()) if (outcome.kind === 'run') throw toError(outcome.fault)
    if (!isCancelled) return
    const text = `The batch ${batch.id} was cancelled at the server. The same command asks anew for what it lacks`
    throw new VcapError('engine_lost', text)
  }

  /** By the rows' names; of several answers to one the first that is one. */
  async #download({ rows, outputFiles }: Part): Promise<Map<string, Outcome>> {
    const wanted = new Set(rows.map(({ id }) => id))
    const outcomes = new Map<string, Outcome>()
    // All parameters that requests had.
    const sent = this.#parts.dialect.body({ pictures: [], prompt: '', seed: 1, temperature: 0 })
    const adapt = (refusal: Parameters<Dialect['adapt']>[1]) => this.#parts.dialect.adapt(sent, refusal)
    for (const file of outputFiles) {
      for (const line of await this.#parts.server.download(file)) {
        const read = readOutcome(line, adapt)
        if (!read || !wanted.has(read.id) || outcomes.get(read.id)?.kind === 'answer') continue
        outcomes.set(read.id, read.outcome)
      }
    }
    return outcomes
  }

  #fail(error: unknown): void {
    this.#fault ??= { error }
    for (const { reject } of this.#waiting.values()) reject(error)
  }
}

function messageOf(outcome: Outcome & { kind: 'again' | 'run' }): string {
  return outcome.kind === 'again' ? outcome.message : outcome.fault.message
}

/** Rejects with `aborted` where the signal comes first. */
function until<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) return Promise.reject(abortedError(signal))
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(abortedError(signal))
    signal.addEventListener('abort', giveUp, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp))
  })
}
