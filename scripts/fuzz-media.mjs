/**
 * Damaged media files through `run` with the demo model, each by both readers of videos: every row is answered, nothing
 * crashes, hangs or is left behind.
 *
 *   npm run fuzz:media -- [--count 10000] [--seed N] [--by libraries,command]
 *
 * Prints the seed, and at the end how many rows had which status. Files whose decoder ended, took too long or met a
 * fault of ours are copied into the folder that is named. The first batch that is wrong ends it with exit code 1 and is
 * kept.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { fuzzMedia } from '../test/helpers/fuzz-media.mjs'

const { values } = parseArgs({
  options: { count: { type: 'string', default: '10000' }, seed: { type: 'string' }, by: { type: 'string' } }
})
const count = Number(values.count)
const seed = Number(values.seed ?? Date.now() % 1_000_000)
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vcap-fuzz-media-'))
const kept = path.join(folder, 'kept')
fs.mkdirSync(kept)
console.log(`fuzz: ${count} media files of seed ${seed}, in ${folder}`)
const started = Date.now()
const onBatch = (done, { memory, descriptors }) => {
  const seconds = Math.round((Date.now() - started) / 1000)
  console.log(`fuzz: ${done} files, ${seconds} s, ${Math.round(memory / 2 ** 20)} MiB, ${descriptors} descriptors`)
}
const keep = (reader, { file, what, error }) => {
  console.log(`fuzz: ${what}, ${reader}: ${path.basename(file)}: ${error}`)
  fs.copyFileSync(file, path.join(kept, path.basename(file)))
}
const counts = await fuzzMedia({ seed, count, folder, by: values.by?.split(','), onBatch, keep })
console.log(counts)
const faults = Object.values(counts).some((each) => each.unforeseen > 0)
if (fs.readdirSync(kept).length === 0) fs.rmSync(folder, { recursive: true })
else console.log(`fuzz: files of interest are kept in ${kept}`)
process.exitCode = faults ? 1 : 0
