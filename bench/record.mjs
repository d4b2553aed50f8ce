/**
 * All figures for the record, one after the other, as JSON files in one folder: npm run bench:record -- FOLDER [--python FILE]
 * Wants a quiet machine for hours. What has its file already is not measured again.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values, positionals: [folder] } = parseArgs({ allowPositionals: true, options: { python: { type: 'string' } } })
if (!folder) {
  console.error('usage: npm run bench:record -- FOLDER [--python FILE]')
  process.exit(2)
}
const python = values.python ? ['--python', values.python] : []

const shorter = ['--rounds', '2', '--patience', '300']
const few = ['--peers', 'llama-server,hf,hf-bf16']

/** Name, script, arguments; the cells that are asked for first come first. */
const steps = [
  ['60m', 'run', ['--batch', '1,16', '--anyres', 'full,off', '--peers', 'llama-server,llama.node,hf,hf-bf16', ...shorter, ...python]],
  ['tower', 'tower', []],
  ['pipeline', 'pipeline', ['--clips', '16']],
  ['pipeline-300m', 'pipeline', ['--model', '300m', '--clips', '16', '--rounds', '1']],
  ['rows', 'rows', []],
  ['frames', 'frames', python],
  ['quantised', 'quantised', []],
  ['60m-batch-4', 'run', ['--batch', '4', '--anyres', 'full', '--peers', 'llama-server,hf,hf-batch,hf-bf16,hf-bf16-batch', ...shorter, ...python]],
  ['60m-one-frame', 'run', ['--frames', '1', '--batch', '1,16', '--anyres', 'full', ...few, ...shorter, ...python]],
  ['60m-sizes', 'run', ['--sizes', '1280x720,square', '--batch', '1', '--anyres', 'full', ...few, ...shorter, ...python]],
  ['60m-long', 'run', ['--tokens', '128', '--batch', '1,16', '--anyres', 'off', '--peers', 'llama-server,hf,hf-bf16,hf-batch,hf-bf16-batch', ...shorter, ...python]],
  ['demo', 'run', ['--models', 'demo', '--batch', '1,16', '--anyres', 'full', '--peers', 'llama-server,llama.node']],
  ['300m', 'run', ['--models', '300m', '--batch', '1', '--anyres', 'full,off', ...few, ...shorter, ...python]],
  ['clips', 'clips-growing', []]
]

fs.mkdirSync(folder, { recursive: true })
for (const [name, script, args] of steps) {
  const file = path.join(folder, `${name}.json`)
  if (fs.existsSync(file)) continue
  console.log(`\n== ${name}`)
  const partial = `${file}.partial`
  spawnSync(process.execPath, [fileURLToPath(new URL(`${script}.mjs`, import.meta.url)), ...args, '--json', partial], { stdio: 'inherit' })
  if (fs.existsSync(partial)) fs.renameSync(partial, file)
}
