/**
 * Replicas that are killed: SIGKILL for one of them at random moments, all in one run of the command. The output must
 * be that of the undisturbed run to the byte, each row captioned once. Then the run itself is killed: no process of it
 * may be left after five seconds, and the same command must finish it.
 *
 *   npm run kill:replicas -- [--kills 20] [--clips 300] [--dp-size 2] [--rounds 1] [--seed N]
 */
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Random } from '../dist/demo/random.js'
import { writeSamples } from '../dist/demo/samples.js'
import { findFfmpeg } from '../dist/frames/tools.js'
import { descendants, gone } from '../test/helpers/processes.mjs'

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '20' },
    clips: { type: 'string', default: '300' },
    'dp-size': { type: 'string', default: '2' },
    rounds: { type: 'string', default: '1' },
    seed: { type: 'string', default: String(Date.now() % 100_000) }
  }
})
const kills = Number(values.kills)
const clips = Number(values.clips)
const cli = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vcap-kill-'))
process.on('exit', () => fs.rmSync(folder, { recursive: true, force: true }))
const random = new Random(Number(values.seed))
console.log(`kill:replicas: seed ${values.seed}, ${clips} clips, ${kills} kills, ${values['dp-size']} replicas`)

const ffmpeg = findFfmpeg(undefined).path
const { csv } = await writeSamples({ folder, clips, images: 0, seed: 7, largest: 160, ffmpeg })
const whole = await caption('undisturbed', {})
const expected = fs.readFileSync(whole.output)
console.log(`kill:replicas: undisturbed, one model: ${whole.seconds.toFixed(1)} s`)

for (let round = 1; round <= Number(values.rounds); round++) {
  const { output, seconds, killed, losses } = await caption(`killed-${round}`, { replicas: values['dp-size'], kills })
  if (!fs.readFileSync(output).equals(expected)) fail('the output is not that of the undisturbed run', output)
  console.log(
    `kill:replicas: ${killed} kills, ${losses} losses in ${seconds.toFixed(1)} s: the output is the undisturbed one`
  )
}

const { pids } = await caption('orphans', { replicas: values['dp-size'], killRunAfter: clips / 3 })
const milliseconds = await gone(pids)
console.log(`kill:replicas: the run was killed; its ${pids.length} processes were gone after ${milliseconds} ms`)
const { output } = await caption('orphans', { replicas: values['dp-size'] })
if (!fs.readFileSync(output).equals(expected)) fail('the output is not that of the undisturbed run', output)
console.log('kill:replicas: the same command finished it')

/** Runs the command; kills so many replicas meanwhile, or the run itself after so many rows. */
async function caption(name, { replicas, kills = 0, killRunAfter = Infinity }) {
  const output = path.join(folder, `${name}.csv`)
  const model = ['--model', 'demo', '--gpus', 'none', '--kv-type', 'f32']
  const more = replicas ? ['--dp-size', replicas] : []
  const started = performance.now()
  const child = spawn(process.execPath, [cli, 'run', csv, output, ...model, ...more, '--json'], {
    stdio: ['ignore', 'ignore', 'pipe']
  })
  let states = []
  let killed = 0
  const indices = []
  const others = []
  let pids = []
  const kill = () => {
    const victims = states.filter(({ pid }) => pid !== null)
    const { pid } = victims.length > 0 ? random.pick(victims) : {}
    if (pid !== undefined && descendants(child.pid).includes(pid)) {
      process.kill(pid, 'SIGKILL')
      killed++
    }
    if (killed < kills) timer = setTimeout(kill, random.between(0, 2) * pause)
  }
  // So that the kills are spread over the run, however fast it is here.
  const pause = kills > 0 ? (whole.seconds * 1000) / kills : 0
  let timer = kills > 0 ? setTimeout(kill, pause) : undefined
  const onLine = (line) => {
    if (!line.startsWith('{')) return others.push(line)
    const event = JSON.parse(line)
    if (event.type === 'replicas') states = event.replicas
    if (event.type === 'warning') others.push(event.message)
    if (event.type !== 'row' || indices.push(event.index) < killRunAfter || pids.length > 0) return
    pids = descendants(child.pid)
    child.kill('SIGKILL')
  }
  let rest = ''
  child.stderr.on('data', (text) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop()
    for (const line of lines) onLine(line)
  })
  const [code, signal] = await new Promise((resolve) => child.once('close', (...ended) => resolve(ended)))
  clearTimeout(timer)
  if (signal !== 'SIGKILL' && code !== 0) fail(`exit code ${code}`, output, others.join('\n'))
  if (new Set(indices).size !== indices.length) fail('a row was captioned twice', output)
  if (killed < kills) fail(`the run was over after ${killed} kills: more clips`, output)
  const losses = states.reduce((sum, state) => sum + state.losses, 0)
  return { output, seconds: (performance.now() - started) / 1000, killed, losses, pids }
}

function fail(what, output, details = '') {
  const kept = `${output}.wrong`
  if (fs.existsSync(output)) fs.copyFileSync(output, path.join(os.tmpdir(), path.basename(kept)))
  console.error(`kill:replicas: seed ${values.seed}: ${what}\n${details}`)
  process.exit(1)
}
