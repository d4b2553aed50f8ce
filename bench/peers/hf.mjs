/** HF transformers' LlavaNext on the CPU with SDPA, its weights random of the same shape. */
import { fileURLToPath } from 'node:url'
import { startPython } from './python.mjs'

/**
 * The peer whose `generate` takes `together` requests at a time. With one request a call the prompt is processed
 * faster, with several the tokens are decoded faster, so both are measured. With `bfloat16` as `dtype`, matrix products
 * are several times as fast where the CPU has instructions for them, but sums are rounded.
 */
export const hf = (together, dtype) => ({
  name: `HF ${dtype === 'float32' ? 'F32' : 'BF16'}, ${together === 1 ? 'one at a time' : 'as a batch'}`,
  async start({ pair, batch, threads, python }) {
    if (!pair.shape) throw new Error('has no weights of this model')
    if (together !== 1 && batch === 1) throw new Error('is the one above at batch 1')
    const { languageModel, projector } = pair.shape
    const process = startPython(python, fileURLToPath(new URL('hf.py', import.meta.url)))
    try {
      await process.ask({ language: languageModel, projector, threads, dtype })
    } catch (error) {
      process.stop()
      throw error
    }
    return {
      caption: (requests, { anyres, textTokens }) =>
        process.ask({
          requests: requests.map(({ images, tokens }) => ({
            images: images.map((image) => image.toString('base64')),
            tokens
          })),
          text_tokens: textTokens,
          together: Math.min(together, batch),
          anyres
        }),
      stop: async () => process.stop()
    }
  }
})
