/** What every peer is asked: pictures, a question and a number of tokens, the same in each run and for each peer. */
import sharp from 'sharp'

export const prompt = 'Describe the video.'

/** LLaVA's own system prompt. Our template adds it by itself; the other peers must be given it. */
export const system =
  'A chat between a curious user and an artificial intelligence assistant. ' +
  "The assistant gives helpful, detailed, and polite answers to the user's questions."

/**
 * Positions that one caption may take, enough for three square frames at full detail, the question and 128 tokens
 * however a peer counts them.
 */
export const context = 9216

export const sizes = { '640x360': [640, 360], '1280x720': [1280, 720], square: [672, 672], tile: [336, 336] }

const detail = { full: '', off: ', one tile', pool: ', pooled 2 × 2' }

/**
 * A workload and its name. With `anyres` off every peer computes one tile a frame: ours because it has that option, the
 * others because they are given pictures of a tile's size, which they cannot cut into several. With `pool` a frame is
 * one tile whose patches are averaged 2 × 2, where a peer can do that.
 */
export function workload({ frames, size, tokens, batch, anyres }) {
  return {
    frames,
    size,
    tokens,
    batch,
    anyres,
    name: `${frames} × ${size}, ${tokens} tokens, batch ${batch}${detail[anyres]}`
  }
}

/**
 * The requests of one round, with pictures as JPEG files in memory. No two pictures of any rounds are alike, so that no
 * peer can reuse earlier work.
 */
export async function requests({ frames, size, tokens, batch }, round) {
  const [width, height] = sizes[size]
  return Promise.all(
    Array.from({ length: batch }, async (_, video) => ({
      images: await Promise.all(
        Array.from({ length: frames }, (_, frame) => jpeg(((round + 1) * 64 + video) * 64 + frame, width, height))
      ),
      prompt,
      tokens
    }))
  )
}

/** A JPEG of soft noise under fine noise, which costs a tower and a JPEG decoder as much as a photograph does. */
async function jpeg(seed, width, height) {
  const { data } = await sharp(noise(seed * 2 + 1, 16 * 9 * 3), { raw: { width: 16, height: 9, channels: 3 } })
    .resize(width, height, { fit: 'fill', kernel: 'cubic' })
    .raw()
    .toBuffer({ resolveWithObject: true })
  const grain = noise(seed * 2 + 2, data.length)
  for (let i = 0; i < data.length; i++) data[i] = (data[i] * 7 + grain[i]) >> 3
  return sharp(data, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 90 })
    .toBuffer()
}

/** Random bytes from the generator xorshift32, which repeat for the same seed. */
export function noise(seed, length) {
  let state = Math.imul(seed, 2654435761) | 1
  return Uint8Array.from({ length }, () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 24
  })
}
