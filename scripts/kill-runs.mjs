/**
 * Runs of the command that are killed: SIGKILL for the whole process group at random moments, and the same command
 * again to its end. The output must be that of the undisturbed run to the byte, and no row may be captioned again after
 * its record was on the disk.
 *
 *   npm run kill -- [--kills 50] [--clips 300] [--seed N]
 */
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { writeSamples } from '../dist/demo/samples.js'
import { findFfmpeg } from '../dist/frames/tools.js'

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '50' },
    clips: { type: 'string', default: '300' },
    seed: { type: 'string', default: String(Date.now() % 100_000) }
  }
})
const kills = Number(values.kills)
const cli = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vcap-kill-'))
process.on('exit', () => fs.rmSync(folder, { recursive: true, force: true }))
const random = generator(Number(values.seed))
console.log(`kill: seed ${values.seed}, ${values.clips} clips, ${kills} kills`)

const ffmpeg = findFfmpeg(undefined).path
const { csv } = await writeSamples({ folder, clips: Number(values.clips), images: 0, seed: 7, largest: 160, ffmpeg })
const undisturbed = path.join(folder, 'undisturbed.csv')
const started = performance.now()
await caption(undisturbed)
const whole = performance.now() - started
const expected = fs.readFileSync(undisturbed)

let done = 0
for (let run = 0; done < kills; run++) {
  const output = path.join(folder, `killed-${run}.csv`)
  const log = path.join(`${output}.vcap`, 'rows.log')
  /** Whole records that were on the disk when a run was killed; each must stay, and stay the only one of its row. */
  let before = []
  // Some runs are killed again and again before they end, others late.
  for (const until of [random() * whole, random() * whole * 0.6, random() * whole * 0.3]) {
    if (done === kills || !(await caption(output, until))) break
    done++
    const records = recordsOf(log)
    if (records.slice(0, before.length).join() !== before.join()) fail(run, 'a record that was there is gone')
    before = records
  }
  await caption(output)
  const keys = recordsOf(log).map((line) => line.split(' ')[1])
  if (new Set(keys).size !== keys.length) fail(run, 'a row was captioned again after its record was written')
  if (!fs.readFileSync(output).equals(expected)) fail(run, 'the output is not that of the undisturbed run')
  const left = fs.readdirSync(folder).filter((name) => name.startsWith('.vcap-'))
  if (left.length > 0) fail(run, `${left} is left`)
  for (const file of [output, `${output}.vcap`]) fs.rmSync(file, { recursive: true })
  console.log(`kill: run ${run + 1} is whole; ${done} of ${kills} kills`)
}
console.log(`kill: ${kills} kills, every output as undisturbed`)

/** Runs the command; killed with all its processes after so many milliseconds. Returns whether it was. */
async function caption(output, killAfter) {
  const child = spawn(
    process.execPath,
    [cli, 'run', csv, output, '--model', 'demo', '--gpus', 'none', '--kv-type', 'f32'],
    { detached: true, stdio: ['ignore', 'ignore', 'pipe'] }
  )
  let stderr = ''
  child.stderr.on('data', (text) => (stderr += text))
  let killed = false
  const timer =
    killAfter === undefined
      ? undefined
      : setTimeout(() => {
          killed = true
          process.kill(-child.pid, 'SIGKILL')
        }, killAfter)
  const [code] = await new Promise((resolve) => child.once('close', (...ended) => resolve(ended)))
  clearTimeout(timer)
  if (!killed && code !== 0) fail('?', `exit code ${code}: ${stderr.slice(-500)}`)
  return killed
}

function recordsOf(log) {
  if (!fs.existsSync(log)) return []
  return fs.readFileSync(log, 'utf8').split('\n').slice(0, -1)
}

function fail(run, what) {
  console.error(`kill: run ${run}, seed ${values.seed}: ${what}`)
  process.exit(1)
}

/** Numbers in [0, 1) by their seed (mulberry32). */
function generator(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
