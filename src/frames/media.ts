import { VcapError } from '../errors'
import { withFile } from './fault'

/** The kind of a media file, as its first bytes tell it. */
export type MediaKind =
  /** An image, which may be animated in the formats GIF and WebP. */
  | { type: 'image'; format: 'jpeg' | 'png' | 'webp' | 'tiff' | 'avif' | 'gif' | 'bmp' }
  /** Any other file, which FFmpeg reads. `demuxer` is the demuxer's name in FFmpeg where the first bytes decide it. */
  | { type: 'video'; demuxer?: string }

/** Number of bytes at the start of a file by which it is identified. */
const headBytes = 4096

/** Identifies a file by its first bytes. Pipes and devices are refused. Rejects with `missing` or `unreadable`. */
export async function identify(file: string): Promise<MediaKind> {
  if (file === '') throw new VcapError('missing', 'The path is empty')
  const bytes = await withFile(file, (input) => input.read(0, headBytes))
  // A shorter file is filled up with zeros, so that each place below is there.
  const head = Buffer.concat([bytes], headBytes)
  const ascii = (from: number, to: number) => head.toString('latin1', from, to)
  if (head[0] === 0xff && head[1] === 0xd8 && head[2] === 0xff) {
    // A Motion JPEG stream is a series of JPEG images, so that only the file's name tells it from a single image.
    return /\.mjpe?g$/i.test(file) ? { type: 'video', demuxer: 'mjpeg' } : { type: 'image', format: 'jpeg' }
  }
  // An animated PNG differs from a still one by an acTL chunk.
  if (ascii(0, 8) === '\x89PNG\r\n\x1a\n') {
    return head.includes('acTL') ? { type: 'video', demuxer: 'apng' } : { type: 'image', format: 'png' }
  }
  if (ascii(0, 4) === 'RIFF' && ascii(8, 12) === 'WEBP') return { type: 'image', format: 'webp' }
  if (ascii(0, 4) === 'II*\0' || ascii(0, 4) === 'MM\0*') return { type: 'image', format: 'tiff' }
  if (ascii(0, 4) === 'GIF8') return { type: 'image', format: 'gif' }
  if (ascii(4, 12) === 'ftypavif' || ascii(4, 12) === 'ftypmif1') return { type: 'image', format: 'avif' }
  if (ascii(0, 2) === 'BM' && head.readUInt32LE(6) === 0) return { type: 'image', format: 'bmp' }
  return { type: 'video' }
}
