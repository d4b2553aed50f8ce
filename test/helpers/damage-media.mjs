/*
 * Damage of media files by a seed. Half of it falls where the structure is: at the beginning, at the end, and at
 * lengths beside names of four letters, as boxes, chunks and RIFF lists have them.
 */

const lengths = [
  [0, 0, 0, 0],
  [0, 0, 0, 1],
  [1, 0, 0, 0],
  [0, 0, 0, 8],
  [0x7f, 0xff, 0xff, 0xff],
  [0xff, 0xff, 0xff, 0x7f],
  [0xff, 0xff, 0xff, 0xff],
  [0x80, 0, 0, 0],
  [0, 1, 0, 0],
  [0, 0, 0xff, 0xff]
].map((bytes) => Buffer.from(bytes))

const addresses = [
  'file:///etc/passwd',
  'http://127.0.0.1:9/x.ts',
  'concat:/etc/passwd|/etc/hosts',
  '../secret',
  '%03d.png'
]

/** A place: anywhere, or near either end. */
function place(random, length) {
  const near = Math.min(length, 1024)
  const kind = random.below(4)
  if (kind === 0) return random.below(near)
  return kind === 1 ? length - random.below(near) : random.below(length + 1)
}

/** Two places, the earlier one first. */
function range(random, length) {
  const from = Math.min(place(random, length), Math.max(0, length - 1))
  return [from, Math.min(length, from + 1 + random.below(random.chance(0.7) ? 64 : length))]
}

/** Where names of four letters stand. */
function names(bytes) {
  return [...bytes.toString('latin1').matchAll(/[A-Za-z][A-Za-z0-9 ]{3}/g)].map(({ index }) => index)
}

/** The boxes of an ISO file, at any depth: everything that looks like one. */
function boxes(bytes) {
  return names(bytes)
    .map((name) => ({ start: name - 4, end: name >= 4 ? name - 4 + bytes.readUInt32BE(name - 4) : 0 }))
    .filter(({ start, end }) => start >= 0 && end >= start + 8 && end <= bytes.length)
}

const join = (...parts) => Buffer.concat(parts)
const without = (bytes, from, to) => join(bytes.subarray(0, from), bytes.subarray(to))
const put = (bytes, at, what) => join(bytes.subarray(0, at), what, bytes.subarray(at))

/** Each takes random numbers, the bytes, and those of another file, and returns other bytes. */
const ways = {
  flip: (random, bytes) => {
    for (let count = 1 + random.below(24); count > 0; count--) {
      const at = Math.min(place(random, bytes.length), bytes.length - 1)
      bytes[at] ^= random.chance(0.5) ? 1 << random.below(8) : random.below(256)
    }
    return bytes
  },
  zero: (random, bytes) => bytes.fill(random.pick([0, 0, 0xff]), ...range(random, bytes.length)),
  cut: (random, bytes) => bytes.subarray(0, place(random, bytes.length)),
  behead: (random, bytes) => bytes.subarray(place(random, bytes.length)),
  remove: (random, bytes) => without(bytes, ...range(random, bytes.length)),
  repeat: (random, bytes) => {
    const [from, to] = range(random, bytes.length)
    return put(bytes, random.chance(0.5) ? to : place(random, bytes.length), bytes.subarray(from, to))
  },
  swap: (random, bytes) => {
    const [from, to] = range(random, bytes.length)
    const part = Buffer.from(bytes.subarray(from, to))
    const rest = without(bytes, from, to)
    return put(rest, place(random, rest.length), part)
  },
  length: (random, bytes) => {
    const found = names(bytes)
    const at =
      found.length > 0 && random.chance(0.7)
        ? random.pick(found) + random.pick([-4, 4, 8])
        : place(random, bytes.length)
    random.pick(lengths).copy(bytes, Math.max(0, Math.min(at, bytes.length - 4)))
    return bytes
  },
  exchange: (random, bytes) => {
    const found = boxes(bytes)
    if (found.length < 2) return ways.swap(random, bytes)
    const [one, other] = [random.pick(found), random.pick(found)]
    const part = Buffer.from(bytes.subarray(other.start, other.end))
    return join(bytes.subarray(0, one.start), part, bytes.subarray(random.chance(0.5) ? one.end : one.start))
  },
  rename: (random, bytes) => {
    const found = names(bytes)
    if (found.length === 0) return bytes
    const from = random.pick(found)
    return bytes.copyWithin(random.pick(found), from, from + 4)
  },
  splice: (random, bytes, other) => {
    const [from, to] = range(random, other.length)
    return put(bytes, place(random, bytes.length), other.subarray(from, to))
  },
  graft: (random, bytes, other) =>
    join(bytes.subarray(0, place(random, bytes.length)), other.subarray(place(random, other.length))),
  address: (random, bytes) => {
    Buffer.from(random.pick(addresses)).copy(bytes, Math.min(place(random, bytes.length), bytes.length - 1))
    return bytes
  },
  grow: (random, bytes) =>
    join(bytes, Buffer.alloc(1 + random.below(random.chance(0.1) ? 2 ** 20 : 4096), random.below(256)))
}

/** Bytes of the largest file: ranges that are repeated double it each time. */
const maxBytes = 2 ** 21

/** `bytes` damaged in one to four ways; `other` is another file. Returns the ways as well. */
export function damageMedia(random, bytes, other) {
  const names = Array.from({ length: 1 + random.below(4) }, () => random.pick(Object.keys(ways)))
  let damaged = Buffer.from(bytes)
  for (const name of names)
    if (damaged.length > 0) damaged = Buffer.from(ways[name](random, damaged, other)).subarray(0, maxBytes)
  return { bytes: damaged, ways: names }
}
