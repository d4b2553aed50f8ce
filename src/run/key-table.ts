import { bitsOf, type RowKey } from './row-key'

/** Slots for each key that is expected: more would waste memory, fewer would make searches long. */
const slotsPerKey = 1.25
const leastSlots = 1024
/** Rows of one hash that a byte counts. */
const manyRows = 255

/** Numbers of 32 bits a slot: two fingerprints, of which the first is 0 in a free slot, and where the record stands. */
const words = 3
const morePrint = 1
/** The record's place plus 1, of which the upper 8 bits are with the counts; 0: nowhere. */
const place = 2
/** Bytes a slot: the upper bits of the place, and rows counted, up to `manyRows`, from which on `#many` counts. */
const bytes = 2
const counted = 1

/**
 * Keys of rows in 14 bytes a slot: where a key's record stands in the journal, and how many rows with its hash were
 * counted. It is a hash table with open addressing in typed arrays, since ten million rows have to fit and a Map takes
 * ten times as much; what a slot has lies together, since each place in memory that is looked at costs more than all
 * else. A slot holds 64 bits of the hash, by which no two of ten million rows are alike but once in some hundred
 * thousand tables; with 48 it would be once in six.
 */
export class KeyTable {
  #slots = 0
  #used = 0
  #words = new Uint32Array(0)
  #bytes = new Uint8Array(0)
  readonly #many = new Map<number, number>()

  /** `expected`: number of keys for which room is made. */
  constructor(expected: number) {
    this.#allocate(expected)
  }

  /** Offset of the key's record in bytes; undefined where it has none. */
  offset(key: RowKey): number | undefined {
    return this.#offsetIn(this.#find(key))
  }

  /** Returns the offset that was there. Undefined removes it. */
  setOffset(key: RowKey, offset: number | undefined): number | undefined {
    const slot = this.#claim(key)
    const before = this.#offsetIn(slot)
    const stored = offset === undefined ? 0 : offset + 1
    this.#words[words * slot + place] = stored % 2 ** 32
    this.#bytes[bytes * slot] = Math.floor(stored / 2 ** 32)
    return before
  }

  /** Counts a row with this hash and returns how many were counted before it. */
  count(hash: string): number {
    const slot = this.#claim({ hash, occurrence: 0 })
    const at = bytes * slot + counted
    const before = this.#bytes[at]!
    if (before < manyRows) {
      this.#bytes[at] = before + 1
      return before
    }
    const many = this.#many.get(slot) ?? manyRows
    this.#many.set(slot, many + 1)
    return many
  }

  /** Counting begins anew. */
  resetCounts(): void {
    for (let at = counted; at < this.#bytes.length; at += bytes) this.#bytes[at] = 0
    this.#many.clear()
  }

  #offsetIn(slot: number): number | undefined {
    const stored = this.#words[words * slot + place]! + this.#bytes[bytes * slot]! * 2 ** 32
    return stored === 0 ? undefined : stored - 1
  }

  /** The slot of a key, its own or the free one that would become it. */
  #find({ hash, occurrence }: RowKey): number {
    const [print, more] = fingerprint(hash, occurrence)
    for (let slot = print % this.#slots; ; slot = this.#after(slot)) {
      const found = this.#words[words * slot]!
      if (found === 0 || (found === print && this.#words[words * slot + morePrint] === more)) return slot
    }
  }

  #after(slot: number): number {
    return slot + 1 === this.#slots ? 0 : slot + 1
  }

  #claim(key: RowKey): number {
    const slot = this.#find(key)
    if (this.#words[words * slot] !== 0) return slot
    if (this.#used >= this.#slots / 1.15) {
      this.#grow()
      return this.#claim(key)
    }
    const [print, more] = fingerprint(key.hash, key.occurrence)
    this.#words[words * slot] = print
    this.#words[words * slot + morePrint] = more
    this.#used++
    return slot
  }

  #allocate(expected: number): void {
    this.#slots = Math.max(leastSlots, Math.ceil(expected * slotsPerKey))
    this.#used = 0
    this.#words = new Uint32Array(words * this.#slots)
    this.#bytes = new Uint8Array(bytes * this.#slots)
  }

  #grow(): void {
    const [oldWords, oldBytes, oldSlots] = [this.#words, this.#bytes, this.#slots]
    const many = new Map(this.#many)
    this.#many.clear()
    this.#allocate(2 * (oldSlots / slotsPerKey))
    for (let old = 0; old < oldSlots; old++) {
      const print = oldWords[words * old]!
      if (print === 0) continue
      let slot = print % this.#slots
      while (this.#words[words * slot] !== 0) slot = this.#after(slot)
      this.#words.set(oldWords.subarray(words * old, words * (old + 1)), words * slot)
      this.#bytes.set(oldBytes.subarray(bytes * old, bytes * (old + 1)), bytes * slot)
      if (many.has(old)) this.#many.set(slot, many.get(old)!)
      this.#used++
    }
  }
}

/** 32 bits of a key, which are never 0 and also say where its search begins, and 32 more. */
function fingerprint(hash: string, occurrence: number): [number, number] {
  const print = (bitsOf(hash, 0) + Math.imul(occurrence, 0x9e3779b1)) >>> 0
  return [print || 1, (bitsOf(hash, 6) + occurrence) >>> 0]
}
