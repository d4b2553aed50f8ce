/**
 * What a row of three frames costs the JS thread, on which everything else of a run happens too: milliseconds of that
 * thread's CPU time a row, for a video file and for pictures in memory. Linux only, since only there does the kernel
 * say how much CPU time each thread took.
 *
 *   npm run bench:thread -- [--size 1280x720] [--rows 60] [--against FOLDER]
 *
 * --against: the folder of another checkout, built, whose figures are taken in turn with ours.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { clip } from './clips.mjs'
import { warnIfBusy } from './machine.mjs'
import { median } from './rounds.mjs'

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '1280x720' },
    rows: { type: 'string', default: '60' },
    rounds: { type: 'string', default: '3' },
    against: { type: 'string' },
    measure: { type: 'string' }
  }
})
const [width, height] = values.size.split('x').map(Number)
const file = clip({ width, height, seconds: 10, seed: 0 })
const ours = fileURLToPath(new URL('..', import.meta.url))

if (values.measure) {
  console.log(JSON.stringify(await measure(path.resolve(values.measure))))
} else {
  warnIfBusy()
  const projects = [ours, ...(values.against ? [path.resolve(values.against)] : [])]
  const rounds = Array.from({ length: Number(values.rounds) }, () => projects.map(measureApart))
  for (const [i, project] of projects.entries()) {
    const of = (kind) => median(rounds.map((round) => round[i][kind])).toFixed(2)
    console.log(`${i === 0 ? 'here' : project}: ${of('file')} ms a row from a file, ${of('memory')} ms from memory`)
  }
}

/** Each measurement in a process of its own, so that no other project's addon is loaded beside it. */
function measureApart(project) {
  const args = [fileURLToPath(import.meta.url), '--size', values.size, '--rows', values.rows, '--measure', project]
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  if (stdout === '') throw new Error(stderr)
  return JSON.parse(stdout)
}

async function measure(project) {
  const { loadCaptioner, extractFrames } = createRequire(path.join(project, 'package.json'))(project)
  const captioner = await loadCaptioner({ model: 'demo', gpus: 'none', sequences: 4, threads: 1, maxTokens: 2 })
  const frames = await extractFrames(file)
  const fromFile = await eachRow(() => captioner.caption(file))
  const fromMemory = await eachRow(() => captioner.captionImages(frames))
  await captioner.close()
  return { file: fromFile, memory: fromMemory }
}

/** Milliseconds of this thread a call, after some that count for nothing. */
async function eachRow(caption) {
  for (let i = 0; i < 5; i++) await caption()
  const before = threadTime()
  for (let i = 0; i < Number(values.rows); i++) await caption()
  return (threadTime() - before) / Number(values.rows)
}

/** CPU time of the main thread in milliseconds. */
function threadTime() {
  return Number(fs.readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6
}
