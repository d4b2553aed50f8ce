import { VcapError } from '../errors'
import type { Picture } from '../picture'
import { loadSharp } from '../sharp'
import { parseHeif, withinFile, type HeifImage, type Tile, type Transform } from './heif'
import { openVideo } from './open'
import { maxPixels, requireFrameSize, type FrameSize, type ReadLimits } from './reader'
import type { VideoTools } from './tools'
import { withBytes } from './unnamed-file'

/** Tiles that are decoded at once: the ffmpeg command has an output for each of them. */
const tilesAtOnce = 24

/**
 * Decodes a HEIC image: its tiles as a stream of HEVC pictures, which either reader of videos decodes, composed and
 * turned upright. FFmpeg's own reader of these files gives the first tile. Rejects with `unreadable`, `no_frames` and
 * `ffmpeg_missing`.
 */
export async function decodeHeic(image: HeifImage, limits: ReadLimits, tools: VideoTools): Promise<Picture> {
  const tiles = await decodeTiles(image.tiles, limits, tools)
  let picture = compose(tiles, image)
  for (const transform of image.transforms) picture = await apply(transform, picture)
  return picture
}

async function decodeTiles(tiles: Tile[], limits: ReadLimits, tools: VideoTools): Promise<Picture[]> {
  const pictures: Picture[] = []
  for (let first = 0; first < tiles.length; first += tilesAtOnce) {
    const group = tiles.slice(first, first + tilesAtOnce)
    const decoded = await withBytes(
      withinFile(() => Buffer.concat(group.map(toStream))),
      async (file) => {
        const reader = await openVideo({ path: file, demuxer: 'hevc' }, limits, tools)
        try {
          return await reader.decodeFromStart(group.map((_, i) => i))
        } finally {
          reader.close()
        }
      }
    )
    for (const picture of decoded.pictures) {
      if (!picture) throw new VcapError('unreadable', 'damaged: not all tiles of this HEIC image can be decoded')
      pictures.push(picture)
    }
  }
  return pictures
}

const startCode = Buffer.from([0, 0, 0, 1])

/** A tile as a stream of its own: parameter sets and slices, each behind a start code (ISO/IEC 23008-2, Annex B). */
function toStream({ configuration, data }: Tile): Buffer {
  if (configuration.length < 23) throw new VcapError('unreadable', 'damaged: a tile has no configuration (hvcC)')
  const units: Buffer[] = []
  let at = 23
  for (let arrays = configuration.readUInt8(22); arrays > 0; arrays--) {
    const count = configuration.readUInt16BE(at + 1)
    at += 3
    for (let i = 0; i < count; i++) {
      const size = configuration.readUInt16BE(at)
      units.push(startCode, configuration.subarray(at + 2, at + 2 + size))
      at += 2 + size
    }
  }
  const sizeBytes = (configuration.readUInt8(21) & 3) + 1
  for (let start = 0; start + sizeBytes <= data.length; ) {
    const size = data.readUIntBE(start, sizeBytes)
    units.push(startCode, data.subarray(start + sizeBytes, start + sizeBytes + size))
    start += sizeBytes + size
  }
  return Buffer.concat(units)
}

/** Puts the tiles side by side, row by row; what lies beyond the image's size is dropped. */
function compose(tiles: Picture[], { columns, size }: HeifImage): Picture {
  const first = tiles[0]!
  if (!size) return first
  const { width, height } = size
  if (width * height > maxPixels) throw new VcapError('unreadable', `The image of ${width} × ${height} is too large`)
  const rows = tiles.length / columns
  const covers = first.width * columns >= width && first.height * rows >= height
  if (!covers || tiles.some((tile) => tile.width !== first.width || tile.height !== first.height)) {
    throw new VcapError('unreadable', 'damaged: the tiles of this HEIC image do not make up its size')
  }
  const data = new Uint8Array(width * height * 3)
  for (const [i, tile] of tiles.entries()) {
    const left = (i % columns) * first.width
    const top = Math.floor(i / columns) * first.height
    const shown = Math.min(first.width, width - left) * 3
    for (let y = 0; shown > 0 && y < first.height && top + y < height; y++) {
      const row = y * first.width * 3
      data.set(tile.data.subarray(row, row + shown), ((top + y) * width + left) * 3)
    }
  }
  return { data, width, height }
}

/** Size of the upright picture, as the file tells it. Throws `unreadable` where it does not. */
export function heicSize({ size, tileSize, transforms }: HeifImage): FrameSize {
  let shown = size ?? tileSize
  if (!shown) throw new VcapError('unreadable', 'damaged: this HEIC image does not say how large it is')
  for (const transform of transforms) {
    if (transform.type === 'rotate' && transform.turns % 2 === 1) shown = { width: shown.height, height: shown.width }
    if (transform.type === 'crop' && isWithin(transform, shown))
      shown = { width: transform.width, height: transform.height }
  }
  requireFrameSize(shown.width, shown.height)
  return { width: shown.width, height: shown.height }
}

/** Whether a crop is a part of a picture; one that is not is left out. */
function isWithin(crop: { left: number; top: number; width: number; height: number }, picture: FrameSize): boolean {
  const { left, top, width, height } = crop
  return (
    left >= 0 && top >= 0 && width > 0 && height > 0 && left + width <= picture.width && top + height <= picture.height
  )
}

async function apply(transform: Transform, { data, width, height }: Picture): Promise<Picture> {
  const image = loadSharp()(data, { raw: { width, height, channels: 3 } })
  if (transform.type === 'rotate') image.rotate((4 - transform.turns) * 90)
  else if (transform.type === 'mirror') transform.direction === 'leftRight' ? image.flop() : image.flip()
  else {
    const { left, top, width: w, height: h } = transform
    if (!isWithin(transform, { width, height })) return { data, width, height }
    image.extract({ left, top, width: w, height: h })
  }
  const turned = await image.raw().toBuffer({ resolveWithObject: true })
  return { data: turned.data, width: turned.info.width, height: turned.info.height }
}

/** The image of a HEIF file, and what to do with one that is not read. Throws `unreadable`. */
export function readHeif(bytes: Buffer): HeifImage {
  const image = parseHeif(bytes)
  if (image.codec === 'hvc1' || image.codec === 'av01') return image
  throw new VcapError(
    'unreadable',
    `a HEIF image coded as ${image.codec}, which is not read: convert it to JPEG or PNG`
  )
}
