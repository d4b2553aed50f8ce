import fs from 'node:fs/promises'
import sharp from 'sharp'
import { VcapError } from '../errors'
import type { Picture } from '../picture'

// One picture a thread of libuv's pool is enough: the engine has the cores. No cache: every picture is seen once.
sharp.concurrency(1)
sharp.cache(false)

/** Pages of an image file: 1, or more where it is animated. Throws `unreadable`. */
export async function countPages(file: Buffer): Promise<number> {
  return attempt(async () => (await sharp(file).metadata()).pages ?? 1)
}

/** Reads an image file whole. Throws `unreadable`. */
export function readImageFile(path: string): Promise<Buffer> {
  return attempt(() => fs.readFile(path))
}

/**
 * Decodes one page as 8-bit RGB, turned upright by its EXIF orientation. Alpha is dropped,
 * not blended: transparent pixels keep the colour they have. Throws `unreadable`.
 */
export async function decodeImage(file: Buffer, page: number): Promise<Picture> {
  return attempt(async () => {
    const { data, info } = await sharp(file, { page, failOn: 'error' })
      .autoOrient()
      .removeAlpha()
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true })
    if (info.channels !== 3) throw new Error(`it has ${info.channels} channels instead of 3`)
    return { data, width: info.width, height: info.height }
  })
}

async function attempt<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new VcapError('unreadable', `The image cannot be decoded: ${message.split('\n')[0]}`, { cause })
  }
}
