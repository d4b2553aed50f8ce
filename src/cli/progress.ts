import type { SingleBar } from 'cli-progress'
import { isCaptioned, type ReplicaState, type RowStatus } from '../caption'
import type { BatchesEvent, RowEvent, RunEvent, StartedEvent } from '../run/events'
import { startBar } from './bar'
import { DownloadProgress } from './download-progress'
import { duration } from './duration'
import {
  batchLine,
  failureLine,
  leftOutLine,
  oneLine,
  resumedLine,
  shardLine,
  stoppingLine,
  summaryLines
} from './run-lines'

/** Tells on stderr how a run goes. */
export interface Progress {
  readonly show: (event: RunEvent) => void
  /** Whether the end of the run was told, also of one that ended before its end. */
  readonly endTold: boolean
  /** Leaves the terminal as it was, whatever ended the run. */
  stop(): void
}

/** One JSON object a line for each event. */
export function jsonProgress(): Progress {
  const progress = {
    endTold: false,
    show: (event: RunEvent) => {
      process.stderr.write(`${JSON.stringify(event)}\n`)
      progress.endTold ||= event.type === 'stopped'
    },
    stop: () => undefined
  }
  return progress
}

/** A bar on a terminal, a line every few seconds elsewhere. */
export function textProgress(): Progress {
  return process.stderr.isTTY ? new BarProgress() : new LineProgress()
}

const millisecondsBetweenLines = 5000
/** Failed rows of each status that are told in a line each. Ten million of them must not fill a log. */
const failuresTold = 20

/** What both ways of showing count. */
class Counter {
  done = 0
  /** Rows that an earlier run has done. */
  earlier = 0
  failed = 0
  total: number | undefined
  /** How each replica stands; empty where there is one model. */
  replicas = ''
  started: StartedEvent | undefined
  #since = performance.now() // not the time of day, which may be set back

  add(event: RunEvent): void {
    if (event.type === 'started') {
      this.#since = performance.now()
      this.started = event
    }
    if (event.type === 'total') this.total = event.rows
    if (event.type === 'resumed') this.done = this.earlier = event.rows
    if (event.type === 'replicas') this.replicas = `  (${event.replicas.map(shortly).join(' + ')})`
    if (event.type !== 'row') return
    this.done++
    if (!isCaptioned(event)) this.failed++
  }

  /** Rows a second since the model was ready. */
  get rate(): number {
    return (this.done - this.earlier) / Math.max(0.001, (performance.now() - this.#since) / 1000)
  }

  get eta(): string {
    if (this.total === undefined || this.done === this.earlier) return '?'
    // Rows that are tried again were done before.
    return duration(Math.max(0, this.total - this.done) / this.rate)
  }

  get failures(): string {
    return this.failed === 0 ? '' : `, ${this.failed} failed`
  }
}

/** Its rows a second, or why it has none now. */
function shortly({ state, rate }: ReplicaState): string {
  return state === 'ready' ? rate.toFixed(1) : state
}

/** Progress for people. */
abstract class TextProgress implements Progress {
  /** The command tells the error that ends it. */
  readonly endTold = false
  protected readonly counter = new Counter()
  /** What was last told of each batch. */
  readonly #batches = new Map<string, string>()
  readonly #failuresOf = new Map<RowStatus, number>()
  protected readonly download = new DownloadProgress()

  readonly show = (event: RunEvent): void => {
    this.counter.add(event)
    if (event.type === 'download' || event.type === 'downloading' || event.type === 'downloaded') {
      this.download.show(event)
      return
    }
    if (event.type === 'warning') this.line(oneLine(`Warning: ${event.message}`))
    if (event.type === 'shard') this.line(shardLine(event))
    if (event.type === 'resumed') this.line(resumedLine(event.rows))
    if (event.type === 'started') this.line(event.captioner.summary)
    if (event.type === 'row' && !isCaptioned(event)) this.#tellFailure(event)
    if (event.type === 'batches') this.#tellBatches(event)
    if (event.type === 'stopping') this.line(stoppingLine(event.grace))
    this.move(event)
    if (event.type !== 'finished') return
    this.stop()
    for (const line of summaryLines(event, this.counter.started?.captioner.concurrency)) this.line(line)
  }

  abstract stop(): void
  /** Writes a line above what moves. */
  protected abstract line(text: string): void
  protected abstract move(event: RunEvent): void

  /** Each batch when something has become of it. */
  #tellBatches({ batches }: BatchesEvent): void {
    for (const batch of batches) {
      const line = batchLine(batch)
      if (this.#batches.get(batch.batch) !== line) this.line(oneLine(line))
      this.#batches.set(batch.batch, line)
    }
  }

  #tellFailure(event: RowEvent): void {
    const told = this.#failuresOf.get(event.status) ?? 0
    this.#failuresOf.set(event.status, told + 1)
    if (told < failuresTold) this.line(failureLine(event))
    if (told === failuresTold) this.line(leftOutLine(event.status, failuresTold))
  }
}

class BarProgress extends TextProgress {
  #bar: SingleBar | undefined

  stop(): void {
    this.download.stop()
    this.#bar?.stop()
    this.#bar = undefined
  }

  protected line(text: string): void {
    process.stderr.write(`\r\x1b[K${text}\n`)
    this.#bar?.render()
  }

  protected move(event: RunEvent): void {
    if (event.type === 'loading') process.stderr.write(`\rLoading the model ${Math.round(event.fraction * 100)} % `)
    if (event.type === 'total') this.#start(event.rows)
    if (event.type === 'row') this.#bar?.update(this.counter.done, this.#payload())
  }

  #start(total: number): void {
    this.#bar = startBar(
      '[{bar}] {value}/{total}  {rate}/s{replicas}  ETA {left}{failures}',
      total,
      this.counter.done,
      this.#payload()
    )
  }

  #payload() {
    const { rate, eta, failures, replicas } = this.counter
    return { rate: rate.toFixed(1), left: eta, failures, replicas }
  }
}

class LineProgress extends TextProgress {
  #next = 0

  stop(): void {}

  protected line(text: string): void {
    process.stderr.write(`${text}\n`)
  }

  protected move(event: RunEvent): void {
    const now = performance.now()
    if (event.type === 'started') this.#next = now + millisecondsBetweenLines
    if (event.type !== 'row' || now < this.#next) return
    const { done, total, rate, eta, failures, replicas } = this.counter
    this.line(`${done}/${total ?? '?'} rows, ${rate.toFixed(1)}/s${replicas}, ETA ${eta}${failures}`)
    this.#next = now + millisecondsBetweenLines
  }
}
