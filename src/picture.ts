import { VcapError } from './errors'

/** A picture in memory: `width · height · 3` bytes, RGB, interleaved, row by row. */
export interface Picture {
  data: Uint8Array
  width: number
  height: number
}

/** Throws `usage` when `picture` is not what it says. */
export function requirePicture(picture: Picture, place: number): void {
  const { data, width, height } = picture
  const sized = Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0
  if (sized && data instanceof Uint8Array && data.length === width * height * 3) return
  throw new VcapError(
    'usage',
    `Expected ${sized ? `${width * height * 3} bytes of RGB` : 'width and height in pixels'} for image ${place} but received ${width} × ${height} and ${data?.length} bytes`
  )
}
