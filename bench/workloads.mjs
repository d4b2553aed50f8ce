/** What is asked of everyone: pictures, a question, a number of tokens. The same each time and for each peer. */
import sharp from 'sharp'

export const prompt = 'Describe the video.'

/** LLaVA's own, which our template writes by itself. */
export const system =
  "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, and polite answers to the user's questions."

/** Positions a caption may take: three square frames at full detail, the question, 128 tokens, in anyone's way of counting. */
export const context = 9216

export const sizes = { '640x360': [640, 360], '1280x720': [1280, 720], square: [672, 672], tile: [336, 336] }

/**
 * A workload by its parts. With `anyres` off everyone gets one tile a frame: we by that option, the others by
 * pictures of the tile's size, which leave them nothing to cut.
 */
export function workload({ frames, size, tokens, batch, anyres }) {
  return {
    frames,
    size,
    tokens,
    batch,
    anyres,
    name: `${frames} × ${size}, ${tokens} tokens, batch ${batch}${anyres === 'off' ? ', one tile' : ''}`
  }
}

/** The requests of one round as everyone gets them: JPEG files in memory. No two pictures are alike, in any round. */
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

/** Soft noise under fine noise: like a photograph to a tower and to a JPEG decoder. */
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

/** Bytes of xorshift32. */
export function noise(seed, length) {
  let state = Math.imul(seed, 2654435761) | 1
  return Uint8Array.from({ length }, () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 24
  })
}
