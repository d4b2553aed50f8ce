/**
 * Whether a video costs the same in a long run as in a short one: `run` with the demo model over tables of clips that grow.
 *
 *   npm run bench:clips -- [--rows 100,10000] [--rounds 1] [--json FILE]
 *
 * A hundred clips of the demo's world, named again and again; each row is decoded anew. Milliseconds a clip, and the
 * coordinator's memory. The shorter table runs until as many rows have passed as a tenth of the longer one, in one process.
 * Exit code 1 where the longest costs over 5 % more a clip than the shortest.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import Table from 'cli-table3'
import { writeSamples } from '../dist/demo/samples.js'
import { findFfmpeg } from '../dist/frames/tools.js'
import { loadCaptioner, run } from '../dist/index.js'
import { machine, warnIfBusy } from './machine.mjs'
import { median } from './rounds.mjs'

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '100,10000' },
    rounds: { type: 'string', default: '1' },
    json: { type: 'string' }
  }
})
warnIfBusy()
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vcap-clips-'))
process.on('exit', () => fs.rmSync(folder, { recursive: true, force: true }))
const { samples } = await writeSamples({
  folder,
  clips: 100,
  images: 0,
  seed: 4711,
  ffmpeg: findFfmpeg(undefined).path
})
const counts = values.rows.split(',').map(Number)
const captioner = await loadCaptioner({ model: 'demo', gpus: 'none', sequences: 16 })
const results = counts.map((rows) => ({ rows, milliseconds: [], megabytes: 0 }))
await measure({ rows: counts[0], milliseconds: [], megabytes: 0 }) // memory is touched before anything counts
for (let round = 0; round < Number(values.rounds); round++) {
  // A short table's figure leans on little: it has as many goes as make a tenth of the longest.
  for (const result of results)
    for (let passed = 0; passed < Math.max(...counts) / 10; passed += result.rows) await measure(result)
}
await captioner.close()

const table = new Table({
  head: ['rows', 'ms a clip', 'memory'],
  style: { head: [], border: [] },
  colAligns: ['right', 'right', 'right']
})
for (const result of results)
  table.push([result.rows, median(result.milliseconds).toFixed(1), `${result.megabytes.toFixed(0)} MB`])
console.log(table.toString())
if (values.json)
  fs.writeFileSync(
    values.json,
    `${JSON.stringify({ machine: machine(), date: new Date().toISOString(), clips: results }, null, 2)}\n`
  )
process.exitCode = median(results.at(-1).milliseconds) <= 1.05 * median(results[0].milliseconds) ? 0 : 1

async function measure(result) {
  const input = path.join(folder, `${result.rows}.csv`)
  fs.writeFileSync(
    input,
    `path\n${Array.from({ length: result.rows }, (_, i) => path.join(folder, samples[i % samples.length].path)).join('\n')}\n`
  )
  const { seconds, failed } = await run(input, `${input}.out`, { captioner: captioner.rows({ numFrames: 1 }) })
  if (failed > 0) throw new Error(`${failed} rows failed`)
  result.milliseconds.push((seconds / result.rows) * 1000)
  result.megabytes = Math.max(result.megabytes, process.memoryUsage.rss() / 1e6)
}
