/**
 * Compact weights and caches: how fast they are, and how many captions the demo model still gets right with them.
 *
 *   npm run bench:quantised -- [--weights F16,Q8_0,Q4_0] [--caches f16,q8_0] [--batch 4] [--rounds 3] \
 *     [--files 100] [--json FILE]
 *
 * Speed is that of the 60m pair, three frames of 640 x 360 at full detail, 32 tokens. Accuracy is the demo model's: the
 * share of --files clips, and of as many images, whose caption is exactly right. llama-quantize of the pinned
 * llama.cpp makes the weights.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import Table from 'cli-table3'
import { machine, warnIfBusy } from './machine.mjs'
import { quantised } from './pairs.mjs'
import { startHosted } from './peers/hosted.mjs'
import { interleave, median, percent } from './rounds.mjs'
import { buildLlamaTools } from './setup.mjs'
import { requests, workload } from './workloads.mjs'

const { values } = parseArgs({
  options: {
    weights: { type: 'string', default: 'F16,Q8_0,Q4_0' },
    caches: { type: 'string', default: 'f16,q8_0' },
    batch: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '3' },
    files: { type: 'string', default: '100' },
    json: { type: 'string' }
  }
})
const batch = Number(values.batch)
const load = workload({ frames: 3, size: '640x360', tokens: 32, batch, anyres: 'full' })
buildLlamaTools()
warnIfBusy()

const ways = values.weights
  .split(',')
  .flatMap((weights) => values.caches.split(',').map((cache) => ({ weights, cache })))
for (const way of ways) {
  way.running = await startHosted(new URL('peers/ours.mjs', import.meta.url).href, {
    pair: quantised('60m', way.weights),
    batch,
    threads: machine().cores,
    kvType: way.cache
  })
}
const seconds = await interleave(
  ways,
  Number(values.rounds),
  async ({ running }, round) => (await running.caption(await requests(load, round), load)).seconds
)
for (const { running } of ways) await running.stop()
const results = ways.map(({ weights, cache }, place) => ({
  weights,
  cache,
  videosPerSecond: batch / median(seconds[place]),
  ...accuracy(weights, cache)
}))

const table = new Table({
  head: ['weights', 'cache', 'videos/s', 'clips right', 'images right'],
  style: { head: [], border: [] }
})
for (const { weights, cache, videosPerSecond, clips, images } of results)
  table.push([weights, cache, videosPerSecond.toPrecision(3), percent(clips), percent(images)])
console.log(table.toString())
if (values.json)
  fs.writeFileSync(
    values.json,
    `${JSON.stringify(
      { machine: machine(), date: new Date().toISOString(), options: values, quantised: results },
      null,
      2
    )}\n`
  )

function accuracy(weights, cache) {
  const { model, mmproj } = quantised('demo', weights)
  const file = path.join(os.tmpdir(), `vcap-quantised-${process.pid}.json`)
  const script = fileURLToPath(new URL('eval-demo.mjs', import.meta.url))
  spawnSync(
    process.execPath,
    [
      script,
      '--clips',
      values.files,
      '--images',
      values.files,
      '--json',
      file,
      '--',
      '--model',
      model,
      '--mmproj',
      mmproj,
      '--kv-type',
      cache
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] }
  )
  const right = JSON.parse(fs.readFileSync(file, 'utf8'))
  fs.rmSync(file)
  return right
}
