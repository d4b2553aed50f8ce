import type { Addon, NativeImage, NativeTileLayout, NativeVision } from './native/addon'
import type { Picture } from './picture'
import { stretch } from './scale'

/*
 * Pictures as the vision tower takes them: the overview, then the grid row by row. The
 * geometry is the addon's (`tileLayout`); here are the pixels. After LLaVA's
 * process_images and resize_and_pad_image (haotian-liu/LLaVA, llava/mm_utils.py).
 */

/** What LLaVA-1.5 pads to a square with: the mean colour of CLIP's training pictures. */
const squarePadding = [122, 116, 104] as const
const black = [0, 0, 0] as const

/** Cuts one picture into tiles of `tileSize` × `tileSize`; `maxTiles` bounds the grid (0: overview only). */
export async function cutTiles(
  addon: Addon,
  vision: NativeVision,
  picture: Picture,
  maxTiles: number
): Promise<NativeImage> {
  const layout = addon.tileLayout(vision, picture.width, picture.height, maxTiles)
  const { cols, rows } = layout
  const size = vision.tileSize
  const tileBytes = size * size * 3
  const pixels = new Uint8Array(tileBytes * layout.tiles)
  pixels.set((await overview(vision, picture)).data)
  if (cols > 0) {
    const grid = await gridCanvas(layout, size, picture)
    for (let row = 0; row < rows; row++) {
      for (let col = 0; col < cols; col++) {
        const tile = pixels.subarray(tileBytes * (1 + row * cols + col), tileBytes * (2 + row * cols + col))
        copyRect(grid, col * size, row * size, { data: tile, width: size, height: size }, 0, 0, size, size)
      }
    }
  }
  return { pixels, width: picture.width, height: picture.height, cols, rows }
}

/** The whole picture as one tile. */
async function overview({ aspect, tileSize: size }: NativeVision, picture: Picture): Promise<Picture> {
  const { width, height } = picture
  if (aspect === 'anyres') return stretch(picture, size, size)
  if (aspect === 'pad') {
    const side = Math.max(width, height)
    const square = canvas(side, side, squarePadding)
    copyRect(picture, 0, 0, square, Math.floor((side - width) / 2), Math.floor((side - height) / 2), width, height)
    return stretch(square, size, size)
  }
  const scaled =
    width <= height
      ? await stretch(picture, size, Math.trunc((size * height) / width))
      : await stretch(picture, Math.trunc((size * width) / height), size)
  const tile = canvas(size, size, black)
  copyRect(
    scaled,
    Math.floor((scaled.width - size) / 2),
    Math.floor((scaled.height - size) / 2),
    tile,
    0,
    0,
    size,
    size
  )
  return tile
}

/** The picture scaled to fit the grid, on black. */
async function gridCanvas(layout: NativeTileLayout, size: number, picture: Picture): Promise<Picture> {
  const grid = canvas(layout.cols * size, layout.rows * size, black)
  const scaled = await stretch(picture, layout.resizedWidth, layout.resizedHeight)
  copyRect(scaled, 0, 0, grid, layout.padLeft, layout.padTop, scaled.width, scaled.height)
  return grid
}

function canvas(width: number, height: number, [r, g, b]: readonly [number, number, number]): Picture {
  const data = new Uint8Array(width * height * 3)
  if (r | g | b) {
    for (let i = 0; i < data.length; i += 3) {
      data[i] = r
      data[i + 1] = g
      data[i + 2] = b
    }
  }
  return { data, width, height }
}

function copyRect(
  from: Picture,
  fromX: number,
  fromY: number,
  to: Picture,
  toX: number,
  toY: number,
  width: number,
  height: number
): void {
  for (let y = 0; y < height; y++) {
    const start = ((fromY + y) * from.width + fromX) * 3
    to.data.set(from.data.subarray(start, start + width * 3), ((toY + y) * to.width + toX) * 3)
  }
}
