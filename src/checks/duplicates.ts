import crc32 from 'crc-32'
import { digestOf } from '../digest'

/** Rows that have to share a caption: so many, and so large a share of all rows. */
const leastRows = 10
const leastShare = 0.001

/** Counters of one line of the sketch, and its lines: 8 MB in all, whatever the rows. */
const width = 2 ** 18
const lines = 4

/**
 * Which captions stand on many rows. Captions are counted by their hashes in a count-min sketch (Cormode and
 * Muthukrishnan 2005): each has a counter in each of four lines, and the least of the four is never below the true
 * number. It is above it by about one row for every 262,144, which is a hundredth of a thousandth of them. Two hashes
 * give the four counters (Kirsch and Mitzenmacher 2006). Rows of one path that come one after another, whatever their
 * texts, count once.
 */
export class DuplicateCount {
  readonly #counts = new Uint32Array(width * lines)
  /** Of each counter, the path that was counted last. */
  readonly #paths = new Uint32Array(width * lines)
  #most = 0

  /** Files with the caption that most have. */
  get most(): number {
    return this.#most
  }

  /** Counts a caption of the file at `path`. */
  add(text: string, path: string): void {
    const print = crc32.str(path) >>> 0
    let least = Infinity
    for (const slot of slotsOf(text)) {
      if (this.#counts[slot]! === 0 || this.#paths[slot] !== print) {
        this.#counts[slot]!++
        this.#paths[slot] = print
      }
      least = Math.min(least, this.#counts[slot]!)
    }
    this.#most = Math.max(this.#most, least)
  }

  /** Files with this caption. */
  count(text: string): number {
    return Math.min(...slotsOf(text).map((slot) => this.#counts[slot]!))
  }
}

/** Files that have to share a caption in a run of so many rows for it to be told. */
export function manyOf(rows: number): number {
  return Math.max(leastRows, Math.ceil(rows * leastShare))
}

/** Whatever its capitals and its blanks, a caption is the same. */
function slotsOf(text: string): number[] {
  const digest = digestOf('sha1', text.toLowerCase().replace(/\s+/gu, ' ').trim(), 'hex')
  const [first, second] = [Number.parseInt(digest.slice(0, 8), 16), Number.parseInt(digest.slice(8, 16), 16)]
  const slots = []
  for (let line = 0; line < lines; line++) slots.push(line * width + ((first + line * second) % width))
  return slots
}
