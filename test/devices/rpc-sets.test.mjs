/** Models on several devices: RPC servers on this machine. Their captions are those of one device. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { after, test } from 'node:test'
import { loadCaptioner } from '../../dist/index.js'
import { languageModel, projector } from '../../tools/models/llava.mjs'
import { cli } from '../helpers/cli.mjs'
import { temporaryFolder } from '../helpers/media.mjs'
import { realServer } from '../helpers/rpc.mjs'
import { rpcClips, rpcRun, rpcRuns } from '../helpers/rpc-runs.mjs'
import { tinyModel, tinyProjector } from '../helpers/tiny-models.mjs'

const clips = await rpcClips(6)

for (const one of rpcRuns) {
  test(`${one.name}: the output of one device, each row once`, async () => {
    const rows = await rpcRun(one, clips)
    if (!one.kills) assert.equal(rows.length, one.args.includes('--dp-size') ? 2 : 1)
  })
}

const folder = temporaryFolder()
const servers = await Promise.all([realServer(), realServer()])
after(() => Promise.all(servers.map((server) => server.kill())))
const rpc = servers.map(({ endpoint }) => endpoint)

/** What splitting a model of this shape tensor by tensor comes to. */
async function split(name, shape, options = {}) {
  const [model, mmproj] = ['', '-mmproj'].map((part) => path.join(folder, `${name}${part}.gguf`))
  languageModel({ ...tinyModel, ...shape }).write(model)
  projector({ ...tinyProjector, projection: shape.width ?? tinyModel.width }).write(mmproj)
  const captioner = await loadCaptioner({
    ...{ model, mmproj, gpus: 'none', rpc, splitMode: 'tensor', sequences: 2 },
    ...options
  })
  const picture = { data: new Uint8Array(64 * 48 * 3), width: 64, height: 48 }
  const { tokens } = await captioner.captionImages([picture], { maxTokens: 4, ignoreEos: true })
  await captioner.close()
  return tokens.length
}

const refused = (message) => (error) => {
  assert.equal(error.code, 'usage', error.message)
  assert.match(error.message, message)
  return true
}

test('what llama.cpp would abort on is refused before anything is loaded, and what it can split is not', async () => {
  const wide = { width: 256, heads: 4, groups: 2, feedForward: 512 }
  await assert.rejects(split('q4', { ...wide, type: 'Q4_K' }), refused(/2 heads .* whole parts of 2, .* 2 devices/))
  await assert.rejects(split('one', { groups: 1, feedForward: 256 }), refused(/1 heads .* whole parts of 1/))
  await assert.rejects(split('narrow', {}), refused(/feed-forward network of 128 values .* parts of 128/))
  const uneven = { feedForward: 1024 }
  await assert.rejects(split('uneven', uneven, { tensorSplit: [1, 100] }), refused(/one of 2 devices without/))
  assert.equal(await split('even', uneven), 4)
  assert.equal(await split('q8', { ...wide, type: 'Q8_0' }, { kvType: 'q8_0' }), 4)
})

test('keys and values in F32 cannot be split tensor by tensor: the reason, not a lack of memory', async () => {
  const shape = { feedForward: 256 }
  await assert.rejects(split('f32', shape, { kvType: 'f32' }), refused(/flash attention.*f16 or q8_0/))
  assert.equal(await split('f32-layer', { layers: 2 }, { kvType: 'f32', splitMode: 'layer' }), 4)
})

test('devices and replicas that do not fit are refused by the command, with the choices', async () => {
  const table = path.join(folder, 'table.csv')
  fs.writeFileSync(table, 'path\nx.mp4\n')
  const asked = ['run', table, path.join(folder, 'out.csv'), '--model', 'demo', '--gpus', 'none', '--rpc', rpc.join()]
  for (const [args, message] of [
    [['--tp-size', '3'], /there are 2: .*Choose --tp-size 1 --dp-size 2, or --tp-size 2 --dp-size 1/],
    [['--tp-size', '2', '--tensor-split', '1,2,3'], /each of the 2 devices .* received 3/],
    [['--tensor-split', '1,x'], /list of numbers above 0/]
  ]) {
    const { status, stderr } = await cli([...asked, ...args])
    assert.equal(status, 2, stderr)
    assert.match(stderr, message)
  }
})
