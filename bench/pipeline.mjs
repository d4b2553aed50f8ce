/**
 * What the pipeline costs: `run` over video files against the engine alone, fed from memory with the same requests.
 *
 *   npm run bench:pipeline -- [--model 60m] [--clips 32] [--batch 16] [--size 640x360] \
 *     [--tokens 32] [--rounds 3] [--threads N] [--json FILE]
 *
 * Reported are the output tokens a second of both, their ratio, and the share of the time in which the engine waited
 * for frames. Exit code 1 where the ratio is below 95 %.
 */
import fs from 'node:fs'
import path from 'node:path'
import { extractFrames, loadCaptioner, run } from '../dist/index.js'
import { loadAddon } from '../dist/native/load.js'
import { buildPrompt } from '../dist/prompts/question.js'
import { clipBench } from './clip-bench.mjs'
import { machine, warnIfBusy } from './machine.mjs'
import { interleave, median, percent } from './rounds.mjs'

const { values, name, loading, answering, files, folder, csv } = clipBench()

warnIfBusy()
const captioner = await loadCaptioner(loading)
const engine = await loadEngine()
const requests = []
for (const file of files) requests.push(await request(file))

// One caption each that is not counted, so that memory is allocated and graphs are built beforehand.
await Promise.all([captioner.caption(files[0], answering), engine.caption(requests[0]).promise])
const waits = []
const [whole, bare] = await interleave([fromFiles, fromMemory], Number(values.rounds), (measure) => measure())
const ratio = median(whole) / median(bare)
const wait = {
  idle: median(waits.map(({ idle }) => idle)),
  emptySlots: median(waits.map(({ emptySlots }) => emptySlots))
}
console.log(
  [
    `${name}, ${values.clips} clips of ${values.size}, 3 frames, ${values.tokens} tokens, batch ${values.batch}`,
    `run from files     ${median(whole).toFixed(1)} output tokens/s`,
    `engine alone       ${median(bare).toFixed(1)} output tokens/s`,
    `ratio              ${percent(ratio)}`,
    `engine waited      ${percent(wait.idle)} of the time; ` +
      `${percent(wait.emptySlots)} of its slots stood empty for frames`
  ].join('\n')
)
if (values.json)
  fs.writeFileSync(
    values.json,
    `${JSON.stringify(
      { machine: machine(), date: new Date().toISOString(), options: values, whole, bare, ratio, waits },
      null,
      2
    )}\n`
  )
await Promise.all([captioner.close(), engine.close()])
process.exitCode = ratio >= 0.95 ? 0 : 1

async function fromFiles() {
  captioner.occupancy.reset()
  const { seconds, tokens, failed } = await run(csv, path.join(folder, 'out.csv'), {
    captioner: captioner.rows(answering)
  })
  if (failed > 0) throw new Error(`${failed} rows failed`)
  waits.push(captioner.occupancy.wait)
  return tokens / seconds
}

async function fromMemory() {
  const started = performance.now()
  const captions = await Promise.all(requests.map((each) => engine.caption(each).promise))
  return captions.reduce((sum, [{ tokens }]) => sum + tokens.length, 0) / ((performance.now() - started) / 1000)
}

/** The request that the captioner would hand to the engine for this file. */
async function request(file) {
  const pictures = await extractFrames(file)
  const prompt = buildPrompt({}, { images: pictures.length })
  const question = { prompt, temperature: 0, topP: 1, seed: 0, firstLogits: false, ...answering }
  return { pictures, detail: 'auto', questions: [question] }
}

/** A second engine with the same model and options as the captioner's, to be called without the pipeline around it. */
function loadEngine() {
  const { gpus, ...options } = loading
  const onCpu = { devices: [], splitMode: 'layer', tensorSplit: [], kvType: 'f16', mmap: true }
  return loadAddon().loadModel({ ...options, ...onCpu }, () => undefined).promise
}
