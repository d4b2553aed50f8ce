import { VcapError } from '../errors'
import { isOutOfMemory } from './memory-limit'
import { boxesIn, findBox, type Box } from './boxes'

/*
 * The items of a HEIF file (ISO/IEC 23008-12, with the boxes of ISO/IEC 14496-12): HEIC and AVIF images. The primary
 * item is the image; it may be a grid of tiles, each an item of its own, as in the photos of telephones. Thumbnails,
 * gain maps, depth and alpha are further items, to which the primary one does not lead.
 */

/** What is done to the composed picture, in this order. */
export type Transform =
  /** Quarter turns against the clock. */
  | { type: 'rotate'; turns: number }
  | { type: 'mirror'; direction: 'upsideDown' | 'leftRight' }
  /** The part that is shown. */
  | { type: 'crop'; left: number; top: number; width: number; height: number }

/** A coded picture of which an image consists. */
export interface Tile {
  /** Its decoder configuration record: the parameter sets. */
  configuration: Buffer
  data: Buffer
}

/** An image as its items describe it. */
export interface HeifImage {
  /** The codec of its tiles, by the type of their items: hvc1, av01 or another. */
  codec: string
  /** Row by row. */
  tiles: Tile[]
  columns: number
  /** Size of the composed picture in pixels; undefined where it is that of its only tile. */
  size: { width: number; height: number } | undefined
  /** Size of its only tile, as the file tells it (ispe). */
  tileSize: { width: number; height: number } | undefined
  transforms: Transform[]
}

/** Tiles of the largest grid that is read. */
const maxTiles = 4096

/** Bytes of the largest image, all its items together: they may overlap in the file. */
const maxItemBytes = 2 ** 31

/** Reads the primary item of a whole file. Throws `unreadable`. */
export function parseHeif(bytes: Buffer): HeifImage {
  return withinFile(() => new HeifItems(bytes).primaryImage())
}

/** What `read` reads, to which positions in the file lead. Throws `unreadable` where they lead out of it. */
export function withinFile<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof RangeError && !isOutOfMemory(error))
      throw new VcapError('unreadable', 'damaged: its items lead out of the file')
    throw error
  }
}

class HeifItems {
  readonly #bytes: Buffer
  readonly #meta: Box
  readonly #types: Map<number, string>
  /** Bytes that its items may have yet. */
  #bytesLeft = maxItemBytes

  constructor(bytes: Buffer) {
    this.#bytes = bytes
    const meta = findBox(bytes, { start: 0, end: bytes.length }, 'meta')
    if (!meta) throw new VcapError('unreadable', 'damaged or cut: it has no list of its items (meta)')
    this.#meta = { ...meta, start: meta.start + 4 }
    this.#types = this.#readTypes()
  }

  primaryImage(): HeifImage {
    const primary = this.#require('pitm')
    const id = this.#id(primary.start + 4, this.#version(primary) > 0)
    return this.#image(id, [])
  }

  /** `seen` holds the items that lead here: one that leads to itself is refused. */
  #image(id: number, seen: number[]): HeifImage {
    const type = this.#types.get(id) ?? '(none)'
    if (seen.includes(id)) throw new VcapError('unreadable', 'damaged: an item of it leads to itself')
    const transforms = this.#transforms(id)
    const sources = this.#references(id, 'dimg')
    if (type === 'iden' && sources.length === 1) {
      const image = this.#image(sources[0]!, [...seen, id])
      return { ...image, transforms: [...image.transforms, ...transforms] }
    }
    if (type !== 'grid') {
      const tileSize = this.#extents(id)
      return { codec: type, tiles: [this.#tile(id)], columns: 1, size: undefined, tileSize, transforms }
    }
    const { rows, columns, ...size } = this.#grid(id)
    if (sources.length !== rows * columns || sources.length > maxTiles) {
      throw new VcapError('unreadable', `damaged: its grid of ${columns} × ${rows} has ${sources.length} tiles`)
    }
    const codecs = new Set(sources.map((source) => this.#types.get(source) ?? '(none)'))
    const codec = codecs.size === 1 ? [...codecs][0]! : [...codecs].join(' and ')
    return { codec, tiles: sources.map((source) => this.#tile(source)), columns, size, tileSize: undefined, transforms }
  }

  #grid(id: number): { rows: number; columns: number; width: number; height: number } {
    const grid = this.#data(id)
    const [rows, columns] = [grid.readUInt8(2) + 1, grid.readUInt8(3) + 1]
    const isLong = (grid.readUInt8(1) & 1) !== 0
    const [width, height] = isLong
      ? [grid.readUInt32BE(4), grid.readUInt32BE(8)]
      : [grid.readUInt16BE(4), grid.readUInt16BE(6)]
    return { rows, columns, width, height }
  }

  #tile(id: number): Tile {
    const configuration = this.#properties(id).find(({ type }) => type === 'hvcC')
    const record = configuration && this.#bytes.subarray(configuration.start, configuration.end)
    return { configuration: record ?? Buffer.alloc(0), data: this.#data(id) }
  }

  #extents(id: number): { width: number; height: number } | undefined {
    const extents = this.#properties(id).find(({ type }) => type === 'ispe')
    if (!extents) return undefined
    return { width: this.#bytes.readUInt32BE(extents.start + 4), height: this.#bytes.readUInt32BE(extents.start + 8) }
  }

  #transforms(id: number): Transform[] {
    const extents = this.#extents(id)
    return this.#properties(id).flatMap((box): Transform[] => {
      const { type, start } = box
      const first = this.#bytes[start] ?? 0
      if (type === 'irot') return [{ type: 'rotate', turns: first & 3 }]
      if (type === 'imir') return [{ type: 'mirror', direction: first & 1 ? 'leftRight' : 'upsideDown' }]
      return type === 'clap' && extents ? [this.#cleanAperture(box, extents)] : []
    })
  }

  /** The clean aperture: its size, and how far its centre lies from the picture's, each as a fraction. */
  #cleanAperture({ start }: Box, extents: { width: number; height: number }): Transform {
    const fraction = (at: number) =>
      this.#bytes.readInt32BE(start + at) / Math.max(1, this.#bytes.readInt32BE(start + at + 4))
    const [width, height] = [Math.round(fraction(0)), Math.round(fraction(8))]
    const left = Math.round((extents.width - width) / 2 + fraction(16))
    const top = Math.round((extents.height - height) / 2 + fraction(24))
    return { type: 'crop', left, top, width, height }
  }

  /** The properties of an item, in the order in which they apply. */
  #properties(id: number): Box[] {
    const all = [...this.#boxes(this.#require('iprp', 'ipco'))]
    const properties = this.#require('iprp')
    for (const association of this.#boxes(properties)) {
      if (association.type !== 'ipma') continue
      const indices = this.#associated(association, id)
      if (indices) return indices.flatMap((index) => all[index - 1] ?? [])
    }
    return []
  }

  #associated(ipma: Box, wanted: number): number[] | undefined {
    const hasLongIds = this.#version(ipma) > 0
    const hasLongIndices = (this.#bytes.readUInt8(ipma.start + 3) & 1) !== 0
    let at = ipma.start + 8
    for (let count = this.#bytes.readUInt32BE(ipma.start + 4); count > 0 && at < ipma.end; count--) {
      const id = this.#id(at, hasLongIds)
      at += hasLongIds ? 4 : 2
      const indices = Array.from({ length: this.#bytes.readUInt8(at++) }, () => {
        const index = hasLongIndices ? this.#bytes.readUInt16BE(at) & 0x7fff : this.#bytes.readUInt8(at) & 0x7f
        at += hasLongIndices ? 2 : 1
        return index
      })
      if (id === wanted) return indices
    }
    return undefined
  }

  /** The items to which this one refers in this way, in their order. */
  #references(id: number, type: string): number[] {
    const references = findBox(this.#bytes, this.#meta, 'iref')
    if (!references) return []
    const isLong = this.#version(references) > 0
    const step = isLong ? 4 : 2
    for (const box of boxesIn(this.#bytes, references.start + 4, references.end)) {
      if (box.type !== type || this.#id(box.start, isLong) !== id) continue
      const count = this.#bytes.readUInt16BE(box.start + step)
      return Array.from({ length: count }, (_, i) => this.#id(box.start + step + 2 + i * step, isLong))
    }
    return []
  }

  #readTypes(): Map<number, string> {
    const list = this.#require('iinf')
    const types = new Map<number, string>()
    for (const entry of boxesIn(this.#bytes, list.start + (this.#version(list) > 0 ? 8 : 6), list.end)) {
      const isLong = this.#version(entry) > 2
      const type = entry.start + (isLong ? 10 : 8)
      types.set(this.#id(entry.start + 4, isLong), this.#bytes.toString('latin1', type, type + 4))
    }
    return types
  }

  /** The bytes of an item, out of the file or out of the box of small items. Throws `unreadable`. */
  #data(id: number): Buffer {
    const location = this.#require('iloc')
    const version = this.#version(location)
    const sizes = this.#bytes.readUInt16BE(location.start + 4)
    const [offsetSize, lengthSize, baseSize] = [sizes >> 12, (sizes >> 8) & 15, (sizes >> 4) & 15]
    const indexSize = version > 0 ? sizes & 15 : 0
    let at = location.start + 6
    const take = (size: number) => {
      at += size
      return size === 0
        ? 0
        : size === 8
          ? Number(this.#bytes.readBigUInt64BE(at - 8))
          : this.#bytes.readUIntBE(at - size, size)
    }
    const idSize = version < 2 ? 2 : 4
    for (let count = take(idSize); count > 0 && at < location.end; count--) {
      const item = take(idSize)
      const method = version > 0 ? take(2) & 15 : 0
      const reference = take(2)
      const base = take(baseSize)
      const extents = Array.from({ length: take(2) }, () => {
        take(indexSize)
        return { offset: base + take(offsetSize), length: take(lengthSize) }
      })
      if (item === id) return this.#gather(extents, method, reference)
    }
    throw new VcapError('unreadable', 'damaged: an item of it has no place in the file')
  }

  #gather(extents: { offset: number; length: number }[], method: number, reference: number): Buffer {
    const small = findBox(this.#bytes, this.#meta, 'idat')
    if (method > 1 || reference !== 0 || (method === 1 && !small)) {
      throw new VcapError('unreadable', 'a HEIF image whose data lie elsewhere, which is not read')
    }
    const start = method === 1 ? small!.start : 0
    const parts = extents.map(({ offset, length }) => {
      const part = this.#bytes.subarray(start + offset, length === 0 ? undefined : start + offset + length)
      if (part.length < length) throw new VcapError('unreadable', 'truncated: its data end early')
      this.#bytesLeft -= part.length
      if (this.#bytesLeft < 0) throw new VcapError('unreadable', 'damaged: its items have more bytes than fit any file')
      return part
    })
    return Buffer.concat(parts)
  }

  #boxes({ start, end }: Box): Generator<Box, void, undefined> {
    return boxesIn(this.#bytes, start, end)
  }

  #require(...types: string[]): Box {
    const box = findBox(this.#bytes, this.#meta, ...types)
    if (!box) throw new VcapError('unreadable', `damaged: it has no box ${types.at(-1)}`)
    return box
  }

  #version({ start }: Box): number {
    return this.#bytes.readUInt8(start)
  }

  #id(at: number, isLong: boolean): number {
    return isLong ? this.#bytes.readUInt32BE(at) : this.#bytes.readUInt16BE(at)
  }
}
