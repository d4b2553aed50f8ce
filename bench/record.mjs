/**
 * Measures all figures for the record, one after the other, as JSON files in one folder:
 *
 *   npm run bench:record -- FOLDER [--python FILE]
 *
 * It needs a machine without other work for about two hours. A figure whose file already exists is not measured again.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const {
  values,
  positionals: [folder]
} = parseArgs({ allowPositionals: true, options: { python: { type: 'string' } } })
if (!folder) {
  console.error('usage: npm run bench:record -- FOLDER [--python FILE]')
  process.exit(2)
}
const python = values.python ? ['--python', values.python] : []

const cells = (...args) => [...args, '--rounds', '2', '--patience', '300', ...python]
const one = ['--batch', '1']
const both = ['--batch', '1,16']

/** Each step's name, script and arguments, in the order in which they run. */
const steps = [
  ['60m', 'run', cells(...both, '--peers', 'llama-server,llama.node,hf-bf16')],
  ['tower', 'tower', []],
  ['pipeline', 'pipeline', ['--clips', '16', '--rounds', '2']],
  ['pipeline-300m', 'pipeline', ['--model', '300m', '--clips', '8', '--batch', '8', '--rounds', '1']],
  ['rows', 'rows', []],
  ['frames', 'frames', python],
  ['quantised', 'quantised', ['--rounds', '2', '--files', '50']],
  ['60m-hf', 'run', cells(...one, '--peers', 'hf,hf-bf16')],
  [
    '60m-sizes',
    'run',
    cells(...one, '--sizes', '1280x720,square', '--anyres', 'full', '--peers', 'llama-server,hf-bf16')
  ],
  ['60m-one-frame', 'run', cells(...both, '--frames', '1', '--anyres', 'full', '--peers', 'llama-server,hf-bf16')],
  [
    '60m-long',
    'run',
    cells(...both, '--tokens', '128', '--anyres', 'off', '--peers', 'llama-server,hf-bf16,hf-bf16-batch')
  ],
  ['demo', 'run', cells(...both, '--models', 'demo', '--anyres', 'full', '--peers', 'llama-server')],
  ['300m', 'run', cells(...one, '--models', '300m', '--peers', 'llama-server,hf-bf16')],
  [
    '60m-batch-4',
    'run',
    cells('--batch', '4', '--anyres', 'full', '--peers', 'llama-server,hf,hf-batch,hf-bf16,hf-bf16-batch')
  ],
  ['clips', 'clips-growing', []]
]

fs.mkdirSync(folder, { recursive: true })
for (const [name, script, args] of steps) {
  const file = path.join(folder, `${name}.json`)
  if (fs.existsSync(file)) continue
  console.log(`\n== ${name}`)
  const partial = `${file}.partial`
  spawnSync(process.execPath, [fileURLToPath(new URL(`${script}.mjs`, import.meta.url)), ...args, '--json', partial], {
    stdio: 'inherit'
  })
  if (fs.existsSync(partial)) fs.renameSync(partial, file)
}
