/**
 * Compares fresh random models with Hugging Face transformers: features, first logits, greedy
 * tokens, image geometry and pixels.
 *
 *   node tools/parity/run.mjs [--seed N] [--only NAME,…] [--python PATH] [--models FOLDER] [--keep]
 *
 * Python needs torch, transformers, gguf, numpy and pillow (`--python`, VCAP_PYTHON or
 * python3). Without --seed the seed is drawn and printed. --models checks what generate.py
 * wrote before instead of generating. Exit code 1 where anything is out of tolerance.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import Table from 'cli-table3'
import { checkModel, summarise } from '../../test/parity/check.mjs'
import { listExpected, readExpected } from '../../test/parity/expected.mjs'
import { checkGeometry } from '../../test/parity/geometry.mjs'
import { checkPixels, pixelFaults } from '../../test/parity/pixels.mjs'

const require = createRequire(import.meta.url)
const { values: options } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    only: { type: 'string', default: '' },
    python: { type: 'string', default: process.env.VCAP_PYTHON ?? 'python3' },
    models: { type: 'string' },
    keep: { type: 'boolean', default: false }
  }
})

const addon = process.env.VCAP_PARITY_ADDON
  ? require(process.env.VCAP_PARITY_ADDON)
  : require('../../dist/native/load.js').loadAddon()

const folder = options.models ?? fs.mkdtempSync(path.join(os.tmpdir(), 'vcap-parity-'))
try {
  if (!options.models) generate(folder)
  process.exitCode = (await check(folder)) ? 0 : 1
} finally {
  if (!options.models && !options.keep) fs.rmSync(folder, { recursive: true, force: true })
  else console.log(`parity: the models are in ${folder}`)
}

function generate(folder) {
  console.log(`parity: seed ${options.seed}`)
  const script = fileURLToPath(new URL('generate.py', import.meta.url))
  const args = ['-B', script, folder, '--seed', options.seed, '--only', options.only]
  const { status, error } = spawnSync(options.python, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  if (status !== 0)
    throw new Error(
      `${options.python} could not generate the models${error ? ` (${error.message})` : ''}; ` +
        'it needs torch, transformers, gguf, numpy and pillow'
    )
}

async function check(folder) {
  const table = new Table({
    head: [
      'model',
      'weights',
      'images',
      'least cosine',
      'most rel. error',
      'pixels |Δ|',
      'prompts',
      'logits |Δ|',
      'tokens',
      'margin missed'
    ],
    style: { head: [], border: [] },
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' }
  })
  const faults = []
  for (const name of listExpected(folder)) {
    console.log(`parity: ${name}`) // printed first, so that the name is known if the addon crashes
    try {
      const expected = readExpected(path.join(folder, name))
      const pixels = checkPixels(addon, expected)
      const result = await checkModel(addon, expected)
      const figures = summarise(result)
      table.push([
        name,
        expected.precision,
        figures.images,
        figures.cosine.toFixed(9),
        figures.relative.toExponential(1),
        Math.max(...pixels.map((p) => p.mean)).toFixed(3),
        figures.prompts,
        figures.logits.toExponential(1),
        `${figures.agreed}/${figures.steps}`,
        figures.largestMissedMargin.toFixed(4)
      ])
      faults.push(...[...result.faults, ...pixelFaults(pixels)].map((fault) => `${name}: ${fault}`))
    } catch (error) {
      faults.push(`${name}: ${error.code ?? ''} ${error.message}`)
    }
  }
  const file = path.join(folder, 'geometry.json')
  if (fs.existsSync(file)) {
    const geometry = JSON.parse(fs.readFileSync(file, 'utf8'))
    faults.push(...checkGeometry(addon, geometry))
    console.log(`parity: geometry of ${geometry.count} sizes for ${geometry.sets.length} sets of grids`)
  }
  console.log(table.toString())
  for (const fault of faults) console.log(`parity: FAULT ${fault}`)
  console.log(faults.length === 0 ? "parity: everything is the reference's" : `parity: ${faults.length} faults`)
  return faults.length === 0
}
