/**
 * What replicas cost and gain on the CPU: `run` over the same clips with one model in this process, with one replica,
 * and with the cores shared out among several.
 *
 *   npm run bench:replicas -- [--model demo] [--clips 100] [--replicas 1,2] [--batch 16] [--tokens 32] [--rounds 3] \
 *     [--json FILE]
 *
 * Reported are the captions a second of each, also beside the model in this process, round by round; the CPU time that
 * a caption takes of all processes together, which other work on the machine disturbs less; and the coordinator's part
 * of it. Every kind takes its turn in each round. Exit code 1 where that part is 2 % or more of one replica's.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import Table from 'cli-table3'
import { cpus } from '../dist/cpus.js'
import { writeSamples } from '../dist/demo/samples.js'
import { findFfmpeg } from '../dist/frames/tools.js'
import { loadCaptioner, loadReplicas, run } from '../dist/index.js'
import { descendants } from '../test/helpers/processes.mjs'
import { clip } from './clips.mjs'
import { machine, warnIfBusy } from './machine.mjs'
import { pair } from './pairs.mjs'
import { interleave, median, percent } from './rounds.mjs'
import { context } from './workloads.mjs'

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'demo' },
    clips: { type: 'string', default: '100' },
    replicas: { type: 'string', default: `1,${cpus().threads}` },
    batch: { type: 'string', default: '16' },
    tokens: { type: 'string', default: '32' },
    rounds: { type: 'string', default: '3' },
    json: { type: 'string' }
  }
})
warnIfBusy()
const isDemo = values.model === 'demo'
const { model, mmproj } = pair(values.model)
const options = {
  model,
  mmproj,
  gpus: 'none',
  sequences: Number(values.batch),
  maxTokens: Number(values.tokens),
  ...(isDemo ? {} : { contextPerSequence: context, chatTemplate: 'vicuna_v1', ignoreEos: true })
}
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vcap-replicas-'))
process.on('exit', () => fs.rmSync(folder, { recursive: true, force: true }))
const csv = path.join(folder, 'clips.csv')
fs.writeFileSync(csv, `path\n${(await clips(Number(values.clips))).join('\n')}\n`)

/** Each kind: what it is called, and its captioner. */
const here = await loadCaptioner(options)
const kinds = [{ name: 'in this process', captioner: here.rows() }]
for (const dpSize of values.replicas.split(',').map(Number)) {
  const captioner = await loadReplicas({ ...options, dpSize })
  kinds.push({ name: dpSize === 1 ? '1 replica' : `${dpSize} replicas`, dpSize, captioner })
}
for (const { captioner } of kinds) await measure({ captioner }) // memory is touched and graphs are built
const results = await interleave(kinds, Number(values.rounds), measure)
for (const { captioner } of kinds.slice(1)) await captioner.close()
await here.close()

const table = new Table({
  head: ['', 'threads each', 'captions/s', 'beside the first', 'CPU s a caption', 'coordinator'],
  style: { head: [], border: [] },
  colAligns: ['left', 'right', 'right', 'right', 'right', 'right']
})
const summaries = kinds.map(({ name, dpSize }, place) => {
  const rounds = results[place]
  // Round by round, since what disturbs the machine for a while disturbs neighbours alike.
  const beside = median(rounds.map(({ rate }, round) => rate / results[0][round].rate))
  const coordinator = dpSize ? median(rounds.map(({ coordinator }) => coordinator)) : undefined
  const threads = Math.max(1, Math.floor(cpus().threads / (dpSize ?? 1)))
  const middle = (what) => median(rounds.map((round) => round[what]))
  return { name, threads, rate: middle('rate'), cpu: middle('cpu'), beside, coordinator, rounds }
})
for (const { name, threads, rate, cpu, beside, coordinator } of summaries) {
  table.push([
    name,
    threads,
    rate.toFixed(2),
    `${((beside - 1) * 100).toFixed(1)} %`,
    cpu.toFixed(3),
    coordinator === undefined ? '' : percent(coordinator)
  ])
}
console.log(`${values.model}, ${values.clips} clips, batch ${values.batch}, ${values.rounds} rounds`)
console.log(table.toString())
if (values.json) {
  const record = { machine: machine(), date: new Date().toISOString(), options: values, kinds: summaries }
  fs.writeFileSync(values.json, `${JSON.stringify(record, null, 2)}\n`)
}
const one = summaries.find(({ name }) => name === '1 replica')
process.exitCode = one && one.coordinator >= 0.02 ? 1 : 0

/** Captions a second, CPU seconds a caption, and the coordinator's part of these. */
async function measure({ captioner }) {
  const [before, below] = [process.cpuUsage(), secondsBelow()]
  const { rows, seconds, failed } = await run(csv, path.join(folder, 'out.csv'), { captioner, restart: true })
  if (failed > 0) throw new Error(`${failed} rows failed`)
  const { user, system } = process.cpuUsage(before)
  const own = (user + system) / 1e6
  const all = own + secondsBelow() - below
  return { rate: rows / seconds, cpu: all / rows, coordinator: own / all }
}

/** CPU seconds of all processes below this one, those that have ended among them. */
function secondsBelow() {
  const ticks = descendants(process.pid).map((pid) => {
    const fields = fs
      .readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    return [11, 12, 13, 14].reduce((sum, field) => sum + Number(fields[field]), 0)
  })
  return ticks.reduce((sum, each) => sum + each, 0) / 100
}

async function clips(count) {
  if (!isDemo) return Array.from({ length: count }, (_, seed) => clip({ width: 640, height: 360, seconds: 10, seed }))
  const ffmpeg = findFfmpeg(undefined).path
  const { samples } = await writeSamples({ folder, clips: count, images: 0, seed: 4711, ffmpeg })
  return samples.map((sample) => path.join(folder, sample.path))
}
