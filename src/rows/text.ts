import { isUtf8 } from 'node:buffer'
import { VcapError } from '../errors'

/** Why bytes are no text; where they stand is known to who reads them. */
export class TextFault extends Error {}

/** What files begin with that are named like tables and are none. */
const magics: [bytes: string, what: string][] = [
  ['PK\x03\x04', 'a spreadsheet or ZIP file: export the table as CSV'],
  ['\xd0\xcf\x11\xe0', 'an old spreadsheet file: export the table as CSV'],
  ['\x1f\x8b', 'compressed by gzip: let its name end with .gz, such as .csv.gz, or name the format, such as csv.gz'],
  ['\x28\xb5\x2f\xfd', 'compressed by zstd: let its name end with .zst, such as .csv.zst, or name the format'],
  ['\xfd7zXZ\x00', 'compressed by xz: decompress it first, as by unxz'],
  ['PAR1', 'a Parquet file: let its name end with .parquet, or name the format parquet'],
  ['ARROW1\x00', 'an Arrow file: export the table as Parquet or CSV'],
  ['SQLite format 3\x00', 'an SQLite database: export the table as CSV']
]

const convert = (encoding: string) => `Convert it first, as by iconv -f ${encoding} -t UTF-8`

/**
 * The text of a table in UTF-8, its byte-order mark taken off: UTF-8 as it is, UTF-16 with a byte-order mark decoded.
 * What comes before a fault is yielded whole, then a `TextFault` is thrown: other bytes are refused and never replaced.
 */
export async function* decodeText(blocks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  let decoder: Decoder | undefined
  for await (const block of blocks) {
    let bytes = block
    if (!decoder) {
      refuseMagic(block)
      const [skipped, found] = chooseDecoder(block)
      decoder = found
      bytes = block.subarray(skipped)
    }
    yield* decoder.decode(bytes)
  }
  decoder?.end()
}

interface Decoder {
  decode(bytes: Buffer): Generator<Buffer>
  /** Throws a `TextFault` where the text ends amid a character. */
  end(): void
}

function chooseDecoder(start: Buffer): [skipped: number, decoder: Decoder] {
  if (start[0] === 0xef && start[1] === 0xbb && start[2] === 0xbf) return [3, new Utf8Decoder()]
  if (start[0] === 0xff && start[1] === 0xfe) return [2, new Utf16Decoder(false)]
  if (start[0] === 0xfe && start[1] === 0xff) return [2, new Utf16Decoder(true)]
  return [0, new Utf8Decoder()]
}

class Utf8Decoder implements Decoder {
  #rest: Buffer = Buffer.alloc(0)

  end(): void {
    if (this.#rest.length > 0) throw utf8Fault(this.#rest[0]!)
  }

  *decode(bytes: Buffer): Generator<Buffer> {
    const all = this.#rest.length > 0 ? Buffer.concat([this.#rest, bytes]) : bytes
    const whole = wholeCharacters(all, all.length)
    const zero = all.indexOf(0)
    if (zero >= 0 || !isUtf8(all.subarray(0, whole))) {
      const bad = firstInvalid(all.subarray(0, whole))
      if (zero >= 0 && zero < bad) {
        yield all.subarray(0, zero)
        throw zeroFault()
      }
      yield all.subarray(0, bad)
      throw utf8Fault(all[bad]!)
    }
    this.#rest = Buffer.from(all.subarray(whole)) // the block itself may be gone by then
    yield all.subarray(0, whole)
  }
}

/** The length of the longest start of `bytes` up to `length` that does not end amid a character. */
function wholeCharacters(bytes: Buffer, length: number): number {
  for (let back = 1; back <= Math.min(3, length); back++) {
    const byte = bytes[length - back]!
    if (byte < 0x80) break
    if (byte < 0xc0) continue // goes on with a character
    const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2
    return back < needed ? length - back : length
  }
  return length
}

/** Where the first bytes stand that are not UTF-8; the length where all are. */
function firstInvalid(bytes: Buffer): number {
  const isValid = (length: number) => isUtf8(bytes.subarray(0, wholeCharacters(bytes, length)))
  if (isValid(bytes.length)) return bytes.length
  let valid = 0
  for (let invalid = bytes.length; invalid - valid > 1; ) {
    const middle = (valid + invalid) >> 1
    if (isValid(middle)) valid = middle
    else invalid = middle
  }
  return wholeCharacters(bytes, valid)
}

function utf8Fault(byte: number): TextFault {
  const hex = byte.toString(16).padStart(2, '0')
  const western = byte < 0xa0 ? 'WINDOWS-1252' : 'LATIN1'
  return new TextFault(`the byte 0x${hex} is not UTF-8. ${convert(western)} where the text is Western European`)
}

function zeroFault(): TextFault {
  return new TextFault(`a zero byte, as in UTF-16 without a byte-order mark. ${convert('UTF-16LE')} if it is that`)
}

class Utf16Decoder implements Decoder {
  readonly #bigEndian: boolean
  #rest: Buffer = Buffer.alloc(0)

  constructor(bigEndian: boolean) {
    this.#bigEndian = bigEndian
  }

  *decode(bytes: Buffer): Generator<Buffer> {
    const all = Buffer.concat([this.#rest, bytes])
    let whole = all.length - (all.length % 2)
    if (whole > 0 && isHighSurrogate(all[whole - (this.#bigEndian ? 2 : 1)]!)) whole -= 2
    this.#rest = all.subarray(whole)
    const units = all.subarray(0, whole)
    const text = (this.#bigEndian ? units.swap16() : units).toString('utf16le')
    const fault = text.search(/[\0\p{Surrogate}]/u)
    yield Buffer.from(fault < 0 ? text : text.slice(0, fault))
    if (fault >= 0) throw text[fault] === '\0' ? new TextFault('a zero character: is this a table?') : utf16Fault()
  }

  end(): void {
    if (this.#rest.length > 0) throw utf16Fault()
  }
}

function isHighSurrogate(highByte: number): boolean {
  return highByte >= 0xd8 && highByte <= 0xdb
}

function utf16Fault(): TextFault {
  return new TextFault('not UTF-16, although its byte-order mark says so: export it as UTF-8')
}

function refuseMagic(start: Buffer): void {
  for (const [bytes, what] of magics) {
    if (start.subarray(0, bytes.length).equals(Buffer.from(bytes, 'latin1'))) throw new TextFault(what)
  }
}

/** A fault with its place, for people. */
export function faultError(label: string, line: number, fault: string): VcapError {
  return new VcapError('csv_invalid', `${label}, line ${line}: ${fault}`)
}
