/**
 * A writer of H.264 whose pictures are coded field by field (PAFF), which no encoder at hand makes. Every macroblock
 * holds its samples as they are (I_PCM). Syntax: ITU-T H.264, 7.3.
 */

const [columns, fieldRows] = [10, 3]
const nalTypes = { slice: 0x61, idrSlice: 0x65, sps: 0x67, pps: 0x68, delimiter: 9 }
const sliceTypes = { p: 5, i: 7 }
const pcmTypes = { p: 30, i: 25 }

/**
 * `count` frames of 160 × 96 as a raw stream, each of which carries its index as ten bars, and every `gop`-th of which
 * is a key frame. `hasTiming`: whether the headers say 50 fields a second.
 */
export function fieldCodedStream(count, { gop = 10, hasTiming = true } = {}) {
  const units = []
  for (let frame = 0; frame < count; frame++) {
    for (const bottom of [0, 1]) {
      units.push(nal(nalTypes.delimiter, new Bits().u(3, 7).trail()))
      const isIdr = frame % gop === 0 && !bottom
      if (isIdr) units.push(nal(nalTypes.sps, sequence(hasTiming)), nal(nalTypes.pps, pictureParameters()))
      units.push(nal(isIdr ? nalTypes.idrSlice : nalTypes.slice, field(frame, frame % gop, bottom, isIdr)))
    }
  }
  return Buffer.concat(units)
}

function sequence(hasTiming) {
  // Main profile, level 3; frame_num of 4 bits, picture order count of 8; field pairs or frames.
  const bits = new Bits().u(8, 77).u(8, 0).u(8, 30).ue(0).ue(0).ue(0).ue(4).ue(2).u(1, 0)
  bits
    .ue(columns - 1)
    .ue(fieldRows - 1)
    .u(1, 0)
    .u(1, 0)
    .u(1, 1)
    .u(1, 0)
    .u(1, hasTiming ? 1 : 0)
  if (hasTiming) bits.u(4, 0).u(1, 1).u(32, 1).u(32, 50).u(1, 1).u(4, 0)
  return bits.trail()
}

function pictureParameters() {
  return new Bits().ue(0).ue(0).u(2, 0).ue(0).ue(0).ue(0).u(3, 0).ue(0).ue(0).ue(0).u(1, 1).u(2, 0).trail()
}

function field(frame, frameNum, bottom, isIdr) {
  const type = isIdr ? 'i' : 'p'
  const bits = new Bits().ue(0).ue(sliceTypes[type]).ue(0).u(4, frameNum).u(1, 1).u(1, bottom)
  if (isIdr) bits.ue(frame % 2)
  bits.u(8, frameNum * 2 + bottom)
  bits
    .u(isIdr ? 2 : 3, 0)
    .ue(0)
    .ue(1)
  for (let block = 0; block < columns * fieldRows; block++) {
    if (!isIdr) bits.ue(0)
    bits.ue(pcmTypes[type]).align()
    const luma = (frame >> (block % columns)) & 1 ? 235 : 20
    bits.bytes.push(...Array(256).fill(luma), ...Array(128).fill(128))
  }
  return bits.trail()
}

function nal(header, { bytes }) {
  const escaped = []
  for (const byte of bytes) {
    if (byte <= 3 && escaped.at(-1) === 0 && escaped.at(-2) === 0) escaped.push(3)
    escaped.push(byte)
  }
  return Buffer.from([0, 0, 0, 1, header, ...escaped])
}

/** Writes bits, the highest first. */
class Bits {
  bytes = []
  #byte = 0
  #used = 0

  u(count, value) {
    for (let bit = count - 1; bit >= 0; bit--) {
      this.#byte = this.#byte * 2 + (Math.floor(value / 2 ** bit) % 2)
      if (++this.#used < 8) continue
      this.bytes.push(this.#byte)
      this.#byte = this.#used = 0
    }
    return this
  }

  /** An unsigned Exp-Golomb code. */
  ue(value) {
    const length = Math.floor(Math.log2(value + 1))
    return this.u(length, 0).u(length + 1, value + 1)
  }

  align() {
    while (this.#used > 0) this.u(1, 0)
    return this
  }

  trail() {
    return this.u(1, 1).align()
  }
}
