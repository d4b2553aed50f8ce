import type { Extent } from './extent'
import { type InputFile, withFile } from './fault'
import { aviShortfall } from './promise-avi'
import { asfShortfall, flvShortfall } from './promise-duration'
import { matroskaShortfall } from './promise-matroska'
import { mp4Shortfall } from './promise-mp4'

/*
 * What a container promises of its video, held against what is there: a file that was cut, or whose tail was never
 * written, passes for a shorter video otherwise. The containers' headers are read here, by no reader of FFmpeg's, so
 * that both say the same. A file counts as truncated only where bytes are missing that its own structure announces:
 * counts and durations alone are wrong in many sound files.
 */

/** Shorter rows of zeros at the end of a file are taken for contents. */
const minZeros = 64

/**
 * What is missing of the video of `file`, as "31 of 83 frames" or "it ends at 1.2 s of 3.6 s"; undefined where nothing
 * is. `times` are those of the frames that were read. Rejects with `ReadFault`.
 */
export function findShortfall(
  file: string,
  frames: number,
  times: Float64Array | undefined
): Promise<string | undefined> {
  return withFile(file, async (input) => {
    const head = await input.read(0, 16)
    const check = checkFor(head)
    if (!check) return undefined
    return check({ file: input, dataEnd: await findDataEnd(input), frames, lastEnd: lastEnd(times) })
  })
}

function checkFor(head: Buffer): ((extent: Extent) => Promise<string | undefined>) | undefined {
  const ascii = (from: number, to: number) => head.toString('latin1', from, to)
  if (['ftyp', 'moov', 'mdat', 'wide', 'free', 'skip'].includes(ascii(4, 8))) return mp4Shortfall
  if (ascii(0, 4) === '\x1a\x45\xdf\xa3') return matroskaShortfall
  if (ascii(0, 4) === 'RIFF' && ascii(8, 12) === 'AVI ') return aviShortfall
  if (ascii(0, 3) === 'FLV') return flvShortfall
  if (ascii(0, 4) === '\x30\x26\xb2\x75') return asfShortfall
  return undefined
}

/** Seconds at which the last frame ends, which is taken to last as long as the one before it. */
function lastEnd(times: Float64Array | undefined): number | undefined {
  if (!times || times.length === 0) return undefined
  const last = times.at(-1)!
  return times.length > 1 ? last + (last - times.at(-2)!) : last
}

const chunkBytes = 2 ** 20

/** The position after the last byte of `file` that is not zero; the file's size where few zeros follow it. */
async function findDataEnd(file: InputFile): Promise<number> {
  let end = file.size
  for (let bytes = 4096; end > 0; bytes = chunkBytes) {
    const start = Math.max(0, end - bytes)
    const chunk = await file.read(start, end - start)
    let kept = chunk.length
    while (kept > 0 && chunk[kept - 1] === 0) kept--
    if (kept > 0) {
      end = start + kept
      break
    }
    end = start
  }
  return file.size - end < minZeros ? file.size : end
}
