import { SingleBar } from 'cli-progress'
import { isCaptioned, type ReplicaState } from '../caption'
import type { RunEvent, RunSummary } from '../run/events'
import { duration } from './duration'

/** Tells on stderr how a run goes. */
export interface Progress {
  readonly show: (event: RunEvent) => void
  /** Leaves the terminal as it was, whatever ended the run. */
  stop(): void
}

/** One JSON object a line for each event. */
export function jsonProgress(): Progress {
  return { show: (event) => void process.stderr.write(`${JSON.stringify(event)}\n`), stop: () => undefined }
}

/** A bar on a terminal, a line every few seconds elsewhere. */
export function textProgress(): Progress {
  return process.stderr.isTTY ? new BarProgress() : new LineProgress()
}

const secondsBetweenLines = 5

/** What both ways of showing count. */
class Counter {
  done = 0
  /** Rows that an earlier run has done. */
  earlier = 0
  failed = 0
  total: number | undefined
  /** How each replica stands; empty where there is one model. */
  replicas = ''
  #started = Date.now()

  add(event: RunEvent): void {
    if (event.type === 'started') this.#started = Date.now()
    if (event.type === 'total') this.total = event.rows
    if (event.type === 'resumed') this.done = this.earlier = event.rows
    if (event.type === 'replicas') this.replicas = `  (${event.replicas.map(shortly).join(' + ')})`
    if (event.type !== 'row') return
    this.done++
    if (!isCaptioned(event)) this.failed++
  }

  /** Rows a second since the model was ready. */
  get rate(): number {
    return (this.done - this.earlier) / Math.max(0.001, (Date.now() - this.#started) / 1000)
  }

  get eta(): string {
    if (this.total === undefined || this.done === this.earlier) return '?'
    return duration((this.total - this.done) / this.rate)
  }

  get failures(): string {
    return this.failed === 0 ? '' : `, ${this.failed} failed`
  }
}

/** Its rows a second, or why it has none now. */
function shortly({ state, rate }: ReplicaState): string {
  return state === 'ready' ? rate.toFixed(1) : state
}

class BarProgress implements Progress {
  readonly #counter = new Counter()
  #bar: SingleBar | undefined

  readonly show = (event: RunEvent): void => {
    this.#counter.add(event)
    if (event.type === 'loading') process.stderr.write(`\rLoading the model ${Math.round(event.fraction * 100)} % `)
    if (event.type === 'started') process.stderr.write(`\r\x1b[K${event.captioner.summary}\n`)
    if (event.type === 'warning') process.stderr.write(`Warning: ${event.message}\n`)
    if (event.type === 'resumed') process.stderr.write(`${resumedLine(event.rows)}\n`)
    if (event.type === 'total') this.#start(event.rows)
    if (event.type === 'row') this.#bar?.update(this.#counter.done, this.#payload())
    if (event.type === 'finished') {
      this.stop()
      process.stderr.write(`${summaryLine(event)}\n`)
    }
  }

  stop(): void {
    this.#bar?.stop()
    this.#bar = undefined
  }

  #start(total: number): void {
    this.#bar = new SingleBar({
      format: '[{bar}] {value}/{total}  {rate}/s{replicas}  ETA {left}{failures}',
      stream: process.stderr,
      fps: 5,
      linewrap: true, // switching it off would outlive a second Ctrl-C
      barsize: 30,
      barCompleteChar: '=',
      barIncompleteChar: ' ',
      gracefulExit: false // signals are the command's
    })
    this.#bar.start(total, this.#counter.done, this.#payload())
  }

  #payload() {
    const { rate, eta, failures, replicas } = this.#counter
    return { rate: rate.toFixed(1), left: eta, failures, replicas }
  }
}

class LineProgress implements Progress {
  readonly #counter = new Counter()
  #next = 0

  readonly show = (event: RunEvent): void => {
    this.#counter.add(event)
    if (event.type === 'started') {
      process.stderr.write(`${event.captioner.summary}\n`)
      this.#next = Date.now() + secondsBetweenLines * 1000
    }
    if (event.type === 'warning') process.stderr.write(`Warning: ${event.message}\n`)
    if (event.type === 'resumed') process.stderr.write(`${resumedLine(event.rows)}\n`)
    if (event.type === 'row' && Date.now() >= this.#next) {
      const { done, total, rate, eta, failures, replicas } = this.#counter
      process.stderr.write(`${done}/${total ?? '?'} rows, ${rate.toFixed(1)}/s${replicas}, ETA ${eta}${failures}\n`)
      this.#next = Date.now() + secondsBetweenLines * 1000
    }
    if (event.type === 'finished') process.stderr.write(`${summaryLine(event)}\n`)
  }

  stop(): void {}
}

function resumedLine(rows: number): string {
  return `Going on: ${rows} ${rows === 1 ? 'row is' : 'rows are'} done`
}

function summaryLine({ rows, statuses, failed, captioned, seconds, output, already }: RunSummary): string {
  const counts = Object.entries(statuses)
    .map(([status, count]) => `${count} ${status}`)
    .join(', ')
  const rate = (captioned / Math.max(seconds, 0.001)).toFixed(1)
  const summary = `${rows - failed} of ${rows} rows captioned${counts ? ` (${counts})` : ''}`
  if (already) return `This run was finished before: ${summary}: ${output}. --restart begins anew`
  return `${summary} in ${duration(seconds)}, ${rate}/s: ${output}`
}
