import type { RowKey } from './row-key'

/** Slots for each key that is expected: more would waste memory, fewer would make searches long. */
const slotsPerKey = 1.25
const leastSlots = 1024
/** Rows of one hash that a byte counts. */
const manyRows = 255

/**
 * Keys of rows in 14 bytes a slot: where a key's record stands in the journal, and how many rows with its hash were
 * counted. It is a hash table with open addressing in typed arrays, since ten million rows have to fit and a Map takes
 * ten times as much. A slot holds 64 bits of the hash, by which no two of ten million rows are alike but once in some
 * hundred thousand tables; with 48 it would be once in six.
 */
export class KeyTable {
  #slots = 0
  #used = 0
  #prints = new Uint32Array(0)
  #morePrints = new Uint32Array(0)
  /** Where records stand, plus 1; 0: nowhere. */
  #offsets = new Uint32Array(0)
  #moreOffsets = new Uint8Array(0)
  /** Rows counted, up to `manyRows`, from which on `#many` counts. */
  #counts = new Uint8Array(0)
  readonly #many = new Map<number, number>()

  /** `expected`: number of keys for which room is made. */
  constructor(expected: number) {
    this.#allocate(expected)
  }

  /** Offset of the key's record in bytes; undefined where it has none. */
  offset(key: RowKey): number | undefined {
    const slot = this.#find(key)
    const stored = this.#prints[slot] === 0 ? 0 : this.#offsets[slot]! + this.#moreOffsets[slot]! * 2 ** 32
    return stored === 0 ? undefined : stored - 1
  }

  /** Undefined removes it. */
  setOffset(key: RowKey, offset: number | undefined): void {
    const slot = this.#claim(key)
    const stored = offset === undefined ? 0 : offset + 1
    this.#offsets[slot] = stored % 2 ** 32
    this.#moreOffsets[slot] = Math.floor(stored / 2 ** 32)
  }

  /** Counts a row with this hash and returns how many were counted before it. */
  count(hash: Buffer): number {
    const slot = this.#claim({ hash, occurrence: 0 })
    const before = this.#counts[slot]!
    if (before < manyRows) {
      this.#counts[slot] = before + 1
      return before
    }
    const many = this.#many.get(slot) ?? manyRows
    this.#many.set(slot, many + 1)
    return many
  }

  /** Counting begins anew. */
  resetCounts(): void {
    this.#counts.fill(0)
    this.#many.clear()
  }

  /** The slot of a key, its own or the free one that would become it. */
  #find({ hash, occurrence }: RowKey): number {
    const [print, more] = fingerprint(hash, occurrence)
    for (let slot = print % this.#slots; ; slot = slot + 1 === this.#slots ? 0 : slot + 1) {
      const found = this.#prints[slot]!
      if (found === 0 || (found === print && this.#morePrints[slot] === more)) return slot
    }
  }

  #claim(key: RowKey): number {
    const slot = this.#find(key)
    if (this.#prints[slot] !== 0) return slot
    if (this.#used >= this.#slots / 1.15) {
      this.#grow()
      return this.#claim(key)
    }
    const [print, more] = fingerprint(key.hash, key.occurrence)
    this.#prints[slot] = print
    this.#morePrints[slot] = more
    this.#used++
    return slot
  }

  #allocate(expected: number): void {
    this.#slots = Math.max(leastSlots, Math.ceil(expected * slotsPerKey))
    this.#used = 0
    this.#prints = new Uint32Array(this.#slots)
    this.#morePrints = new Uint32Array(this.#slots)
    this.#offsets = new Uint32Array(this.#slots)
    this.#moreOffsets = new Uint8Array(this.#slots)
    this.#counts = new Uint8Array(this.#slots)
  }

  #grow(): void {
    const [prints, more, offsets, moreOffsets, counts] = [
      this.#prints,
      this.#morePrints,
      this.#offsets,
      this.#moreOffsets,
      this.#counts
    ]
    const many = new Map(this.#many)
    this.#many.clear()
    this.#allocate(2 * (prints.length / slotsPerKey))
    for (let old = 0; old < prints.length; old++) {
      if (prints[old] === 0) continue
      let slot = prints[old]! % this.#slots
      while (this.#prints[slot] !== 0) slot = slot + 1 === this.#slots ? 0 : slot + 1
      this.#prints[slot] = prints[old]!
      this.#morePrints[slot] = more[old]!
      this.#offsets[slot] = offsets[old]!
      this.#moreOffsets[slot] = moreOffsets[old]!
      this.#counts[slot] = counts[old]!
      if (many.has(old)) this.#many.set(slot, many.get(old)!)
      this.#used++
    }
  }
}

/** 32 bits of a key, which are never 0 and also say where its search begins, and 32 more. */
function fingerprint(hash: Buffer, occurrence: number): [number, number] {
  const print = (hash.readUInt32LE(0) + Math.imul(occurrence, 0x9e3779b1)) >>> 0
  return [print || 1, (hash.readUInt32LE(4) + occurrence) >>> 0]
}
