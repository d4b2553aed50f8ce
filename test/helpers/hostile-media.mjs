import fs from 'node:fs'
import { ffmpeg } from './media.mjs'

const u16 = (value) => Buffer.from([value >> 8, value & 255])
const u32 = (value) => Buffer.from([value >>> 24, (value >> 16) & 255, (value >> 8) & 255, value & 255])
const box = (type, ...parts) => {
  const contents = Buffer.concat(parts)
  return Buffer.concat([u32(contents.length + 8), Buffer.from(type), contents])
}

/** A text with its length in one byte, filled up to `bytes`. */
const pascal = (text, bytes) => Buffer.concat([Buffer.from([text.length]), Buffer.from(text)], bytes)

/** QuickTime's record of another file, known by its absolute path. */
function alias(target) {
  const name = target.split('/').at(-1)
  const absolute = Buffer.concat([u16(2), u16(target.length), Buffer.from(target), Buffer.alloc(target.length & 1)])
  return Buffer.concat([
    Buffer.alloc(6), // application and size
    u16(2),
    u16(0),
    pascal('disk', 28),
    Buffer.alloc(12),
    pascal(name, 64),
    Buffer.alloc(16),
    u16(1),
    u16(1),
    Buffer.alloc(16),
    absolute,
    u16(0xffff),
    u16(0)
  ])
}

/**
 * A movie of 10 frames of 64 × 48 without compression, whose data lie in the file `target`. `file` is written on the
 * way.
 */
export function referringMovie(file, target) {
  ffmpeg('-f', 'lavfi', '-i', 'color=blue:s=64x48:r=25:d=0.4', '-c:v', 'rawvideo', '-pix_fmt', 'rgb24', file)
  const bytes = fs.readFileSync(file)
  const references = bytes.indexOf('dref') - 4
  const replaced = box('dref', u32(0), u32(1), box('alis', u32(0), alias(target)))
  const grown = replaced.length - bytes.readUInt32BE(references)
  // The boxes around the references grow with them: movie, track, media, its information, data information.
  for (const type of ['moov', 'trak', 'mdia', 'minf', 'dinf']) {
    const start = bytes.lastIndexOf(type, references) - 4
    bytes.writeUInt32BE(bytes.readUInt32BE(start) + grown, start)
  }
  // The frames lie at the start of the other file, one after the other.
  const chunks = bytes.indexOf('stco') + 4
  const first = bytes.readUInt32BE(chunks + 8)
  for (let i = 0; i < bytes.readUInt32BE(chunks + 4); i++) {
    const at = chunks + 8 + i * 4
    bytes.writeUInt32BE(bytes.readUInt32BE(at) - first, at)
  }
  const end = references + bytes.readUInt32BE(references)
  return Buffer.concat([bytes.subarray(0, references), replaced, bytes.subarray(end)]).toString('latin1')
}
