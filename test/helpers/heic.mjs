import fs from 'node:fs'
import { ffmpeg } from './media.mjs'

/*
 * HEIC files of our own: a picture cut into tiles, each coded by x265 as an item, and put together by a grid item, as
 * telephones do it.
 */

const u16 = (value) => Buffer.from([value >> 8, value & 255])
const u32 = (value) => Buffer.from([value >>> 24, (value >> 16) & 255, (value >> 8) & 255, value & 255])
const box = (type, ...parts) => {
  const contents = Buffer.concat(parts)
  return Buffer.concat([u32(contents.length + 8), Buffer.from(type), contents])
}
const fullBox = (type, version, flags, ...parts) => box(type, u32((version << 24) | flags), ...parts)

/** NAL units of a stream with start codes. */
function unitsOf(stream) {
  const units = []
  for (let at = stream.indexOf('000001', 0, 'hex'); at >= 0; ) {
    const next = stream.indexOf('000001', at + 3, 'hex')
    let end = next < 0 ? stream.length : next
    while (stream[end - 1] === 0) end--
    units.push(stream.subarray(at + 3, end))
    at = next
  }
  return units
}

/** One tile: its parameter sets as a configuration record, and its slices. */
function encodeTile(file, picture, width, height) {
  fs.writeFileSync(`${file}.rgb`, picture)
  const raw = ['-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s', `${width}x${height}`, '-i', `${file}.rgb`]
  const x265 = ['-c:v', 'libx265', '-x265-params', 'log-level=none:info=0', '-pix_fmt', 'yuv420p', '-crf', '4']
  ffmpeg(...raw, '-frames:v', '1', ...x265, '-f', 'hevc', file)
  const units = unitsOf(fs.readFileSync(file))
  const kind = (unit) => (unit[0] >> 1) & 63
  const arrays = [32, 33, 34].map((type) => {
    const sets = units.filter((unit) => kind(unit) === type)
    return Buffer.concat([Buffer.from([type]), u16(sets.length), ...sets.flatMap((set) => [u16(set.length), set])])
  })
  const configuration = Buffer.concat([Buffer.from([1]), Buffer.alloc(20), Buffer.from([3, arrays.length]), ...arrays])
  const slices = units.filter((unit) => kind(unit) < 32)
  return { configuration, data: Buffer.concat(slices.flatMap((unit) => [u32(unit.length), unit])) }
}

const cut = (picture, width, left, top, w, h) =>
  Buffer.concat(
    Array.from({ length: h }, (_, y) => picture.subarray(((top + y) * width + left) * 3).subarray(0, w * 3))
  )

/**
 * Writes a HEIC file. `picture` is RGB of `columns · tile` × `rows · tile` pixels; `shown` is the grid's size where it
 * is smaller, `properties` are boxes of transforms. `isLong` takes the wide forms of ids and sizes; a thumbnail stands
 * before the tiles.
 */
export function writeHeic(
  file,
  picture,
  { tile, columns, rows, shown, properties = [], isLong = false, brand = 'heic' }
) {
  const width = tile * columns
  const items = [{ type: 'hvc1', ...encodeTile(`${file}.t`, Buffer.alloc(64 * 64 * 3, 200), 64, 64), size: [64, 64] }]
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const pixels = cut(picture, width, column * tile, row * tile, tile, tile)
      items.push({ type: 'hvc1', ...encodeTile(`${file}.t`, pixels, tile, tile), size: [tile, tile] })
    }
  }
  const isGrid = columns * rows > 1
  const [w, h] = shown ?? [width, tile * rows]
  if (isGrid) {
    const size = isLong ? [u32(w), u32(h)] : [u16(w), u16(h)]
    const grid = Buffer.concat([Buffer.from([0, isLong ? 1 : 0, rows - 1, columns - 1]), ...size])
    items.push({ type: 'grid', data: grid, size: [w, h] })
  }
  const primary = items.length
  const id = isLong ? u32 : u16
  const boxes = []
  const associations = items.map(({ configuration, size }, i) => {
    const own = [
      fullBox('ispe', 0, 0, u32(size[0]), u32(size[1])),
      ...(configuration ? [box('hvcC', configuration)] : [])
    ]
    if (i === primary - 1) own.push(...properties)
    const indices = own.map((property) => boxes.push(property))
    return Buffer.concat([id(i + 1), Buffer.from([indices.length, ...indices])])
  })
  const references = [
    box('thmb', id(1), u16(1), id(primary)),
    ...(isGrid ? [box('dimg', id(primary), u16(columns * rows), ...items.slice(1, -1).map((_, i) => id(i + 2)))] : [])
  ]
  const version = isLong ? 2 : 1
  const meta = (base) => {
    let offset = base
    const places = items.map(({ type, data }, i) => {
      const isSmall = type === 'grid'
      const place = Buffer.concat([
        id(i + 1),
        u16(isSmall ? 1 : 0),
        u16(0),
        u16(1),
        u32(isSmall ? 0 : offset),
        u32(data.length)
      ])
      if (!isSmall) offset += data.length
      return place
    })
    return fullBox(
      'meta',
      0,
      0,
      fullBox('hdlr', 0, 0, u32(0), Buffer.from('pict'), Buffer.alloc(13)),
      fullBox('pitm', isLong ? 1 : 0, 0, id(primary)),
      fullBox('iloc', version, 0, Buffer.from([0x44, 0]), id(items.length), ...places),
      fullBox(
        'iinf',
        isLong ? 1 : 0,
        0,
        id(items.length),
        ...items.map(({ type }, i) => fullBox('infe', isLong ? 3 : 2, 0, id(i + 1), u16(0), Buffer.from(`${type}\0`)))
      ),
      fullBox('iref', isLong ? 1 : 0, 0, ...references),
      box('iprp', box('ipco', ...boxes), fullBox('ipma', isLong ? 1 : 0, 0, u32(items.length), ...associations)),
      box('idat', isGrid ? items.at(-1).data : Buffer.alloc(0))
    )
  }
  const type = box('ftyp', Buffer.from(brand), u32(0), Buffer.from('mif1heic'))
  const base = type.length + meta(0).length + 8
  const data = box('mdat', ...items.filter(({ type }) => type !== 'grid').map(({ data }) => data))
  fs.writeFileSync(file, Buffer.concat([type, meta(base), data]))
  return file
}

export const rotation = (turns) => box('irot', Buffer.from([turns]))
export const mirror = (axis) => box('imir', Buffer.from([axis]))
/** A clean aperture in the middle of the picture. */
export const aperture = (width, height) =>
  box('clap', ...[width, height, 0, 0].flatMap((value) => [u32(value), u32(1)]))
