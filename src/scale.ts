import { loadAddon } from './native/load'
import type { Picture } from './picture'

/** Scales the short side to `side` pixels where either side is longer than that; rounds down, as torchvision does. */
export async function scaleShortSide(picture: Picture, side: number): Promise<Picture> {
  const { data, width, height } = picture
  if (width <= side && height <= side) return picture
  const [newWidth, newHeight] =
    width <= height ? [side, Math.trunc((side * height) / width)] : [Math.trunc((side * width) / height), side]
  if (newWidth === width && newHeight === height) return picture
  const scaled = await loadAddon().resample(data, width, height, newWidth, newHeight)
  return { data: scaled, width: newWidth, height: newHeight }
}
