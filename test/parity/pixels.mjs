/** Our own pixels (sharp) against the reference's (Pillow), both as the tower's tiles in bytes. */
import { meanDifference } from './compare.mjs'
import { picture } from './picture.mjs'

/** Mean absolute difference of an image's tiles, in 255ths, that is still the same picture. */
export const pixelBound = 0.1

/** For each image: mean |Δ| over all bytes of its tiles, NaN where the tiles are others. */
export async function checkPixels(cutTiles, addon, vision, expected) {
  return Promise.all(
    expected.images.map(async (image) => {
      const ours = await cutTiles(
        addon,
        vision,
        picture(image.width, image.height, image.seed),
        Number.MAX_SAFE_INTEGER
      )
      const sameGrid = ours.cols === image.cols && ours.rows === image.rows
      return {
        kind: image.kind,
        size: `${image.width}x${image.height}`,
        mean: sameGrid ? meanDifference(ours.pixels, image.tiles) : Number.NaN
      }
    })
  )
}

export function pixelFaults(pixels) {
  return pixels
    .filter(({ mean }) => !(mean <= pixelBound))
    .map(({ kind, size, mean }) => `pixels of ${kind} ${size}: mean difference ${mean} > ${pixelBound}`)
}

/** How the images of a model are to be cut, as the addon would say it of the file. */
export function visionOf({ tileSize, patchSize, pinpoints, aspect, merge, width }) {
  return { tileSize, patchSize, pinpoints, aspect, merge, width }
}
