import { VcapError } from '../errors'
import { withFile, type InputFile } from './fault'
import { refusal } from './refused'

/** The kind of a media file, as its first bytes tell it. */
export type MediaKind =
  /** An image, which may be animated in the formats GIF and WebP. `heif` is HEIC and AVIF. */
  | { type: 'image'; format: 'jpeg' | 'png' | 'webp' | 'tiff' | 'heif' | 'gif' }
  /** An image that FFmpeg reads with this demuxer, since sharp cannot. */
  | { type: 'ffmpegImage'; demuxer: string }
  /** A sequence of images in a HEIF file (AVIF, HEIC), which has a still image beside it. */
  | { type: 'sequence' }
  /** Any other file, which FFmpeg reads. `demuxer` is the demuxer's name in FFmpeg where the first bytes decide it. */
  | { type: 'video'; demuxer?: string }

/** Number of bytes at the start of a file by which it is identified. */
const headBytes = 4096

/**
 * Identifies a file by its first bytes. Pipes, devices and files that point to others are refused. Rejects with
 * `missing` or `unreadable`.
 */
export async function identify(file: string): Promise<MediaKind> {
  if (file === '') throw new VcapError('missing', 'The path is empty')
  return withFile(file, async (input) => {
    const bytes = await input.read(0, headBytes)
    const why = refusal(bytes)
    if (why !== undefined) throw new VcapError('unreadable', why)
    // A shorter file is filled up with zeros, so that each place that is looked at is there.
    return identifyHead(Buffer.concat([bytes], headBytes), file, input)
  })
}

async function identifyHead(head: Buffer, file: string, input: InputFile): Promise<MediaKind> {
  const ascii = (from: number, to: number) => head.toString('latin1', from, to)
  if (head[0] === 0xff && head[1] === 0xd8 && head[2] === 0xff) {
    // A Motion JPEG stream is a series of JPEG images, so that only the file's name tells it from a single image.
    return /\.mjpe?g$/i.test(file) ? { type: 'video', demuxer: 'mjpeg' } : { type: 'image', format: 'jpeg' }
  }
  if (ascii(0, 8) === '\x89PNG\r\n\x1a\n') {
    return (await isAnimatedPng(input)) ? { type: 'video', demuxer: 'apng' } : { type: 'image', format: 'png' }
  }
  if (ascii(0, 4) === 'RIFF' && ascii(8, 12) === 'WEBP') return { type: 'image', format: 'webp' }
  if (['II*\0', 'MM\0*', 'II+\0', 'MM\0+'].includes(ascii(0, 4))) return { type: 'image', format: 'tiff' }
  if (ascii(0, 4) === 'GIF8') return { type: 'image', format: 'gif' }
  if (ascii(4, 8) === 'ftyp' && sequenceBrands.includes(ascii(8, 12))) return { type: 'sequence' }
  if (ascii(4, 8) === 'ftyp' && imageBrands.includes(ascii(8, 12))) return { type: 'image', format: 'heif' }
  if (ascii(0, 2) === 'BM' && head.readUInt32LE(6) === 0) return { type: 'ffmpegImage', demuxer: 'bmp_pipe' }
  const pnm = /^P([1-7])[\s#]/.exec(ascii(0, 3))
  if (pnm) return { type: 'ffmpegImage', demuxer: pnmDemuxers[Number(pnm[1])]! }
  if (ascii(4, 8) === 'jP  ' || ascii(0, 4) === '\xff\x4f\xff\x51') return { type: 'ffmpegImage', demuxer: 'j2k_pipe' }
  return { type: 'video' }
}

/** Major brands of HEIF files whose image is a still one. */
const imageBrands = ['heic', 'heix', 'heim', 'heis', 'mif1', 'mif2', 'miaf', 'avif', 'avci', 'jpeg', 'j2ki', 'vvic']

/** Major brands of HEIF files that are a sequence of images. */
const sequenceBrands = ['avis', 'msf1', 'hevc', 'hevx', 'hevm', 'hevs', 'avcs']

/** FFmpeg's demuxers of PBM, PGM, PPM and PAM files, by the number behind their P. */
const pnmDemuxers = ['', 'pbm_pipe', 'pgm_pipe', 'ppm_pipe', 'pbm_pipe', 'pgm_pipe', 'ppm_pipe', 'pam_pipe']

/** Chunks of a PNG file that are looked at: no sound file has more before its image. */
const maxChunks = 10_000

/** Whether a PNG file is animated: it has an acTL chunk, before its first image data. */
async function isAnimatedPng(input: InputFile): Promise<boolean> {
  let position = 8
  for (let count = 0; count < maxChunks; count++) {
    const chunk = await input.read(position, 8)
    const type = chunk.toString('latin1', 4, 8)
    if (type === 'acTL') return true
    if (type === 'IDAT' || type === 'IEND' || chunk.length < 8) return false
    position += 12 + chunk.readUInt32BE(0)
  }
  return false
}
