import type { Picture } from '../picture'
import { loadSharp } from '../sharp'

/** A picture as a request carries it. */
export interface SentPicture {
  /** A data URL of a JPEG file. */
  url: string
  width: number
  height: number
}

/** Of the JPEG files, of 100: above it they grow and show nothing more. */
const quality = 90

/** Frames as JPEG files, in their order. */
export function toJpegs(frames: Picture[]): Promise<SentPicture[]> {
  const sharp = loadSharp()
  return Promise.all(
    frames.map(async ({ data, width, height }) => {
      const file = await sharp(data, { raw: { width, height, channels: 3 } })
        .jpeg({ quality })
        .toBuffer()
      return { url: `data:image/jpeg;base64,${file.toString('base64')}`, width, height }
    })
  )
}
