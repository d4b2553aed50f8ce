import { loadAddon } from './native/load'
import type { Picture } from './picture'

/** Stretches to exactly `width` × `height`; bicubic with antialiasing, to the bit as Pillow does it. */
export async function stretch(picture: Picture, width: number, height: number): Promise<Picture> {
  if (picture.width === width && picture.height === height) return picture
  return { data: await loadAddon().resample(picture.data, picture.width, picture.height, width, height), width, height }
}

/** Scales the short side to `side` where either side is longer than that; rounds down, as torchvision does. */
export async function scaleShortSide(picture: Picture, side: number): Promise<Picture> {
  const { width, height } = picture
  if (width <= side && height <= side) return picture
  return width <= height
    ? stretch(picture, side, Math.trunc((side * height) / width))
    : stretch(picture, Math.trunc((side * width) / height), side)
}
