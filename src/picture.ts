import { VcapError } from './errors'

/** A picture in memory: `width · height · 3` bytes, RGB, interleaved, row by row. */
export interface Picture {
  data: Uint8Array
  width: number
  height: number
}

/** Throws `usage` when `picture`, the one at `index` of a list, is not what it says. */
export function requirePicture(picture: Picture, index: number): void {
  if (typeof picture !== 'object' || picture === null) {
    const received = picture === null ? 'null' : typeof picture
    throw new VcapError(
      'usage',
      `Expected a picture { data, width, height } for image ${index} but received ${received}`
    )
  }
  const { data, width, height } = picture
  const sized = Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0
  if (sized && data instanceof Uint8Array && data.length === width * height * 3) return
  const expected = sized ? `${width * height * 3} bytes of RGB` : 'width and height in pixels'
  throw new VcapError(
    'usage',
    `Expected ${expected} for image ${index} but received ${width} × ${height} and ${size(data)}`
  )
}

function size(data: unknown): string {
  return data instanceof Uint8Array ? `${data.length} bytes` : data === null ? 'null' : `a value of type ${typeof data}`
}
