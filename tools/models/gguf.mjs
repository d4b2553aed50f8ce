/**
 * Writes GGUF files (version 3, little-endian; ggml's docs/gguf.md): metadata, then tensors that are
 * given as bytes or left as holes, which read as zeros and take no room on the disk.
 */
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs'

const alignment = 32

/** ggml's tensor types: the number of each, the values in one block, and the bytes that a block takes. */
export const tensorTypes = {
  F32: { id: 0, values: 1, bytes: 4 },
  F16: { id: 1, values: 1, bytes: 2 },
  Q4_0: { id: 2, values: 32, bytes: 18 },
  Q8_0: { id: 8, values: 32, bytes: 34 },
  Q4_K: { id: 12, values: 256, bytes: 144 },
  Q6_K: { id: 14, values: 256, bytes: 210 },
  I32: { id: 26, values: 1, bytes: 4 }
}

const kinds = {
  uint16: { id: 2, write: (bytes, value) => bytes.u16(value) },
  uint32: { id: 4, write: (bytes, value) => bytes.u32(value) },
  int32: { id: 5, write: (bytes, value) => bytes.i32(value) },
  float32: { id: 6, write: (bytes, value) => bytes.f32(value) },
  bool: { id: 7, write: (bytes, value) => bytes.raw(Buffer.from([value ? 1 : 0])) },
  string: { id: 8, write: (bytes, value) => bytes.text(value) },
  uint64: { id: 10, write: (bytes, value) => bytes.u64(value) }
}
const array = { id: 9 }

class Bytes {
  #parts = []
  length = 0

  raw(buffer) {
    this.#parts.push(buffer)
    this.length += buffer.length
  }
  #number(size, write) {
    const buffer = Buffer.alloc(size)
    write(buffer)
    this.raw(buffer)
  }
  u16(value) {
    this.#number(2, (buffer) => buffer.writeUInt16LE(value))
  }
  u32(value) {
    this.#number(4, (buffer) => buffer.writeUInt32LE(value))
  }
  i32(value) {
    this.#number(4, (buffer) => buffer.writeInt32LE(value))
  }
  u64(value) {
    this.#number(8, (buffer) => buffer.writeBigUInt64LE(BigInt(value)))
  }
  f32(value) {
    this.#number(4, (buffer) => buffer.writeFloatLE(value))
  }
  text(value) {
    const buffer = Buffer.from(value)
    this.u64(buffer.length)
    this.raw(buffer)
  }
  pad() {
    this.raw(Buffer.alloc((alignment - (this.length % alignment)) % alignment))
  }
  join() {
    return Buffer.concat(this.#parts)
  }
}

export class GgufWriter {
  #metadata = new Map()
  #tensors = []

  /** Sets one metadata value, also in the place of an earlier one; `kind` is one of `kinds`. */
  set(key, kind, value) {
    this.#metadata.set(key, (bytes) => {
      bytes.text(key)
      bytes.u32(kinds[kind].id)
      kinds[kind].write(bytes, value)
    })
    return this
  }

  /** Sets a metadata list, whose values are of one kind. */
  setList(key, kind, values) {
    this.#metadata.set(key, (bytes) => {
      bytes.text(key)
      bytes.u32(array.id)
      bytes.u32(kinds[kind].id)
      bytes.u64(values.length)
      for (const value of values) kinds[kind].write(bytes, value)
    })
    return this
  }

  /** Removes what set() or setList() has set. */
  unset(key) {
    this.#metadata.delete(key)
    return this
  }

  tensorNames() {
    return this.#tensors.map(({ name }) => name)
  }

  /** Removes a tensor. */
  drop(name) {
    this.#tensors = this.#tensors.filter((tensor) => tensor.name !== name)
    return this
  }

  /**
   * Adds a tensor with ggml's shape (fastest dimension first). `data(bytes)` makes its bytes when they are written;
   * without it the tensor becomes a hole.
   */
  tensor(name, type, shape, data) {
    const { values, bytes } = tensorTypes[type]
    if (shape[0] % values !== 0) throw new Error(`${name}: a row of ${shape[0]} is no whole number of ${type} blocks`)
    const size = (shape.reduce((product, length) => product * length, 1) / values) * bytes
    this.#tensors.push({ name, type, shape, size, data })
    return this
  }

  /** Writes the file and returns its length in bytes. */
  write(path) {
    const header = new Bytes()
    header.raw(Buffer.from('GGUF'))
    header.u32(3)
    header.u64(this.#tensors.length)
    header.u64(this.#metadata.size)
    for (const write of this.#metadata.values()) write(header)
    let offset = 0
    for (const tensor of this.#tensors) {
      header.text(tensor.name)
      header.u32(tensor.shape.length)
      for (const length of tensor.shape) header.u64(length)
      header.u32(tensorTypes[tensor.type].id)
      header.u64(offset)
      tensor.offset = offset
      offset += Math.ceil(tensor.size / alignment) * alignment
    }
    header.pad()
    const file = openSync(path, 'w')
    try {
      writeSync(file, header.join())
      for (const { size, offset: at, data, name } of this.#tensors) {
        if (!data) continue
        const bytes = data(size)
        if (bytes.length !== size) throw new Error(`${name}: ${bytes.length} bytes given, ${size} needed`)
        writeSync(file, bytes, 0, size, header.length + at)
      }
      ftruncateSync(file, header.length + offset)
    } finally {
      closeSync(file)
    }
    return header.length + offset
  }
}
