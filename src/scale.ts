import sharp from 'sharp'
import type { Picture } from './picture'

/** Stretches to exactly `width` × `height`; bicubic with antialiasing, as Pillow does it, within about a level. */
export async function stretch(picture: Picture, width: number, height: number): Promise<Picture> {
  const smaller = await reduce(picture, Math.min(width, picture.width), Math.min(height, picture.height))
  return enlarge(smaller, width, height)
}

/** Scales the short side to `side` where either side is longer than that; rounds down, as torchvision does. */
export async function scaleShortSide(picture: Picture, side: number): Promise<Picture> {
  const { width, height } = picture
  if (width <= side && height <= side) return picture
  return width <= height
    ? stretch(picture, side, Math.trunc((side * height) / width))
    : stretch(picture, Math.trunc((side * width) / height), side)
}

async function reduce(picture: Picture, width: number, height: number): Promise<Picture> {
  if (picture.width === width && picture.height === height) return picture
  const data = await raw(picture).resize(width, height, { fit: 'fill', kernel: 'cubic' }).raw().toBuffer()
  return { data, width, height }
}

/** Pixels repeated at each edge, so that the bicubic kernel never reaches outside. */
const border = 3

/**
 * Not by `resize`: enlarging, it is half a pixel off. The affine transform maps pixel
 * centres to pixel centres when told to.
 */
async function enlarge(picture: Picture, width: number, height: number): Promise<Picture> {
  if (picture.width === width && picture.height === height) return picture
  const [x, y] = [width / picture.width, height / picture.height]
  // Where the picture begins in the enlarged whole: moved on to the next pixel.
  const [left, top] = [Math.ceil(border * x), Math.ceil(border * y)]
  const bordered = await raw(picture).extend({ top: border, bottom: border, left: border, right: border, extendWith: 'copy' }).raw().toBuffer()
  const size = { width: picture.width + 2 * border, height: picture.height + 2 * border }
  const whole = await raw({ data: bordered, ...size })
    .affine([[x, 0], [0, y]], { interpolator: 'bicubic', idx: 0.5, idy: 0.5, odx: left - border * x - 0.5, ody: top - border * y - 0.5 })
    .raw()
    .toBuffer({ resolveWithObject: true })
  const { width: wholeWidth, height: wholeHeight } = whole.info
  const data = await raw({ data: whole.data, width: wholeWidth, height: wholeHeight }).extract({ left, top, width, height }).raw().toBuffer()
  return { data, width, height }
}

function raw({ data, width, height }: Picture) {
  return sharp(data, { raw: { width, height, channels: 3 }, limitInputPixels: false })
}
