/**
 * Checks and measures this build on a machine's GPUs, within a time, in one command and one report:
 *
 *   npm run check:cuda -- [--device all] [--short] [--only demo,bench] [--limit 480] [--out check-cuda]
 *
 *   --device   all, or GPUs as --gpus takes them (0-1); none: the CPU; host:port,…: RPC servers
 *   --short    small models, a few seconds a section: whether the check itself works
 *   --only     sections by the beginning of their names
 *   --limit    seconds for everything; a section that would not fit is left out, and the report says so
 *   --out      the report's path without its ending: .md and .json
 *
 * Each section runs in a process of its own, so that one that a GPU's fault ends costs itself alone. Exit codes: 0 what
 * was checked is right; 1 something is not, or failed.
 */
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { machine } from './machine.mjs'
import { sections } from './cuda/sections.mjs'
import { markdown } from './cuda/report.mjs'

const { values } = parseArgs({
  options: {
    device: { type: 'string', default: 'all' },
    short: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    limit: { type: 'string', default: '480' },
    out: { type: 'string', default: 'check-cuda' }
  }
})
const limit = Number(values.limit)
if (!(limit > 0)) throw new Error(`Expected seconds for --limit but received ${values.limit}`)
const wanted = values.only.split(',')
const chosen = sections(values.short).filter(({ name }) => wanted.some((start) => name.startsWith(start)))
if (chosen.length === 0) throw new Error(`No section's name begins with ${values.only}`)

const started = performance.now()
const elapsed = () => (performance.now() - started) / 1000
const results = { machine: machine(), date: new Date().toISOString(), device: values.device, short: values.short }
results.sections = []
for (const { name, seconds } of chosen) {
  const left = limit - elapsed()
  const result =
    seconds > left
      ? { skipped: `it takes about ${seconds} s, and ${Math.max(0, Math.round(left))} s were left` }
      : await runSection(name, left, known())
  results.sections.push({ name, ...result })
  console.error(`check: ${name}: ${result.skipped ?? result.failed ?? result.summary}`)
  write()
}
process.exitCode = results.sections.some(({ failed, right }) => failed !== undefined || right === false) ? 1 : 0

/** What later sections may use of earlier ones, by their names. */
function known() {
  return Object.fromEntries(results.sections.map(({ name, data }) => [name, data]))
}

function write() {
  results.seconds = elapsed()
  fs.writeFileSync(`${values.out}.json`, `${JSON.stringify(results, null, 2)}\n`)
  fs.writeFileSync(`${values.out}.md`, markdown(results))
}

/** One section's `{ summary, right?, table?, data? }`, `{ skipped }` or `{ failed }`, and its seconds. */
async function runSection(name, left, earlier) {
  const file = fileURLToPath(new URL('cuda/section.mjs', import.meta.url))
  const context = { name, device: values.device, short: values.short, earlier }
  const child = spawn(process.execPath, [file, JSON.stringify(context)], {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe']
  })
  const [answer, log] = [collect(child.stdio[3]), collect(child.stderr)]
  const begun = performance.now()
  const timer = setTimeout(() => child.kill('SIGKILL'), left * 1000)
  const end = await new Promise((resolve) => child.once('close', (status, signal) => resolve(signal ?? status)))
  clearTimeout(timer)
  const seconds = (performance.now() - begun) / 1000
  if (end === 0) return { ...JSON.parse(answer()), seconds }
  const last = log().trim().split('\n').slice(-3).join(' | ')
  return { failed: seconds >= left ? 'cut off at the limit' : `it ended with ${end}: ${last}`, seconds }
}

/** A function that returns all that a stream has given so far. */
function collect(stream) {
  let text = ''
  stream.setEncoding('utf8').on('data', (chunk) => {
    text += chunk
  })
  return () => text
}
