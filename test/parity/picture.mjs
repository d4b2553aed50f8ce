/** Pictures and sizes of the parity cases, the same bytes as tools/parity/picture.py makes. */

function scramble(x, y, z, seed) {
  let h = Math.imul(x, 0x9e3779b1) ^ Math.imul(y, 0x85ebca77) ^ Math.imul(z, 0xc2b2ae3d)
  h = Math.imul(h ^ seed, 0x27d4eb2f)
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d)
  return (h ^ (h >>> 12)) >>> 0
}

/** RGB bytes, row by row: coloured squares of 16 pixels, a slope and noise. */
export function picture(width, height, seed) {
  const data = new Uint8Array(width * height * 3)
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++, i++) {
        const squares = scramble(x >> 4, y >> 4, c, seed) & 127
        const slope = (((x * ((seed % 7) + 1) + y * ((seed % 5) + 1)) * (c + 1)) >> 2) & 63
        data[i] = squares + slope + (scramble(x, y, c + 3, seed) & 63)
      }
    }
  }
  return { data, width, height }
}

/** The i-th image size of a seed, `[width, height]`. */
export function sizeAt(i, seed) {
  const limit = [4096, 1400, 420, 100][i & 3]
  return [1 + (scramble(i, 0, 0, seed) % limit), 1 + (scramble(i, 1, 0, seed) % limit)]
}
