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
import path from 'node:path'
import { loadCaptioner, run } from '../dist/index.js'
import { clipBench } from './clip-bench.mjs'
import { machine, warnIfBusy } from './machine.mjs'
import { interleave, median } from './rounds.mjs'

const { values, name, loading, answering, files, folder, csv } = clipBench()
const prompts = { short: 'short', long: 'video', tags: 'tags' }
const names = Object.keys(prompts)

warnIfBusy()
// At half precision what shares a batch can turn a near tie.
const captioner = await loadCaptioner({ ...loading, kvType: 'f32' })
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
  const { seconds, failed } = await run(csv, path.join(folder, `out-${outputs++}.csv`), {
    captioner: captioner.rows({ ...answering, ...asked }),
    onEvent: (event) => {
      if (event.type === 'row') rows[event.index] = event
    }
  })
  if (failed > 0) throw new Error(`${failed} rows failed`)
  return { seconds, rows }
}
