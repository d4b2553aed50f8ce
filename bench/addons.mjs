/**
 * Addons built for different CPUs, or by different compilers, side by side: how long each takes for the same captions.
 *
 *   npm run bench:addons -- --addons FILE,FILE[,…] [--models clip-l,60m,300m:Q8_0,300m:Q4_K_M] [--rounds 7] \
 *     [--batch 4] [--tokens 32] [--threads N] [--json FILE]
 *
 * A model is one of bench/pairs.mjs and, after a colon, the type of its language model's weights. Three frames of one
 * tile each; of clip-l, which is a tower, one token. Each addon has a process of its own, and they take turns. Reported
 * is the best round of each, since what disturbs a machine only ever adds, and the time over that of the first addon.
 */
import fs from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import Table from 'cli-table3'
import { machine, warnIfBusy } from './machine.mjs'
import { quantised } from './pairs.mjs'
import { startHosted } from './peers/hosted.mjs'
import { interleave } from './rounds.mjs'
import { requests, workload } from './workloads.mjs'

const { values } = parseArgs({
  options: {
    addons: { type: 'string', default: '' },
    models: { type: 'string', default: 'clip-l,60m,300m:Q8_0,300m:Q4_K_M' },
    rounds: { type: 'string', default: '7' },
    batch: { type: 'string', default: '4' },
    tokens: { type: 'string', default: '32' },
    threads: { type: 'string', default: String(machine().cores) },
    json: { type: 'string' }
  }
})
const addons = values.addons.split(',').filter(Boolean)
if (addons.length < 2) {
  console.error('bench: name two addons or more: --addons build/Release/vcap_native.node,FILE')
  process.exit(2)
}
warnIfBusy()
const results = []
const table = new Table({ head: ['model', 'addon', 'best s', 'of the first'], style: { head: [], border: [] } })
for (const model of values.models.split(',')) {
  const best = await measure(model)
  for (const [i, seconds] of best.entries()) {
    results.push({ model, addon: addons[i], seconds })
    table.push([model, addons[i], seconds.toFixed(3), (seconds / best[0]).toFixed(3)])
  }
}
console.log(table.toString())
if (values.json) {
  const report = { machine: machine(), date: new Date().toISOString(), options: values, addons: results }
  fs.writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`)
}

/** The seconds of each addon's best round. */
async function measure(model) {
  const [name, type = 'F16'] = model.split(':')
  const batch = Number(values.batch)
  const tokens = name === 'clip-l' ? 1 : Number(values.tokens)
  const load = workload({ frames: 3, size: 'tile', tokens, batch, anyres: 'off' })
  const options = { pair: quantised(name, type), batch, threads: Number(values.threads) }
  const module = new URL('peers/ours.mjs', import.meta.url).href
  const running = []
  try {
    for (const addon of addons) running.push(await startHosted(module, options, { VCAP_ADDON: path.resolve(addon) }))
    // A round that does not count comes first: memory is allocated and graphs are built.
    const seconds = await interleave(running, Number(values.rounds) + 1, async (peer, round) => {
      const { seconds } = await peer.caption(await requests(load, round), load)
      return round ? seconds : Infinity
    })
    return seconds.map((each) => Math.min(...each))
  } finally {
    for (const peer of running) await peer.stop()
  }
}
