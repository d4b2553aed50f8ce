/**
 * Whether a video costs the same in a long run as in a short one: `run` with the demo model over tables of clips of
 * growing length.
 *
 *   npm run bench:clips -- [--rows 100,10000] [--rounds 1] [--json FILE]
 *
 * The tables name the same hundred clips of the demo's world again and again, and each row is decoded anew. Reported
 * are the milliseconds a clip and the memory of the coordinating process. A shorter table is run several times in one
 * process, until a tenth as many rows have passed as the longest table has. Exit code 1 where a clip of the longest
 * table costs over 5 % more than one of the shortest.
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
// A run that is not counted, so that memory is allocated beforehand.
await measure({ rows: counts[0], milliseconds: [], megabytes: 0 })
for (let round = 0; round < Number(values.rounds); round++) {
  // One run of a short table is too little to measure: it is repeated until a tenth of the longest table's rows passed.
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
  const files = Array.from({ length: result.rows }, (_, i) => path.join(folder, samples[i % samples.length].path))
  fs.writeFileSync(input, `path\n${files.join('\n')}\n`)
  const { seconds, failed } = await run(input, `${input}.out`, { captioner: captioner.rows({ numFrames: 1 }) })
  if (failed > 0) throw new Error(`${failed} rows failed`)
  result.milliseconds.push((seconds / result.rows) * 1000)
  result.megabytes = Math.max(result.megabytes, process.memoryUsage.rss() / 1e6)
}
