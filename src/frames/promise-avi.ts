import type { Extent } from './extent'

/** Bytes of the header in which the stream's length stands. */
const headerBytes = 64 * 1024

/** What is missing of an AVI file's video, where the file ends before its list of frames does. */
export async function aviShortfall({ file, dataEnd, frames }: Extent): Promise<string | undefined> {
  const head = await file.read(0, headerBytes)
  const count = announcedFrames(head)
  if (count <= frames) return undefined
  let position = 0
  // A file beyond 1 GiB is a series of RIFF chunks, each with a list of frames.
  while (position + 12 <= file.size) {
    const end = await framesEnd(position)
    if (end === undefined) break
    if (end > dataEnd) return `${frames} of ${count} frames`
    const riff = await file.read(position, 8)
    position += 8 + even(riff.readUInt32LE(4))
  }
  return undefined

  /** Where the list of frames of the RIFF chunk at this position ends; undefined where there is none. */
  async function framesEnd(riff: number): Promise<number | undefined> {
    if ((await file.read(riff, 4)).toString('latin1') !== 'RIFF') return undefined
    for (let position = riff + 12; position + 12 <= file.size; ) {
      const chunk = await file.read(position, 12)
      const size = chunk.readUInt32LE(4)
      if (chunk.toString('latin1', 0, 4) === 'LIST' && chunk.toString('latin1', 8, 12) === 'movi') {
        // A recorder that was stopped leaves sizes of 0 or beyond all bounds.
        return size < 12 || size > 0xfffff000 ? undefined : position + 8 + size
      }
      position += 8 + even(size)
    }
    return undefined
  }
}

const even = (size: number) => size + (size % 2)

/** The number of frames that the first video stream's header tells; 0 where it tells none. */
function announcedFrames(head: Buffer): number {
  const header = head.indexOf('strh')
  for (let at = header; at >= 0 && at + 44 <= head.length; at = head.indexOf('strh', at + 4)) {
    if (head.toString('latin1', at + 8, at + 12) === 'vids') return head.readUInt32LE(at + 8 + 32)
  }
  return 0
}
