/**
 * Frames out of a clip: by FFmpeg's libraries and by its command, against OpenCV as the reference uses it.
 *
 *   npm run bench:frames -- [--python FILE] [--seconds 60] [--size 1280x720] [--clips 2]
 *     [--frames 3] [--rounds 5] [--json FILE]
 *
 * So many frames of each clip, one clip at a time and as many at once as there are cores. OpenCV needs --python with
 * cv2. Exit code 1 where OpenCV was measured and ours is below 1.2 times as fast.
 */
import fs from 'node:fs'
import { parseArgs } from 'node:util'
import { fileURLToPath } from 'node:url'
import Table from 'cli-table3'
import { sampledIndices } from '../dist/frames/points.js'
import { findFfmpeg } from '../dist/frames/tools.js'
import { extractFrames } from '../dist/index.js'
import { clip, framesPerSecond } from './clips.mjs'
import { machine, warnIfBusy } from './machine.mjs'
import { startPython } from './peers/python.mjs'
import { interleave, median } from './rounds.mjs'
import { sizes } from './workloads.mjs'

const { values } = parseArgs({
  options: {
    python: { type: 'string' },
    seconds: { type: 'string', default: '60' },
    size: { type: 'string', default: '1280x720' },
    clips: { type: 'string', default: '2' },
    frames: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '5' },
    json: { type: 'string' }
  }
})
const numFrames = Number(values.frames)
/** One byte of a picture in so many is compared with the other ways; peers/opencv.py repeats this number. */
const stride = 997
const [width, height] = sizes[values.size]
const files = Array.from({ length: Number(values.clips) }, (_, seed) =>
  clip({ width, height, seconds: Number(values.seconds), seed })
)
const indices = sampledIndices(Number(values.seconds) * framesPerSecond, { numFrames })
const { cores } = machine()

warnIfBusy()
const ways = []
await add('vcap-native', async () => ours(1))
await add(`vcap-native, ${cores} clips at once`, async () => ours(cores))
await add('vcap-native with the ffmpeg command', async () => ours(1, { ffmpeg: findFfmpeg().path }))
await add(`the same, ${cores} clips at once`, async () => ours(cores, { ffmpeg: findFfmpeg().path }))
await add('OpenCV, as the reference', startOpenCv)

const running = ways.filter(({ extract }) => extract)
for (const way of running) way.samples = (await way.extract(files)).samples
const rounds = await interleave(running, Number(values.rounds), ({ extract }) => extract(files))
const results = ways.map(({ name, skipped, samples }) => {
  const own = rounds[running.findIndex((way) => way.name === name)]
  return own
    ? {
        name,
        difference: differ(samples, ways[0].samples),
        clipsPerSecond: files.length / median(own.map(({ seconds }) => seconds)),
        cpu: own[0].cpu === undefined ? undefined : median(own.map(({ cpu }) => cpu)) / files.length
      }
    : { name, skipped }
})
for (const { stop } of running) stop?.()

const reference = results.find(({ name, skipped }) => name.startsWith('OpenCV') && !skipped)
const table = new Table({
  head: ['way', 'clips/s', 'over OpenCV', 'CPU s a clip', 'difference'],
  style: { head: [], border: [] },
  colAligns: ['left', 'right', 'right', 'right', 'right']
})
for (const { name, skipped, clipsPerSecond, cpu, difference } of results) {
  if (skipped) table.push([name, { colSpan: 4, content: skipped }])
  else
    table.push([
      name,
      clipsPerSecond.toPrecision(3),
      reference ? (clipsPerSecond / reference.clipsPerSecond).toFixed(2) : '',
      cpu?.toFixed(2) ?? '',
      difference.toFixed(2)
    ])
}
console.log(
  `${numFrames} frames of ${files.length} clips of ${values.seconds} s, ${values.size}, H.264\n${table.toString()}`
)
if (values.json)
  fs.writeFileSync(
    values.json,
    `${JSON.stringify(
      { machine: machine(), date: new Date().toISOString(), options: values, results, rounds },
      null,
      2
    )}\n`
  )
process.exitCode = !reference || results[0].clipsPerSecond >= 1.2 * reference.clipsPerSecond ? 0 : 1

async function add(name, start) {
  try {
    ways.push({ name, ...(await start()) })
  } catch (error) {
    ways.push({ name, skipped: error.message.split('\n')[0] })
  }
}

/** A way to measure our own extraction, with `atOnce` clips under way at any time. */
function ours(atOnce, options) {
  const extract = async (all) => {
    const [started, cpu] = [performance.now(), cpuSeconds()]
    const frames = Array(all.length)
    let next = 0
    await Promise.all(
      Array.from({ length: atOnce }, async () => {
        for (let place = next++; place < all.length; place = next++)
          frames[place] = await extractFrames(all[place], { numFrames, ...options })
      })
    )
    const seconds = (performance.now() - started) / 1000
    return { seconds, cpu: cpuSeconds() - cpu, samples: frames.flat().map(({ data }) => sample(data)) }
  }
  return { extract }
}

async function startOpenCv() {
  const python = startPython(values.python, fileURLToPath(new URL('peers/opencv.py', import.meta.url)))
  const extract = (all) => python.ask({ files: all, indices })
  await extract([])
  return { extract, stop: python.stop }
}

/**
 * The CPU time, in seconds, that this process and all its descendants have used so far, the ended ones included, since
 * FFmpeg's command may be among them. Where the system has no /proc, the CPU time of this process alone.
 */
function cpuSeconds() {
  if (!fs.existsSync('/proc/self/stat'))
    return Object.values(process.cpuUsage()).reduce((sum, microseconds) => sum + microseconds / 1e6, 0)
  const processes = fs
    .readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(readStat)
  const below = (pid) =>
    processes.filter((each) => each?.parent === pid).reduce((sum, each) => sum + each.ticks + below(each.pid), 0)
  return (readStat(process.pid).ticks + below(process.pid)) / 100
}

/**
 * A process's parent, and the CPU time of the process and its ended children in clock ticks, as /proc states them.
 * Undefined where the process has ended since it was listed.
 */
function readStat(pid) {
  try {
    const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ').map(Number)
    return { pid: Number(pid), parent: fields[1], ticks: fields[11] + fields[12] + fields[13] + fields[14] }
  } catch (error) {
    if (!['ENOENT', 'ESRCH'].includes(error.code)) throw error
    return undefined
  }
}

/** Every `stride`-th byte of a picture, enough to tell it from the clip's other frames. */
function sample(data) {
  return Array.from({ length: Math.ceil(data.length / stride) }, (_, i) => data[i * stride])
}

/**
 * The mean difference between sampled bytes of two lists of pictures, on a scale of 255. Colour conversion may make the
 * last bit differ; a larger difference means that one side took another frame.
 */
function differ(a, b) {
  const [left, right] = [a.flat(), b.flat()]
  return left.reduce((sum, value, i) => sum + Math.abs(value - right[i]), 0) / left.length
}
