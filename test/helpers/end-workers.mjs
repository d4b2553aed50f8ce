/** Ends worker threads that are busy with argv[2], argv[3] of them, then captions on the main thread. */
import { setTimeout } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { loadCaptioner } from '../../dist/index.js'

const [what, count] = process.argv.slice(2)
const image = { data: new Uint8Array(64 * 48 * 3).fill(90), width: 64, height: 48 }
const options = { model: 'demo', gpus: 'none', sequences: 4, threads: 1, contextPerSequence: 512 }
const workerFile = new URL('busy-worker.mjs', import.meta.url)

async function endOne() {
  const worker = new Worker(workerFile, { workerData: { what, options, image } })
  await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  await setTimeout(Math.random() * 40)
  await worker.terminate()
}

const captioner = await loadCaptioner(options)
const caption = async () => (await captioner.captionImages([image], { maxTokens: 8, ignoreEos: true })).tokens
const before = await caption()
for (let i = 0; i < count; i += 3) await Promise.all([endOne(), endOne(), endOne()])
console.log(JSON.stringify({ before, after: await caption() }))
await captioner.close()
