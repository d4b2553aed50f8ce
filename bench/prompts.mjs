/**
 * What several captions on one prefill save: `run` with three prompts against three runs with one each, over the same
 * video files, by one loaded model.
 *
 *   npm run bench:prompts -- [--model 60m] [--clips 32] [--batch 16] [--size 640x360] [--tokens 32] \
 *     [--rounds 3] [--threads N] [--json FILE]
 *
 * Reported are the videos a second with all three captions, both ways, their ratio, and how many captions are the same
 * to the letter. Exit code 1 where the ratio is below 2 or a caption differs.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { loadCaptioner, run } from '../dist/index.js'
import { clip } from './clips.mjs'
import { machine, warnIfBusy } from './machine.mjs'
import { pair } from './pairs.mjs'
import { interleave, median } from './rounds.mjs'
import { context, sizes } from './workloads.mjs'

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: '60m' },
    clips: { type: 'string', default: '32' },
    batch: { type: 'string', default: '16' },
    size: { type: 'string', default: '640x360' },
    tokens: { type: 'string', default: '32' },
    rounds: { type: 'string', default: '3' },
    threads: { type: 'string', default: '0' },
    json: { type: 'string' }
  }
})
const [width, height] = sizes[values.size]
const { name, model, mmproj } = pair(values.model)
const prompts = { short: 'short', long: 'video', tags: 'tags' }
const names = Object.keys(prompts)
const answering = { maxTokens: Number(values.tokens), ignoreEos: true }
const files = Array.from({ length: Number(values.clips) }, (_, seed) => clip({ width, height, seconds: 10, seed }))

warnIfBusy()
const captioner = await loadCaptioner({
  model,
  mmproj,
  gpus: 'none',
  sequences: Number(values.batch),
  contextPerSequence: name === 'demo' ? 0 : context,
  threads: Number(values.threads),
  chatTemplate: name === 'demo' ? '' : 'vicuna_v1',
  kvType: 'f32' // at half precision what shares a batch can turn a near tie
})
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vcap-prompts-'))
process.on('exit', () => fs.rmSync(folder, { recursive: true, force: true }))
const input = path.join(folder, 'clips.csv')
fs.writeFileSync(input, `path\n${files.join('\n')}\n`)
let outputs = 0
/** Captions by name, each a list in the table's order, of both ways. */
const made = { together: {}, apart: {} }

await captioner.caption(files[0], answering) // memory is allocated and graphs are built beforehand
const [together, apart] = await interleave([allAtOnce, oneByOne], Number(values.rounds), (measure) => measure())
const ratio = median(together) / median(apart)
const same = names.flatMap((each) => made.together[each].filter((text, i) => text === made.apart[each][i])).length
console.log(
  [
    `${name}, ${files.length} clips of ${values.size}, 3 frames, 3 captions of ${values.tokens} tokens, ` +
      `batch ${values.batch}`,
    `one run, one prefill   ${median(together).toFixed(3)} videos/s`,
    `three runs             ${median(apart).toFixed(3)} videos/s`,
    `ratio                  ${ratio.toFixed(2)}`,
    `the same captions      ${same} of ${names.length * files.length}`
  ].join('\n')
)
if (values.json) {
  const report = { machine: machine(), date: new Date().toISOString(), options: values, together, apart, ratio, same }
  fs.writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`)
}
await captioner.close()
process.exitCode = ratio >= 2 && same === names.length * files.length ? 0 : 1

async function allAtOnce() {
  const { seconds, rows } = await captionAll({ prompts })
  for (const each of names) made.together[each] = rows.map(({ captions }) => captions[each].text)
  return files.length / seconds
}

async function oneByOne() {
  let seconds = 0
  for (const [each, prompt] of Object.entries(prompts)) {
    const one = await captionAll({ prompt })
    seconds += one.seconds
    made.apart[each] = one.rows.map(({ text }) => text)
  }
  return files.length / seconds
}

/** The rows' captions, in the table's order. */
async function captionAll(asked) {
  const rows = []
  const { seconds, failed } = await run(input, path.join(folder, `out-${outputs++}.csv`), {
    captioner: captioner.rows({ ...answering, ...asked }),
    onEvent: (event) => {
      if (event.type === 'row') rows[event.index] = event
    }
  })
  if (failed > 0) throw new Error(`${failed} rows failed`)
  return { seconds, rows }
}
