import type { Field } from './packet-index'

/*
 * H.264 may code the two fields of an interlaced picture as pictures of their own, and a demuxer then gives each of
 * them as a packet. Terms and syntax are those of ITU-T H.264, 7.3.
 */

/** The types of the NAL units that are read here. */
const nalTypes = { slice: 1, idrSlice: 5, sps: 7 }

/** Bytes of a slice that are read: the part of its header that is needed is shorter. */
const sliceHeaderBytes = 64

/** Bytes of a sequence parameter set that are read, which is more than one with all scaling lists has up to there. */
const maxSequenceBytes = 2048

/** What a sequence parameter set says about slice headers. */
interface SequenceParameters {
  hasSeparateColourPlanes: boolean
  frameNumBits: number
  /** Whether the stream has no fields. */
  framesOnly: boolean
}

/** Finds out which packets of an H.264 stream hold one field of a picture. */
export class H264Fields {
  #sequence: SequenceParameters | undefined
  /** Bytes of the length before each NAL unit; 0 where start codes are between them. */
  readonly #lengthBytes: number

  /** `extradata` are the stream's headers as the container has them: NAL units with start codes, or an avcC box. */
  constructor(extradata: Uint8Array) {
    const headers = Buffer.from(extradata.buffer, extradata.byteOffset, extradata.length)
    this.#lengthBytes = headers[0] === 1 ? (headers[4]! & 3) + 1 : 0
    if (this.#lengthBytes === 0) for (const nal of nalUnits(headers, 0)) this.#readSequence(nal)
    // An avcC box has 6 bytes before the length, of 2 bytes, and the bytes of its first sequence parameter set.
    else this.#readSequence(headers.subarray(8, 8 + headers.readUInt16BE(6)))
  }

  /** Whether every picture so far is a frame, so that packets need not be looked into. */
  get framesOnly(): boolean {
    return this.#sequence?.framesOnly ?? false
  }

  /** The field that a packet holds; undefined where it holds a frame, or both fields of one. */
  fieldOf(packet: Buffer): Field | undefined {
    let found: Field | undefined
    for (const nal of nalUnits(packet, this.#lengthBytes)) {
      const type = nal[0]! & 0x1f
      if (type === nalTypes.sps) this.#readSequence(nal)
      if (type !== nalTypes.slice && type !== nalTypes.idrSlice) continue
      const field = this.#sequence && readField(nal, this.#sequence)
      if (!field || (found && found.isBottom !== field.isBottom)) return undefined
      found = field
    }
    return found
  }

  #readSequence(nal: Buffer): void {
    if (nal.length > 4 && (nal[0]! & 0x1f) === nalTypes.sps) this.#sequence = readSequence(nal)
  }
}

/** The NAL units of a packet; where start codes are between them, up to the packet's end. */
function* nalUnits(packet: Buffer, lengthBytes: number): Generator<Buffer, void, undefined> {
  if (lengthBytes > 0) {
    for (let at = 0; at + lengthBytes < packet.length; ) {
      const length = packet.readUIntBE(at, lengthBytes)
      at += lengthBytes
      yield packet.subarray(at, at + length)
      at += length
    }
    return
  }
  const startCode = Buffer.from([0, 0, 1])
  for (let at = packet.indexOf(startCode); at >= 0 && at + 3 < packet.length; at = packet.indexOf(startCode, at + 3)) {
    yield packet.subarray(at + 3)
  }
}

function readSequence(nal: Buffer): SequenceParameters {
  const bits = new BitReader(nal.subarray(0, maxSequenceBytes))
  const profile = bits.u(8)
  bits.u(16)
  bits.ue()
  let hasSeparateColourPlanes = false
  if ([100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135].includes(profile)) {
    const chromaFormat = bits.ue()
    if (chromaFormat === 3) hasSeparateColourPlanes = bits.u(1) === 1
    bits.ue()
    bits.ue()
    bits.u(1)
    if (bits.u(1) === 1) {
      for (let list = 0; list < (chromaFormat === 3 ? 12 : 8); list++) {
        if (bits.u(1) === 1) skipScalingList(bits, list < 6 ? 16 : 64)
      }
    }
  }
  const frameNumBits = bits.ue() + 4
  const orderType = bits.ue()
  if (orderType === 0) bits.ue()
  if (orderType === 1) {
    bits.u(1)
    bits.ue()
    bits.ue()
    for (let left = bits.ue(); left > 0 && bits.left > 0; left--) bits.ue()
  }
  bits.ue()
  bits.u(1)
  bits.ue()
  bits.ue()
  return { hasSeparateColourPlanes, frameNumBits, framesOnly: bits.u(1) === 1 }
}

function skipScalingList(bits: BitReader, size: number): void {
  for (let i = 0, last = 8, next = 8; i < size && next !== 0; i++) {
    const code = bits.ue()
    const delta = code % 2 === 1 ? (code + 1) / 2 : -code / 2
    next = (last + delta + 256) % 256
    last = next === 0 ? last : next
  }
}

function readField(slice: Buffer, sequence: SequenceParameters): Field | undefined {
  if (sequence.framesOnly) return undefined
  const bits = new BitReader(slice.subarray(0, sliceHeaderBytes))
  bits.ue()
  bits.ue()
  bits.ue()
  if (sequence.hasSeparateColourPlanes) bits.u(2)
  const frameNum = bits.u(sequence.frameNumBits)
  if (bits.u(1) === 0) return undefined
  return { frameNum, isBottom: bits.u(1) === 1 }
}

/** Reads the bits of a NAL unit behind its first byte; beyond its end they are 0. */
class BitReader {
  readonly #bytes: number[] = []
  #at = 0

  constructor(nal: Buffer) {
    // A byte 3 after two zero bytes is there to prevent a start code and is no part of the syntax.
    for (let i = 1, zeros = 0; i < nal.length; i++) {
      const byte = nal[i]!
      if (zeros < 2 || byte !== 3) this.#bytes.push(byte)
      zeros = byte === 0 ? zeros + 1 : 0
    }
  }

  get left(): number {
    return this.#bytes.length * 8 - this.#at
  }

  /** An unsigned number of `count` bits. */
  u(count: number): number {
    let value = 0
    for (let i = 0; i < count; i++, this.#at++) {
      value = value * 2 + (((this.#bytes[this.#at >> 3] ?? 0) >> (7 - (this.#at & 7))) & 1)
    }
    return value
  }

  /** An unsigned Exp-Golomb code. */
  ue(): number {
    let zeros = 0
    while (zeros < 32 && this.left > 0 && this.u(1) === 0) zeros++
    return 2 ** zeros - 1 + this.u(zeros)
  }
}
