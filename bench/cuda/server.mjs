/** Section of the check: llama-server beside ours, on the same weights and devices. */
import fs from 'node:fs'
import sharp from 'sharp'
import { loadCaptioner } from '../../dist/index.js'
import { machine } from '../machine.mjs'
import * as llamaServer from '../peers/llama-server.mjs'
import { requests, workload } from '../workloads.mjs'
import { checkedPair } from './models.mjs'
import { Skip } from './target.mjs'

export async function server({ target, model, short }) {
  if (target.kind === 'rpc') throw new Skip('an RPC server takes one client at a time')
  if (!fs.existsSync(llamaServer.serverProgram()))
    throw new Skip('llama-server is not built; VCAP_LLAMA_SERVER names one, built for these GPUs')
  const checked = checkedPair(model)
  const batch = short ? 2 : 16
  const load = workload({ frames: 3, size: 'tile', tokens: short ? 8 : 64, batch, anyres: 'off' })
  const asked = await requests(load, 0)
  const theirs = await serverSeconds(checked, batch, target, asked)
  const ours = await ourSeconds(checked, batch, target, asked)
  return {
    summary: `${checked.name}, ${load.name}: ours is ${(theirs / ours).toFixed(2)} times as fast`,
    table: {
      head: ['', 'captions/s'],
      rows: [
        ['vcap-native', (batch / ours).toPrecision(3)],
        ['llama-server', (batch / theirs).toPrecision(3)]
      ]
    },
    data: { model: checked.name, workload: load, seconds: { ours, theirs } }
  }
}

async function serverSeconds(pair, batch, { kind, settings }, asked) {
  const names = kind === 'cpu' ? 'none' : settings.gpus === 'all' ? undefined : cudaNames(settings.gpus)
  const devices = names === undefined ? [] : ['--device', names]
  const running = await llamaServer.start({ pair, batch, threads: machine().cores, devices })
  try {
    await running.caption(asked.slice(0, 1))
    return (await running.caption(asked)).seconds
  } finally {
    await running.stop()
  }
}

const cudaNames = (gpus) =>
  gpus
    .split(',')
    .flatMap((part) => {
      const [first, last = first] = part.split('-').map(Number)
      return Array.from({ length: last - first + 1 }, (_, i) => `CUDA${first + i}`)
    })
    .join(',')

async function ourSeconds({ model, mmproj }, batch, { settings }, asked) {
  const options = { model, mmproj, sequences: batch, contextPerSequence: 4096, anyres: 'off', ...settings }
  const captioner = await loadCaptioner(options)
  const caption = async ({ images, prompt, tokens }) =>
    captioner.captionImages(await Promise.all(images.map(decode)), { prompt, maxTokens: tokens, ignoreEos: true })
  try {
    await caption(asked[0])
    const started = performance.now()
    await Promise.all(asked.map(caption))
    return (performance.now() - started) / 1000
  } finally {
    await captioner.close()
  }
}

async function decode(jpeg) {
  const { data, info } = await sharp(jpeg).raw().toBuffer({ resolveWithObject: true })
  return { data, width: info.width, height: info.height }
}
