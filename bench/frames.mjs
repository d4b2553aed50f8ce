/**
 * Frames out of a clip: ours against OpenCV as the reference uses it, and against decoding inside our process.
 *
 *   npm run bench:frames -- [--python FILE] [--seconds 60] [--size 1280x720] [--clips 2] [--rounds 5] [--json FILE]
 *
 * Three frames of each clip, one clip at a time and as many at once as there are cores. OpenCV needs --python with
 * cv2. Exit code 1 where OpenCV was measured and ours is below 1.2 times as fast.
 */
import fs from 'node:fs'
import { parseArgs } from 'node:util'
import { fileURLToPath } from 'node:url'
import Table from 'cli-table3'
import { extractFrames } from '../dist/index.js'
import { samplePoints } from '../dist/frames/sample.js'
import { clip } from './clips.mjs'
import { machine, warnIfBusy } from './machine.mjs'
import { startPython } from './peers/python.mjs'
import { interleave, median } from './rounds.mjs'
import { installPackages } from './setup.mjs'
import { sizes } from './workloads.mjs'

const { values } = parseArgs({
  options: {
    python: { type: 'string' },
    seconds: { type: 'string', default: '60' },
    size: { type: 'string', default: '1280x720' },
    clips: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '5' },
    json: { type: 'string' }
  }
})
const points = samplePoints(3)
/** Of the bytes that are compared; opencv.py has it as well. */
const stride = 997
const [width, height] = sizes[values.size]
const files = Array.from({ length: Number(values.clips) }, (_, seed) => clip({ width, height, seconds: Number(values.seconds), seed }))
const { cores } = machine()

warnIfBusy()
const ways = []
await add('vcap-native (ffmpeg processes)', async () => inProcess((file) => extractFrames(file), 1))
await add(`vcap-native, ${cores} clips at once`, async () => inProcess((file) => extractFrames(file), cores))
await add('OpenCV, as the reference', startOpenCv)
await add('node-av, inside the process', async () => inProcess(await nodeAv(1), 1))
await add(`node-av, ${cores} clips at once`, async () => inProcess(await nodeAv(1), cores))
await add('node-av, in a process beside', startNodeAvHost)
await add(`node-av, ${cores} threads a decoder`, async () => inProcess(await nodeAv(cores), 1))

const running = ways.filter(({ extract }) => extract)
for (const way of running) way.samples = (await way.extract(files)).samples
const rounds = await interleave(running, Number(values.rounds), ({ extract }) => extract(files))
const results = ways.map(({ name, skipped, samples }) => {
  const own = rounds[running.findIndex((way) => way.name === name)]
  return own ? { name, difference: differ(samples, ways[0].samples), clipsPerSecond: files.length / median(own.map(({ seconds }) => seconds)), cpu: own[0].cpu === undefined ? undefined : median(own.map(({ cpu }) => cpu)) / files.length } : { name, skipped }
})
for (const { stop } of running) stop?.()

const reference = results.find(({ name, skipped }) => name.startsWith('OpenCV') && !skipped)
const table = new Table({ head: ['way', 'clips/s', 'over OpenCV', 'CPU s a clip', 'difference'], style: { head: [], border: [] }, colAligns: ['left', 'right', 'right', 'right', 'right'] })
for (const { name, skipped, clipsPerSecond, cpu, difference } of results) {
  if (skipped) table.push([name, { colSpan: 4, content: skipped }])
  else table.push([name, clipsPerSecond.toPrecision(3), reference ? (clipsPerSecond / reference.clipsPerSecond).toFixed(2) : '', cpu?.toFixed(2) ?? '', difference.toFixed(2)])
}
console.log(`3 frames of ${files.length} clips of ${values.seconds} s, ${values.size}, H.264\n${table.toString()}`)
if (values.json) fs.writeFileSync(values.json, `${JSON.stringify({ machine: machine(), date: new Date().toISOString(), options: values, results, rounds }, null, 2)}\n`)
process.exitCode = !reference || results[0].clipsPerSecond >= 1.2 * reference.clipsPerSecond ? 0 : 1

async function add(name, start) {
  try {
    ways.push({ name, ...(await start()) })
  } catch (error) {
    ways.push({ name, skipped: error.message.split('\n')[0] })
  }
}

/** `atOnce` clips under way, in this process. */
function inProcess(extractOne, atOnce) {
  const extract = async (all) => {
    const [started, cpu] = [performance.now(), cpuSeconds()]
    const frames = Array(all.length)
    let next = 0
    await Promise.all(Array.from({ length: atOnce }, async () => {
      for (let place = next++; place < all.length; place = next++) frames[place] = await extractOne(all[place])
    }))
    const seconds = (performance.now() - started) / 1000
    return { seconds, cpu: cpuSeconds() - cpu, samples: frames.flat().map(({ data }) => sample(data)) }
  }
  return { extract }
}

async function nodeAv(threads) {
  installPackages()
  const { extract } = await import('./peers/node-av.mjs')
  await extract(files[0], [0], threads)
  return (file) => extract(file, points, threads)
}

/** Its CPU time is not ours to see. */
async function startNodeAvHost() {
  installPackages()
  const { startHost } = await import('./peers/node-av-host.mjs')
  const { extract, stop } = await startHost()
  await extract(files[0], [0])
  const measured = inProcess((file) => extract(file, points), 1)
  return { extract: async (all) => ({ ...(await measured.extract(all)), cpu: undefined }), stop }
}

async function startOpenCv() {
  const python = startPython(values.python, fileURLToPath(new URL('peers/opencv.py', import.meta.url)))
  const extract = (all) => python.ask({ files: all, points })
  await extract([])
  return { extract, stop: python.stop }
}

/** Of this process and of its children that have ended, in seconds; of this process alone where /proc is missing. */
function cpuSeconds() {
  const { user, system } = process.cpuUsage()
  let children = 0
  if (fs.existsSync('/proc/self/stat')) {
    const fields = fs.readFileSync('/proc/self/stat', 'utf8').split(') ')[1].split(' ')
    children = (Number(fields[13]) + Number(fields[14])) / 100 // cutime and cstime, in ticks
  }
  return (user + system) / 1e6 + children
}

/** Some pixels of a picture: another frame of the clip has others. */
function sample(data) {
  return Array.from({ length: Math.ceil(data.length / stride) }, (_, i) => data[i * stride])
}

/** Mean difference of the pictures, of 255: colour conversion may differ in the last bit, another frame differs more. */
function differ(a, b) {
  const [left, right] = [a.flat(), b.flat()]
  return left.reduce((sum, value, i) => sum + Math.abs(value - right[i]), 0) / left.length
}
