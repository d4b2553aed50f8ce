import type { SingleBar } from 'cli-progress'
import { downloadLine, formatBytes, type DownloadingEvent, type DownloadProgressEvent } from '../download-event'
import { startBar } from './bar'
import { duration } from './duration'

/** Milliseconds between two lines where no terminal shows a bar. */
const lineMs = 10_000
/** Seconds over which the rate is taken. */
const rateSeconds = 10

/** Columns of the bar itself. */
const barColumns = 20

/** Bytes that were there at a time. */
interface Mark {
  at: number
  bytes: number
}

/** Downloads on stderr: a line for each file before it, then a bar, or a line now and then where there is none. */
export class DownloadProgress {
  #bar: SingleBar | undefined
  #nextLine = 0
  #marks: Mark[] = []

  readonly show = (event: DownloadProgressEvent): void => {
    if (event.type === 'downloading') {
      this.#showBytes(event)
      return
    }
    this.stop()
    const { repo, file, bytes } = event
    const line =
      event.type === 'download' ? downloadLine(event) : `${repo}/${file}: ${formatBytes(bytes)}, its checksum is right`
    process.stderr.write(`${line}\n`)
  }

  /** Leaves the terminal as it was. */
  stop(): void {
    this.#bar?.stop()
    this.#bar = undefined
    this.#marks = []
    this.#nextLine = 0
  }

  #showBytes({ file, bytes, total, byAnother }: DownloadingEvent): void {
    const now = performance.now()
    this.#marks = [...this.#marks.filter(({ at }) => now - at < rateSeconds * 1000), { at: now, bytes }].slice(-1000)
    const who = byAnother ? ', by another process' : ''
    const line = `${formatBytes(bytes)} of ${formatBytes(total)}${speed(this.#marks, total)}${who}`
    if (process.stderr.isTTY) {
      // The line above it names the file; beside it there is room for the rest in 80 columns.
      this.#bar ??= startBar('[{bar}] {percentage} %  {line}', total, bytes, { line }, barColumns)
      this.#bar.update(bytes, { line })
    } else if (now >= this.#nextLine) {
      this.#nextLine = now + lineMs
      process.stderr.write(`${file}: ${line}\n`)
    }
  }
}

/** Bytes a second of the last seconds, and the time that the rest takes at that rate. */
function speed(marks: Mark[], total: number): string {
  const [first, last] = [marks[0]!, marks.at(-1)!]
  const seconds = (last.at - first.at) / 1000
  const bytes = last.bytes - first.bytes
  if (seconds < 0.5 || bytes <= 0) return ''
  const rate = bytes / seconds
  return `, ${(rate / 1e6).toFixed(1)} MB/s, ${duration((total - last.bytes) / rate)} left`
}
