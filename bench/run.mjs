/**
 * Measures vcap-native beside other programs that run LLaVA: npm run bench -- [options]
 *
 *   --models 60m            demo, 60m, 300m
 *   --frames 3              1, 3, 8; with one of --anyres' own behind it as in 3:full,8:pool
 *   --sizes 640x360         640x360, 1280x720, square
 *   --tokens 32             32, 128; every peer must make that many
 *   --batch 1,16            1, 4, 16
 *   --anyres full,off       off: one tile a frame, pool: one that is pooled 2 x 2; the others get 336 x 336 pixels
 *   --peers all             ours, llama-server, llama.node, hf, hf-batch, hf-bf16, hf-bf16-batch
 *   --python FILE           a Python that has torch and transformers, for the peers named hf
 *   --rounds 3  --threads N  --patience SECONDS  --json FILE
 *
 * Every combination of the lists is measured. All peers are loaded at the same time and take turns; figures are medians
 * over the rounds. A peer whose round takes longer than --patience (900 s) is measured in that one round only. A larger
 * batch is left out for a peer where it would take twice --patience at the speed measured with batch 1.
 */
import fs from 'node:fs'
import { parseArgs } from 'node:util'
import { machine, warnIfBusy } from './machine.mjs'
import { pair } from './pairs.mjs'
import { hf } from './peers/hf.mjs'
import { startHosted } from './peers/hosted.mjs'
import * as llamaServer from './peers/llama-server.mjs'
import { report } from './report.mjs'
import { interleave } from './rounds.mjs'
import { buildLlamaTools, installPackages } from './setup.mjs'
import { requests, workload } from './workloads.mjs'

const { values } = parseArgs({
  options: {
    models: { type: 'string', default: '60m' },
    frames: { type: 'string', default: '3' },
    sizes: { type: 'string', default: '640x360' },
    tokens: { type: 'string', default: '32' },
    batch: { type: 'string', default: '1,16' },
    anyres: { type: 'string', default: 'full,off' },
    peers: { type: 'string', default: 'all' },
    python: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    threads: { type: 'string', default: String(machine().cores) },
    patience: { type: 'string', default: '900' },
    json: { type: 'string' }
  }
})
const list = (text) => text.split(',')
const numbers = (text) => list(text).map(Number)

/** Peers by the names that --peers takes. Ours is first: the others take the question's length from its answers. */
const known = {
  ours: hosted('vcap-native', 'peers/ours.mjs'),
  'llama-server': { ...llamaServer, prepare: buildLlamaTools },
  'llama.node': { ...hosted('@fugood/llama.node', 'peers/llama-node.mjs'), prepare: installPackages },
  hf: hf(1, 'float32'),
  'hf-batch': hf(Infinity, 'float32'),
  'hf-bf16': hf(1, 'bfloat16'),
  'hf-bf16-batch': hf(Infinity, 'bfloat16')
}

function hosted(name, file) {
  return { name, start: (options) => startHosted(new URL(file, import.meta.url).href, options) }
}

const chosen =
  values.peers === 'all' ? Object.keys(known) : ['ours', ...list(values.peers).filter((peer) => peer !== 'ours')]
for (const peer of chosen)
  if (!known[peer]) throw new Error(`Expected one of ${Object.keys(known).join(', ')} as a peer but received ${peer}`)
for (const { name, prepare } of chosen.map((peer) => known[peer])) {
  try {
    prepare?.()
  } catch (error) {
    console.error(`bench: ${name} cannot be brought: ${error.message}`)
  }
}

warnIfBusy()
const results = {
  machine: machine(),
  date: new Date().toISOString(),
  rounds: Number(values.rounds),
  threads: Number(values.threads),
  cells: []
}
for (const model of list(values.models)) {
  for (const batch of numbers(values.batch)) await measure(pair(model), batch)
}

/** Measures all workloads of one model and batch size, for which each peer is loaded once. */
async function measure(models, batch) {
  const peers = await startAll(models, batch)
  try {
    for (const each of list(values.frames)) {
      const [frames, own = values.anyres] = each.split(':')
      for (const size of list(values.sizes)) {
        for (const tokens of numbers(values.tokens)) {
          for (const anyres of list(own))
            await measureCell(models, peers, workload({ frames: Number(frames), size, tokens, batch, anyres }))
        }
      }
    }
  } finally {
    for (const { running } of peers) await running?.stop()
  }
}

async function startAll(models, batch) {
  const peers = []
  for (const { name, start } of chosen.map((peer) => known[peer])) {
    try {
      const running = await start({ pair: models, batch, threads: Number(values.threads), python: values.python })
      peers.push({ name, running })
      await warmUp(running)
    } catch (error) {
      if (peers.at(-1)?.name === name) await peers.pop().running.stop()
      peers.push({ name, skipped: error.message })
      console.error(`bench: ${models.name}, batch ${batch}: without ${name}: ${error.message}`)
    }
  }
  return peers
}

/** Makes one small request that is not counted, so that memory is allocated and kernels are chosen beforehand. */
async function warmUp(running) {
  const load = workload({ frames: 1, size: 'tile', tokens: 2, batch: 1, anyres: 'off' })
  await running.caption(await requests(load, -1), { ...load, textTokens: 32 })
}

async function measureCell(models, peers, load) {
  const cell = {
    model: models.name,
    ...load,
    peers: peers.map(({ name, skipped }) => ({ name, skipped, seconds: [] }))
  }
  let textTokens
  await interleave(peers, Number(values.rounds), async ({ name, running }, round) => {
    const own = cell.peers.find((peer) => peer.name === name)
    if (!running || own.skipped || own.seconds[0] > Number(values.patience)) return
    const forecast = load.batch * secondsAlone(models.name, load, name)
    if (forecast > 2 * Number(values.patience)) {
      own.skipped = `would take ${Math.round(forecast / 60)} minutes a round, at its rate alone`
      return
    }
    if (load.anyres === 'pool' && (name.startsWith('llama') || name.startsWith('@fugood'))) {
      own.skipped = "does not pool a video's frames"
      return
    }
    const size = load.anyres !== 'full' && name !== known.ours.name ? 'tile' : load.size
    try {
      const { seconds, captions } = await running.caption(await requests({ ...load, size }, round), {
        ...load,
        textTokens
      })
      checkWork(captions, load)
      if (name === known.ours.name) textTokens ??= captions[0].textTokens
      own.seconds.push(seconds)
      own.promptTokens = captions[0].promptTokens
      console.error(
        `bench: ${models.name}, ${load.name}, round ${round + 1}, ${name}: ` +
          `${seconds.toFixed(2)} s, ${captions[0].promptTokens} prompt tokens`
      )
    } catch (error) {
      own.skipped = error.message
      console.error(`bench: ${models.name}, ${load.name}: ${name} failed: ${error.message}`)
    }
  })
  results.cells.push(cell)
  console.log(report([cell]))
  if (values.json) fs.writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`)
}

/** The seconds that the peer took for one such request with batch 1; 0 where that has not been measured. */
function secondsAlone(model, { batch, name, ...load }, peer) {
  const alone =
    batch > 1 &&
    results.cells.find(
      (cell) => cell.model === model && cell.batch === 1 && Object.keys(load).every((part) => cell[part] === load[part])
    )
  return alone ? (alone.peers.find((each) => each.name === peer)?.seconds[0] ?? 0) : 0
}

/** Throws where a peer made fewer tokens than it was asked for, since its time could not be compared. */
function checkWork(captions, { batch, tokens }) {
  if (captions.length !== batch) throw new Error(`${captions.length} answers to ${batch} requests`)
  const short = captions.find((caption) => Math.abs(caption.tokens - tokens) > 1)
  if (short) throw new Error(`it made ${short.tokens} tokens where ${tokens} were asked`)
}
