/** vcap-native through its library, from the same JPEG files in memory that the others get. */
import sharp from 'sharp'
import { loadCaptioner } from '../../dist/index.js'
import { context } from '../workloads.mjs'

export const name = 'vcap-native'

export async function start({ pair, batch, threads, kvType }) {
  const { model, mmproj } = pair
  const captioner = await loadCaptioner({
    model,
    mmproj,
    threads,
    kvType,
    gpus: 'none',
    sequences: batch,
    contextPerSequence: pair.name === 'demo' ? 0 : context,
    chatTemplate: pair.name === 'demo' ? '' : 'vicuna_v1'
  })
  return {
    async caption(requests, { anyres }) {
      const captions = await Promise.all(
        requests.map(async ({ images, prompt, tokens }) => {
          const pictures = await Promise.all(images.map(decode))
          return captioner.captionImages(pictures, {
            prompt,
            maxTokens: tokens,
            anyres: anyres === 'off' ? 'off' : 'auto',
            framePool: anyres === 'pool' ? 2 : 1,
            ignoreEos: true
          })
        })
      )
      return captions.map(({ tokens, promptTokens, imageTokens }) => ({
        tokens: tokens.length,
        promptTokens: promptTokens + imageTokens,
        textTokens: promptTokens
      }))
    },
    stop: () => captioner.close()
  }
}

async function decode(jpeg) {
  const { data, info } = await sharp(jpeg).raw().toBuffer({ resolveWithObject: true })
  return { data, width: info.width, height: info.height }
}
