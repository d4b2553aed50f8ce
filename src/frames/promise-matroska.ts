import { endsEarly, type Extent } from './extent'
import type { InputFile } from './fault'

/** Identifiers of Matroska's elements. */
const ids = {
  segment: 0x18538067,
  seekHead: 0x114d9b74,
  seek: 0x4dbb,
  seekId: 0x53ab,
  seekPosition: 0x53ac,
  info: 0x1549a966,
  timestampScale: 0x2ad7b1,
  duration: 0x4489,
  cluster: 0x1f43b675
}

/** Bytes of the largest SeekHead or Info that is read. */
const maxHeaderBytes = 2 ** 20

interface Element {
  id: number
  start: number
  /** Infinity where the size is not known, as in live streams. */
  end: number
}

/**
 * What is missing of a Matroska or WebM file's video, where the file ends before its segment does. Bytes that are
 * missing behind the last cluster, the Cues say, are none of the video's.
 */
export async function matroskaShortfall(extent: Extent): Promise<string | undefined> {
  const { file, dataEnd, frames, lastEnd } = extent
  const header = await readElement(file, 0)
  const segment = header && (await readElement(file, header.end))
  if (segment?.id !== ids.segment || segment.end === Infinity || segment.end <= dataEnd) return undefined
  const { lostCluster, duration } = await walk(file, segment, dataEnd)
  if (!lostCluster) return undefined
  if (duration === undefined || lastEnd === undefined) return `it breaks off after ${frames} frames`
  // Bytes that are not there at all are a part of the cluster; zeros may be silence, or black.
  const isCut = segment.end > file.size
  return endsEarly(lastEnd, duration) ?? (isCut ? `it breaks off after ${frames} frames` : undefined)
}

/** Follows the segment's elements up to where the contents end. `duration` is in seconds. */
async function walk(file: InputFile, segment: Element, dataEnd: number) {
  const found: { lostCluster: boolean; duration: number | undefined } = { lostCluster: false, duration: undefined }
  /** Positions of elements that the SeekHead announces, and that are no clusters. */
  const announced = new Set<number>()
  let position = segment.start
  while (position < dataEnd) {
    const element = await readElement(file, position)
    if (!element) break
    if (element.id === ids.info) found.duration = duration(await contents(file, element))
    if (element.id === ids.seekHead) {
      for (const offset of seekPositions(await contents(file, element))) announced.add(segment.start + offset)
    }
    if (element.end > dataEnd) {
      found.lostCluster = element.id === ids.cluster
      return found
    }
    position = element.end
  }
  // It ends between two elements: the next one is a cluster unless it is announced here.
  found.lostCluster = !announced.has(position)
  return found
}

async function contents(file: InputFile, { start, end }: Element): Promise<Buffer> {
  return file.read(start, Math.min(end - start, maxHeaderBytes))
}

async function readElement(file: InputFile, position: number): Promise<Element | undefined> {
  return parseElement(await file.read(position, 12), 0, position)
}

/** The element at `offset` of `bytes`, which is `position` of the whole; undefined where there is none. */
function parseElement(bytes: Buffer, offset: number, position: number): Element | undefined {
  const idBytes = vintBytes(bytes[offset])
  const sizeBytes = vintBytes(bytes[offset + (idBytes ?? 0)])
  if (!idBytes || idBytes > 4 || !sizeBytes || offset + idBytes + sizeBytes > bytes.length) return undefined
  const id = bytes.readUIntBE(offset, idBytes)
  let size = bytes[offset + idBytes]! & (0xff >> sizeBytes)
  let isUnknown = size === 0xff >> sizeBytes
  for (let i = 1; i < sizeBytes; i++) {
    const byte = bytes[offset + idBytes + i]!
    isUnknown &&= byte === 0xff
    size = size * 256 + byte
  }
  const start = position + idBytes + sizeBytes
  return { id, start, end: isUnknown ? Infinity : start + size }
}

/** Length in bytes of a number whose first byte this is. */
function vintBytes(first: number | undefined): number | undefined {
  return first ? Math.clz32(first) - 23 : undefined
}

function* elementsIn(bytes: Buffer): Generator<Element & { data: Buffer }, void, undefined> {
  let position = 0
  while (position < bytes.length) {
    const element = parseElement(bytes, position, position)
    if (!element || element.end > bytes.length) return
    yield { ...element, data: bytes.subarray(element.start, element.end) }
    position = element.end
  }
}

const unsigned = (data: Buffer) => data.reduce((value, byte) => value * 256 + byte, 0)

function duration(info: Buffer): number | undefined {
  let scale = 1_000_000
  let ticks: number | undefined
  for (const { id, data } of elementsIn(info)) {
    if (id === ids.timestampScale) scale = unsigned(data)
    if (id === ids.duration && data.length === 4) ticks = data.readFloatBE(0)
    if (id === ids.duration && data.length === 8) ticks = data.readDoubleBE(0)
  }
  return ticks === undefined ? undefined : (ticks * scale) / 1e9
}

function seekPositions(seekHead: Buffer): number[] {
  const positions: number[] = []
  for (const { id, data } of elementsIn(seekHead)) {
    if (id !== ids.seek) continue
    const parts = [...elementsIn(data)]
    const target = parts.find(({ id }) => id === ids.seekId)
    const position = parts.find(({ id }) => id === ids.seekPosition)
    if (target && position && unsigned(target.data) !== ids.cluster) positions.push(unsigned(position.data))
  }
  return positions
}
