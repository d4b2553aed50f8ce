/** @fugood/llama.node as it ships, through its parallel API. */
import { createRequire } from 'node:module'
import { packageHome } from '../setup.mjs'
import { context, system } from '../workloads.mjs'

export const name = '@fugood/llama.node'

export async function start({ pair, batch, threads }) {
  const { loadModel } = createRequire(packageHome())('@fugood/llama.node')
  const model = await loadModel({
    model: pair.model,
    n_ctx: context * batch,
    n_parallel: batch,
    n_threads: threads,
    n_gpu_layers: 0,
    flash_attn_type: 'on',
    kv_unified: false,
    n_batch: 2048
  })
  if (!(await model.initMultimodal({ path: pair.mmproj, use_gpu: false }))) throw new Error('it refuses the projector')
  if (!(await model.parallel.enable({ n_parallel: batch, n_batch: 2048 }))) throw new Error('it refuses parallel mode')
  return {
    async caption(requests) {
      const answers = await Promise.all(
        requests.map(async ({ images, prompt, tokens }) => {
          const { promise } = await model.parallel.completion({
            prompt: `${system} USER: ${images.map(() => '<__media__>').join('\n')}\n${prompt} ASSISTANT:`,
            media_paths: images.map((image) => `data:image/jpeg;base64,${Buffer.from(image).toString('base64')}`),
            n_predict: tokens,
            temperature: 0,
            ignore_eos: true
          })
          return promise
        })
      )
      return answers.map(({ timings, tokens_predicted }) => ({
        tokens: tokens_predicted,
        promptTokens: timings.prompt_n
      }))
    },
    stop: () => model.release()
  }
}
