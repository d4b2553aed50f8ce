import type fs from 'node:fs/promises'
import crc32 from 'crc-32'

/*
 * Lines of the journal's file: the CRC-32 of what follows in 8 hexadecimal digits, a space, and a record, which holds
 * no line end.
 */

/** Bytes that are read at once. */
export const scanBytes = 1 << 20

/** What a file was found to hold. */
export interface JournalScan {
  /** Records that are whole. */
  records: number
  /** Lines that are damaged: a checksum that is not theirs. Their rows count as not done. */
  damaged: number
  /** Bytes of a record at the end that was never finished, which were cut off. */
  torn: number
}

export const lineEnd = 0x0a
const checksumDigits = 8

/** Lines one after another, in memory that is used again and again. */
export class LineBuffer {
  #memory = Buffer.allocUnsafe(1 << 16)
  #length = 0
  #count = 0

  get count(): number {
    return this.#count
  }

  /** All lines, until the next `add`. */
  get bytes(): Buffer {
    return this.#memory.subarray(0, this.#length)
  }

  /** Returns the bytes of the record's line. */
  add(record: string): number {
    const begin = this.#length
    const first = begin + checksumDigits + 1
    const end = first + Buffer.byteLength(record)
    if (end >= this.#memory.length) this.#enlarge(end + 1)
    this.#memory.write(record, first)
    const sum = crc32.buf(this.#memory.subarray(first, end)) >>> 0
    this.#memory.write(`${sum.toString(16).padStart(checksumDigits, '0')} `, begin, 'latin1')
    this.#memory[end] = lineEnd
    this.#length = end + 1
    this.#count++
    return this.#length - begin
  }

  clear(): void {
    this.#length = 0
    this.#count = 0
  }

  #enlarge(least: number): void {
    const larger = Buffer.allocUnsafe(Math.max(least, 2 * this.#memory.length))
    this.#memory.copy(larger, 0, 0, this.#length)
    this.#memory = larger
  }
}

/** The record of the line from `begin` to `end`, where its end stands; undefined where the checksum is not its. */
export function recordIn(bytes: Buffer, begin: number, end: number): Buffer | undefined {
  const first = begin + checksumDigits + 1
  if (end < first || bytes[first - 1] !== 0x20) return undefined
  const record = bytes.subarray(first, end)
  return writtenChecksum(bytes, begin) === crc32.buf(record) ? record : undefined
}

/** The checksum that stands there, as a signed number; null where none does. */
function writtenChecksum(bytes: Buffer, begin: number): number | null {
  let sum = 0
  for (let i = 0; i < checksumDigits; i++) {
    const digit = digitOf(bytes[begin + i]!)
    if (digit < 0) return null
    sum = (sum << 4) | digit
  }
  return sum
}

/** What a hexadecimal digit is worth, which a checksum writes in lower case; -1 for what is none. */
function digitOf(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  return byte >= 0x61 && byte <= 0x66 ? byte - 0x57 : -1
}

/** Reads all lines; `end` is where the last whole line ends. */
export async function scanRecords(
  handle: fs.FileHandle,
  onRecord: (record: Buffer, offset: number) => void
): Promise<{ scan: JournalScan; end: number }> {
  const scan: JournalScan = { records: 0, damaged: 0, torn: 0 }
  let rest: Buffer = Buffer.alloc(0)
  /** Where `rest` begins in the file. */
  let start = 0
  for (;;) {
    const block = Buffer.allocUnsafe(scanBytes)
    const { bytesRead } = await handle.read(block, 0, scanBytes, start + rest.length)
    if (bytesRead === 0) break
    const read = block.subarray(0, bytesRead)
    const bytes: Buffer = rest.length === 0 ? read : Buffer.concat([rest, read])
    let begin = 0
    for (let end = bytes.indexOf(lineEnd); end >= 0; end = bytes.indexOf(lineEnd, begin)) {
      const record = recordIn(bytes, begin, end)
      if (record) {
        scan.records++
        onRecord(record, start + begin)
      } else {
        scan.damaged++
      }
      begin = end + 1
    }
    rest = bytes.subarray(begin)
    start += begin
  }
  scan.torn = rest.length
  return { scan, end: start }
}
