/**
 * How often the demo model is right. Renders clips and images, captions them as files with
 * the command, compares every caption with the one right one.
 *
 *   npm run eval:demo -- [--clips 200] [--images 200] [--seed 20260] [--least 97] [--keep DIR] \
 *     [--json FILE] [-- OPTIONS OF run]
 *
 * Exit code 1 where fewer than `--least` percent of the clips or of the images are exactly right.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { parse } from 'csv-parse/sync'
import { writeSamples } from '../dist/demo/samples.js'
import { subjectOf } from '../dist/demo/world.js'
import { findFfmpeg } from '../dist/frames/tools.js'
import { percent } from './rounds.mjs'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    clips: { type: 'string', default: '200' },
    images: { type: 'string', default: '200' },
    seed: { type: 'string', default: '20260' },
    least: { type: 'string', default: '97' },
    keep: { type: 'string' },
    json: { type: 'string' }
  }
})
const folder = values.keep ?? fs.mkdtempSync(path.join(os.tmpdir(), 'vcap-eval-'))
if (!values.keep) process.on('exit', () => fs.rmSync(folder, { recursive: true, force: true }))

const { csv, samples } = await render()
const rows = caption(csv)
const clips = score('clips', (i) => samples[i].scene.subject.motion !== undefined, [
  'shape',
  'colour',
  'background',
  'motion'
])
const images = score('images', (i) => samples[i].scene.subject.motion === undefined, ['shape', 'colour', 'background'])
if (values.json) fs.writeFileSync(values.json, JSON.stringify({ clips, images }))
const least = Number(values.least) / 100
process.exitCode = clips >= least && images >= least ? 0 : 1

async function render() {
  const started = Date.now()
  const options = {
    folder,
    clips: Number(values.clips),
    images: Number(values.images),
    seed: Number(values.seed),
    ffmpeg: findFfmpeg(undefined).path
  }
  const written = await writeSamples(options)
  console.log(
    `Rendered ${written.samples.length} files in ${((Date.now() - started) / 1000).toFixed(0)} s into ${folder}`
  )
  return written
}

function caption(csv) {
  const command = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))
  const output = path.join(folder, 'captions.csv')
  const { status } = spawnSync(
    process.execPath,
    [command, 'run', csv, output, ...(positionals.includes('--model') ? [] : ['--model', 'demo']), ...positionals],
    { stdio: 'inherit' }
  )
  if (status !== 0 && status !== 3) process.exit(status ?? 1)
  return parse(fs.readFileSync(output), { columns: true })
}

/** Prints what was right and what was not; returns the share of captions that are exactly right. */
function score(name, belongs, attributes) {
  const own = rows.filter((_, i) => belongs(i))
  if (own.length === 0) return 1
  const right = own.filter((row) => row.text === row.expected)
  console.log(`\n${name}: ${right.length} of ${own.length} exactly right (${percent(right.length / own.length)})`)
  for (const attribute of attributes) {
    const agree = own.filter((row) => subjectOf(row.text)?.[attribute] === subjectOf(row.expected)[attribute])
    console.log(`  ${attribute.padEnd(10)} ${percent(agree.length / own.length)}`)
  }
  for (const row of own)
    if (row.text !== row.expected)
      console.log(`  ${row.path}: ${row.error || row.text}\n${' '.repeat(row.path.length + 4)}${row.expected}`)
  return right.length / own.length
}
