/**
 * The GPU code in a file that nvcc made. NVIDIA does not describe the container; what is read here is what nvcc 13
 * writes for known architectures, which test/package/check-cuda.test.mjs holds.
 */
import fs from 'node:fs'

const magic = Buffer.from([0x50, 0xed, 0x55, 0xba])
/** Kinds of entries, by the words that nvcc has for their architectures. */
const kinds = { 1: 'compute', 2: 'sm' }
/** Bits of an entry's flags: code for one GPU alone, and for its family. */
const [oneAlone, family] = [0x100000, 0x200000]

/** How many modules there are for each architecture: `{ sm_90a: 150, compute_90a: 150 }`. */
export function gpuCode(file) {
  const bytes = fs.readFileSync(file)
  const counts = {}
  for (let at = bytes.indexOf(magic); at >= 0; at = bytes.indexOf(magic, at + magic.length)) {
    for (const name of entries(bytes, at)) counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}

/** The architectures of one container's entries; none where the bytes only look like one. */
function entries(bytes, at) {
  if (at + 16 > bytes.length || bytes.readUInt16LE(at + 4) !== 1) return []
  const end = at + bytes.readUInt16LE(at + 6) + Number(bytes.readBigUInt64LE(at + 8))
  const names = []
  for (let entry = at + bytes.readUInt16LE(at + 6); entry + 64 <= Math.min(end, bytes.length); ) {
    const kind = kinds[bytes.readUInt16LE(entry)]
    const size = bytes.readUInt32LE(entry + 4) + Number(bytes.readBigUInt64LE(entry + 8))
    if (kind === undefined || size < 64) break
    const flags = bytes.readUInt32LE(entry + 40)
    const letter = flags & oneAlone ? 'a' : flags & family ? 'f' : ''
    names.push(`${kind}_${bytes.readUInt32LE(entry + 28)}${letter}`)
    entry += size
  }
  return names
}
