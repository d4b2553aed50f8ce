/** Our own tiles against the reference's (Pillow), in bytes. */
import { meanDifference } from './compare.mjs'
import { picture } from './picture.mjs'

/** Mean absolute difference of an image's tiles, in 255ths, that is still the same picture. */
export const pixelBound = 0.1

/**
 * For each image, and the first frame of each video whose frames are pooled: mean |Δ| over all bytes of its tiles, NaN
 * where the tiles are others.
 */
export function checkPixels(addon, expected) {
  const frames = (expected.videos ?? []).map(({ width, height, seed, tiles }) => {
    // Of a video's frames the first one.
    const crop = { ...expected, aspect: 'crop', pinpoints: [] }
    const ours = addon.testing.cut(crop, picture(width, height, seed), Number.MAX_SAFE_INTEGER)
    return { kind: 'frame', size: `${width}x${height}`, mean: meanDifference(ours.pixels, tiles) }
  })
  const stills = expected.images.map((image) => {
    const drawn = picture(image.width, image.height, image.seed)
    const ours = addon.testing.cut(expected, drawn, Number.MAX_SAFE_INTEGER)
    const sameGrid = ours.cols === image.cols && ours.rows === image.rows
    return {
      kind: image.kind,
      size: `${image.width}x${image.height}`,
      mean: sameGrid ? meanDifference(ours.pixels, image.tiles) : Number.NaN
    }
  })
  return [...stills, ...frames]
}

export function pixelFaults(pixels) {
  return pixels
    .filter(({ mean }) => !(mean <= pixelBound))
    .map(({ kind, size, mean }) => `pixels of ${kind} ${size}: mean difference ${mean} > ${pixelBound}`)
}
