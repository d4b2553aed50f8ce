import { VcapError } from '../errors'
import { bitsOf, type RowKey } from './row-key'

/** Slots for each key that is expected: more would waste memory, fewer would make searches long. */
const slotsPerKey = 1.25
const leastSlots = 1024

/**
 * Numbers of 32 bits a slot: two fingerprints, of which the first is 0 in a free slot, the lower bits of the place of
 * the record, and in one its upper 8 bits and how many rows were counted. A place is the record's offset plus 1; 0:
 * nowhere.
 */
const words = 4
const morePrint = 1
const lowPlace = 2
const highPlace = 3
const countShift = 8
const highMask = 0xff
const mostCounted = 2 ** 24 - 1

/**
 * Keys of rows in 16 bytes a slot: where a key's record stands in the journal, and how many rows with its hash were
 * counted. It is a hash table with open addressing in a typed array, since ten million rows have to fit and a Map takes
 * ten times as much; what a slot has lies together, since each place in memory that is looked at costs more than all
 * else. A slot holds 64 bits of the hash, by which no two of ten million rows are alike but once in some hundred
 * thousand tables; with 48 it would be once in six.
 */
export class KeyTable {
  #slots = 0
  #used = 0
  #words = new Uint32Array(0)

  /** `expected`: number of keys for which room is made. */
  constructor(expected: number) {
    this.#allocate(expected)
  }

  /** Offset of the key's record in bytes; undefined where it has none. */
  offset(key: RowKey): number | undefined {
    return this.#offsetAt(this.#find(key))
  }

  /** Returns the offset that was there. Undefined removes it. */
  setOffset(key: RowKey, offset: number | undefined): number | undefined {
    const at = this.#claim(key)
    const before = this.#offsetAt(at)
    const place = offset === undefined ? 0 : offset + 1
    this.#words[at + lowPlace] = place % 2 ** 32
    this.#words[at + highPlace] = (this.#words[at + highPlace]! & ~highMask) | Math.floor(place / 2 ** 32)
    return before
  }

  /** Counts a row with this hash and returns how many were counted before it. Throws `csv_invalid`. */
  count(hash: string): number {
    const at = this.#claim({ hash, occurrence: 0 })
    const before = this.#words[at + highPlace]! >>> countShift
    if (before === mostCounted) {
      throw new VcapError('csv_invalid', `More than ${mostCounted} rows are alike: leave out what is there twice`)
    }
    this.#words[at + highPlace]! += 1 << countShift
    return before
  }

  /** Counting begins anew. */
  resetCounts(): void {
    for (let at = highPlace; at < this.#words.length; at += words) this.#words[at]! &= highMask
  }

  #offsetAt(at: number): number | undefined {
    const place = this.#words[at + lowPlace]! + (this.#words[at + highPlace]! & highMask) * 2 ** 32
    return place === 0 ? undefined : place - 1
  }

  /** Where a key's slot begins, its own or the free one that would become it. */
  #find({ hash, occurrence }: RowKey): number {
    const [print, more] = fingerprint(hash, occurrence)
    for (let at = words * (print % this.#slots); ; at = this.#after(at)) {
      const found = this.#words[at]!
      if (found === 0 || (found === print && this.#words[at + morePrint] === more)) return at
    }
  }

  #after(at: number): number {
    return at + words === this.#words.length ? 0 : at + words
  }

  #claim(key: RowKey): number {
    const at = this.#find(key)
    if (this.#words[at] !== 0) return at
    if (this.#used >= this.#slots / 1.15) {
      this.#grow()
      return this.#claim(key)
    }
    const [print, more] = fingerprint(key.hash, key.occurrence)
    this.#words[at] = print
    this.#words[at + morePrint] = more
    this.#used++
    return at
  }

  #allocate(expected: number): void {
    this.#slots = Math.max(leastSlots, Math.ceil(expected * slotsPerKey))
    this.#used = 0
    this.#words = new Uint32Array(words * this.#slots)
  }

  #grow(): void {
    const before = this.#words
    this.#allocate(2 * (this.#slots / slotsPerKey))
    for (let old = 0; old < before.length; old += words) {
      const print = before[old]!
      if (print === 0) continue
      let at = words * (print % this.#slots)
      while (this.#words[at] !== 0) at = this.#after(at)
      this.#words.set(before.subarray(old, old + words), at)
      this.#used++
    }
  }
}

/** 32 bits of a key, which are never 0 and also say where its search begins, and 32 more. */
function fingerprint(hash: string, occurrence: number): [number, number] {
  const print = (bitsOf(hash, 0) + Math.imul(occurrence, 0x9e3779b1)) >>> 0
  return [print || 1, (bitsOf(hash, 6) + occurrence) >>> 0]
}
