import type { SharpOptions } from 'sharp'
import { VcapError } from '../errors'
import type { Picture } from '../picture'
import { loadSharp } from '../sharp'
import { isOutOfMemory, OutOfMemory } from './memory-limit'
import { maxPixels, requireFrameSize, type FrameSize } from './reader'

/** Number of pages of an image file, which are the frames where it is animated. Rejects with `unreadable`. */
export async function countPages(file: Buffer): Promise<number> {
  return orUnreadable(async () => (await openImage(file).metadata()).pages ?? 1)
}

/** What an image file says of itself. */
export interface ImageHeader extends FrameSize {
  pages: number
  /** Seconds for which its pages are shown one after the other, where it is animated and says so. */
  duration: number | undefined
}

/** Reads an image's header and no pixels; its size is that of the upright picture. Rejects with `unreadable`. */
export async function readHeader(file: Buffer): Promise<ImageHeader> {
  const { pages = 1, delay = [], autoOrient } = await orUnreadable(() => openImage(file).metadata())
  requireFrameSize(autoOrient.width, autoOrient.height)
  const milliseconds = delay.reduce((sum, each) => sum + each, 0)
  return { ...autoOrient, pages, duration: pages > 1 && milliseconds > 0 ? milliseconds / 1000 : undefined }
}

/**
 * Decodes one page, the file's main one where it is undefined, as RGB of 8 bits and turns it upright by its EXIF
 * orientation. The alpha channel is dropped and not blended with a background, so that transparent pixels keep their
 * colour. Of an image of which something is missing (`isPartial`) the rest is taken. Rejects with `unreadable`.
 */
export async function decodeImage(file: Buffer, page: number | undefined, isPartial = false): Promise<Picture> {
  return orUnreadable(async () => {
    if (isPartial) return decodePage(file, page, 'none')
    // libjpeg goes on over pixels that are not there, as gray, and only warns; of what is harmless it warns too.
    if (!isJpeg(file)) return decodePage(file, page, 'error')
    try {
      return await decodePage(file, page, 'warning')
    } catch (error) {
      if (error instanceof Error && lostPixels.test(error.message)) throw error
    }
    return decodePage(file, page, 'error')
  })
}

const isJpeg = (file: Buffer) => file[0] === 0xff && file[1] === 0xd8

/** libjpeg's warnings of pixels that it makes up. */
const lostPixels = /premature end|bad Huffman code|bad arithmetic code|instead of RST/i

async function decodePage(
  file: Buffer,
  page: number | undefined,
  failOn: 'none' | 'error' | 'warning'
): Promise<Picture> {
  const { data, info } = await openImage(file, { ...(page !== undefined && { page }), failOn })
    .autoOrient()
    .removeAlpha()
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
  if (info.channels !== 3) throw new Error(`it has ${info.channels} channels instead of 3`)
  return { data, width: info.width, height: info.height }
}

/** The loaders of libvips for the formats that sharp reads here. */
const loaders = ['Jpeg', 'Png', 'Webp', 'Tiff', 'Heif', 'Nsgif'].map((format) => `VipsForeignLoad${format}Buffer`)

let sharp: ReturnType<typeof loadSharp> | undefined

/**
 * An image for sharp to read. The loaders that are not needed are blocked: libvips looks at the bytes by itself, and
 * some of its loaders, such as that of SVG, follow what a file points to. A picture that is too large is refused before
 * it is decoded.
 */
function openImage(file: Buffer, options?: SharpOptions) {
  if (!sharp) {
    sharp = loadSharp()
    sharp.block({ operation: ['VipsForeignLoad'] })
    sharp.unblock({ operation: loaders })
  }
  return sharp(file, { ...options, limitInputPixels: maxPixels })
}

/** Runs `work` and converts what it throws to `unreadable`. */
async function orUnreadable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (cause instanceof VcapError) throw cause
    if (isOutOfMemory(cause)) throw new OutOfMemory('libvips is refused some', { cause })
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new VcapError('unreadable', `The image cannot be decoded: ${message.split('\n')[0]}`, { cause })
  }
}
