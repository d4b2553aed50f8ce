import type { InputFile } from './fault'

/*
 * The boxes of the ISO base media file format (ISO/IEC 14496-12), of which MP4, MOV, HEIC and AVIF files consist.
 */

/** A box: its type, where its contents begin and where it ends, as positions in the file or the buffer. */
export interface Box {
  type: string
  start: number
  end: number
}

/** Boxes that are looked at on one level: more of them are no sound file. */
const maxBoxes = 100_000

/** The boxes of a file's top level. The last one may end beyond the file's end, where the file was cut. */
export async function* fileBoxes(file: InputFile): AsyncGenerator<Box, void, undefined> {
  let position = 0
  for (let count = 0; count < maxBoxes && position + 8 <= file.size; count++) {
    const head = await file.read(position, 16)
    const box = parseBox(head, 0, position, file.size)
    if (!box) return
    yield box
    position = box.end
  }
}

/** The boxes between two positions of `bytes`, those that are whole. */
export function* boxesIn(bytes: Buffer, start: number, end: number): Generator<Box, void, undefined> {
  let position = start
  while (position + 8 <= end) {
    const box = parseBox(bytes, position, position, end)
    if (!box || box.end > end) return
    yield box
    position = box.end
  }
}

/** The first box on this path of types; undefined where there is none. */
export function findBox(bytes: Buffer, { start, end }: { start: number; end: number }, ...types: string[]) {
  let found: Box | undefined = { type: '', start, end }
  for (const type of types) {
    const { start, end }: Box = found
    found = [...boxesIn(bytes, start, end)].find((box) => box.type === type)
    if (!found) return undefined
  }
  return found
}

/**
 * The box whose header stands at `offset` of `bytes`, which is `position` of the whole. One of size 0 reaches to `end`.
 */
function parseBox(bytes: Buffer, offset: number, position: number, end: number): Box | undefined {
  if (offset + 8 > bytes.length) return undefined
  const short = bytes.readUInt32BE(offset)
  const long = short === 1
  if (long && offset + 16 > bytes.length) return undefined
  const size = long ? Number(bytes.readBigUInt64BE(offset + 8)) : short === 0 ? end - position : short
  const headerBytes = long ? 16 : 8
  if (size < headerBytes) return undefined
  const type = bytes.toString('latin1', offset + 4, offset + 8)
  if (type === '\0\0\0\0') return undefined
  return { type, start: position + headerBytes, end: position + size }
}
