import type { SingleBar } from 'cli-progress'
import type { SamplesEvent } from '../samples/samples'
import { startBar } from './bar'
import { oneLine } from './run-lines'

const millisecondsBetweenLines = 5000
/** Files that could not be read and are told in a line each: millions of them must not fill a log. */
const failuresTold = 20

/** Tells on stderr how far the files of a folder are read: a bar on a terminal, a line every few seconds elsewhere. */
export class FileProgress {
  #bar: SingleBar | undefined
  #total = 0
  #done = 0
  #failed = 0
  #started = 0
  #nextLine = Infinity

  readonly show = (event: SamplesEvent): void => {
    if (event.type === 'warning') this.#line(oneLine(`Warning: ${event.message}`))
    if (event.type === 'total') this.#start(event.files)
    if (event.type !== 'file') return
    this.#done++
    if (event.error !== undefined) this.#tellFailure(`${event.path}: ${event.code}: ${event.error}`)
    this.#bar?.update(this.#done, this.#payload())
    this.#tellNow()
  }

  /** Leaves the terminal as it was. */
  stop(): void {
    this.#bar?.stop()
    this.#bar = undefined
  }

  #start(total: number): void {
    this.#total = total
    this.#started = performance.now()
    this.#nextLine = this.#started + millisecondsBetweenLines
    if (!process.stderr.isTTY) return
    this.#bar = startBar('Reading [{bar}] {value}/{total}  {rate}/s', total, 0, this.#payload())
  }

  #payload() {
    const seconds = Math.max(0.001, (performance.now() - this.#started) / 1000)
    return { rate: (this.#done / seconds).toFixed(1) }
  }

  #tellNow(): void {
    if (this.#bar || performance.now() < this.#nextLine) return
    this.#nextLine = performance.now() + millisecondsBetweenLines
    this.#line(`${this.#done}/${this.#total} files read, ${this.#payload().rate}/s`)
  }

  #tellFailure(line: string): void {
    this.#failed++
    if (this.#failed <= failuresTold) this.#line(oneLine(line))
    if (this.#failed === failuresTold) this.#line('… and no more of them are told one by one')
  }

  #line(text: string): void {
    process.stderr.write(this.#bar ? `\r\x1b[K${text}\n` : `${text}\n`)
    this.#bar?.render()
  }
}
