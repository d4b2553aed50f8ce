import { boxesIn, fileBoxes, findBox, type Box } from './boxes'
import type { Extent } from './extent'

/** Bytes of the largest index that is read. One of an hour has some megabytes. */
const maxIndexBytes = 256 * 2 ** 20

/** Codecs whose frames may consist of zeros. */
const rawCodecs = ['raw ', 'rle ', 'yuv2', '2vuy', 'yuvs', 'v210', 'v308', 'v408', 'v410', 'r210', 'b64a', 'I420']

/** What is missing of an MP4 or MOV file's video, by its index of samples. */
export async function mp4Shortfall(extent: Extent): Promise<string | undefined> {
  const { file, dataEnd, frames } = extent
  const boxes: Box[] = []
  for await (const box of fileBoxes(file)) boxes.push(box)
  const last = boxes.at(-1)
  const isCut = last !== undefined && last.end > file.size
  const isFilled = dataEnd < file.size
  const index = boxes.find(({ type }) => type === 'moov')
  if (!index) return boxes.some(({ type }) => type === 'mdat') ? 'its index (moov) is missing' : undefined
  if (index.end > dataEnd) return 'it ends within its index (moov)'
  if (boxes.some(({ type }) => type === 'moof')) {
    return breaksOff(boxes, file.size) ? `it breaks off after ${frames} frames` : undefined
  }
  // Where no frame could be read, all of them may lie beyond the end, though the boxes before it are whole.
  const isSuspect = isCut || isFilled || frames === 0
  if (!isSuspect || index.end - index.start > maxIndexBytes) return undefined
  const bytes = await file.read(index.start, index.end - index.start)
  const whole = { start: 0, end: bytes.length }
  const samples = videoSamples(bytes, whole)
  if (!samples) return undefined
  const end = isFilled && !rawCodecs.includes(samples.codec) ? dataEnd : file.size
  const count = samples.sizes.length
  const there = countThere(samples, end, file.size)
  return there < count ? `${there} of ${count} frames` : undefined
}

/**
 * Whether a file in fragments (moof, mdat) ends within one. Fragments announce none of those that follow, so that a cut
 * between two is not seen; zeros in place of the next one are no box.
 */
function breaksOff(boxes: Box[], fileEnd: number): boolean {
  const { type, end } = boxes.at(-1)!
  return end > fileEnd ? type === 'mdat' || type === 'moof' : end < fileEnd || type === 'moof'
}

/** The samples of one track: which codec, how long each is, and where. */
interface Samples {
  codec: string
  sizes: Uint32Array
  /** By chunk: its position in the file, and the number of its samples. */
  chunks: { position: number; count: number }[]
}

/** Samples that do not reach beyond the file's end or begin where nothing but zeros follow, of non-empty ones. */
function countThere({ sizes, chunks }: Samples, dataEnd: number, fileEnd: number): number {
  let there = 0
  let sample = 0
  for (const { position, count } of chunks) {
    let start = position
    for (let i = 0; i < count && sample < sizes.length; i++) {
      const size = sizes[sample++]!
      if (size === 0 || (start < dataEnd && start + size <= fileEnd)) there++
      start += size
    }
  }
  return there
}

/** The samples of the first video track; undefined where there is none that can be understood. */
function videoSamples(moov: Buffer, whole: { start: number; end: number }): Samples | undefined {
  for (const track of boxesIn(moov, whole.start, whole.end)) {
    if (track.type !== 'trak') continue
    const handler = findBox(moov, track, 'mdia', 'hdlr')
    const table = findBox(moov, track, 'mdia', 'minf', 'stbl')
    if (!handler || !table || moov.toString('latin1', handler.start + 8, handler.start + 12) !== 'vide') continue
    try {
      return readTable(moov, table)
    } catch (error) {
      if (error instanceof RangeError) return undefined // a table that is longer than its box
      throw error
    }
  }
  return undefined
}

/** Throws `RangeError`. */
function readTable(moov: Buffer, table: Box): Samples | undefined {
  const [codecs, sizeBox, perChunk] = ['stsd', 'stsz', 'stsc'].map((type) => findBox(moov, table, type))
  const offsets = findBox(moov, table, 'stco') ?? findBox(moov, table, 'co64')
  if (!codecs || !sizeBox || !perChunk || !offsets) return undefined
  const codec = moov.toString('latin1', codecs.start + 12, codecs.start + 16)
  const chunkCount = moov.readUInt32BE(offsets.start + 4)
  const positionOf =
    offsets.type === 'stco'
      ? (chunk: number) => moov.readUInt32BE(offsets.start + 8 + chunk * 4)
      : (chunk: number) => Number(moov.readBigUInt64BE(offsets.start + 8 + chunk * 8))
  const countOf = samplesPerChunk(moov, perChunk)
  const chunks = Array.from({ length: Math.min(chunkCount, offsets.end - offsets.start) }, (_, chunk) => ({
    position: positionOf(chunk),
    count: countOf(chunk)
  }))
  return { codec, sizes: readSizes(moov, sizeBox), chunks }
}

function readSizes(moov: Buffer, { start, end }: Box): Uint32Array {
  const sameSize = moov.readUInt32BE(start + 4)
  const count = moov.readUInt32BE(start + 8)
  if (sameSize !== 0) return new Uint32Array(Math.min(count, 10_000_000)).fill(sameSize)
  if (start + 12 + count * 4 > end) throw new RangeError('more sizes than the box has')
  return Uint32Array.from({ length: count }, (_, i) => moov.readUInt32BE(start + 12 + i * 4))
}

/** The number of samples of a chunk by its index; to be asked in ascending order. */
function samplesPerChunk(moov: Buffer, { start }: Box): (chunk: number) => number {
  const entries = moov.readUInt32BE(start + 4)
  const firstOf = (entry: number) => moov.readUInt32BE(start + 8 + entry * 12) - 1
  let entry = 0
  return (chunk) => {
    while (entry + 1 < entries && firstOf(entry + 1) <= chunk) entry++
    return moov.readUInt32BE(start + 8 + entry * 12 + 4)
  }
}
