/** Tokens that are chosen where the logits are computed, on an RPC device: the same as those chosen from the logits. */
import assert from 'node:assert/strict'
import path from 'node:path'
import test, { after } from 'node:test'
import { loadAddon } from '../../dist/native/load.js'
import { languageModel, projector } from '../../tools/models/llava.mjs'
import { root } from '../helpers/cli.mjs'
import { temporaryFolder } from '../helpers/media.mjs'
import { realServer } from '../helpers/rpc.mjs'
import { tinyModel, tinyProjector } from '../helpers/tiny-models.mjs'

const addon = loadAddon()
const server = await realServer()
after(() => server.kill())
const remote = addon.devices([server.endpoint]).find(({ name }) => name.startsWith('RPC')).name
const folder = temporaryFolder()
const demo = (part) => path.join(root, 'models', 'demo', part)

const load = (devices, files = {}) =>
  addon.loadModel(
    {
      model: demo('vcap-demo.gguf'),
      mmproj: demo('vcap-demo-mmproj.gguf'),
      devices,
      splitMode: 'layer',
      tensorSplit: [],
      sequences: 3,
      contextPerSequence: 1024,
      threads: 1,
      kvType: 'f16',
      chatTemplate: '',
      mmap: true,
      ...files
    },
    () => {}
  ).promise

const request = (shade, settings = {}) => ({
  pictures: [{ data: new Uint8Array(64 * 48 * 3).fill(shade), width: 64, height: 48 }],
  detail: 'auto',
  questions: [
    {
      prompt: 'Describe the video.',
      maxTokens: 12,
      temperature: 0,
      topP: 1,
      seed: 0,
      ignoreEos: true,
      repetitionStop: false,
      firstLogits: false,
      ...settings
    }
  ]
})

/** Requests of every kind, more than there are slots, so that each slot serves one kind after another. */
const mixed = Array.from({ length: 24 }, (_, i) =>
  request(10 * i, [{}, { temperature: 0.8, topP: 0.9, seed: i }, { firstLogits: true }, {}][(i * 7) % 4])
)

test('greedy captions beside sampled ones and logits: as from the logits here', async () => {
  const [here, there] = [await load([]), await load([remote])]
  try {
    assert.deepEqual(there.info.devices, [remote])
    const [expected, found] = await Promise.all(
      [here, there].map((model) => Promise.all(mixed.map((each) => model.caption(each).promise)))
    )
    for (const [i, [{ tokens, firstLogits, text }]] of found.entries()) {
      assert.deepEqual(tokens, expected[i][0].tokens, `request ${i}`)
      assert.equal(text, expected[i][0].text)
      assert.equal(firstLogits?.length, mixed[i].questions[0].firstLogits ? there.info.vocabulary : undefined)
    }
  } finally {
    await here.close()
    await there.close()
  }
})

test('logits that are no numbers are seen by their sum alone', async () => {
  const noise = (name) => (size) => {
    const values = new Float32Array(size / 4)
    if (name === 'output.weight') return Buffer.from(values.fill(Number.NaN).buffer)
    return Buffer.from(
      values.map((_, i) => (name.includes('norm') ? 1 : 0.02 * Math.sin(i * 0.7 + name.length))).buffer
    )
  }
  const files = { model: path.join(folder, 'nan.gguf'), mmproj: path.join(folder, 'nan-mmproj.gguf') }
  languageModel({ ...tinyModel, type: 'F32' }, noise).write(files.model)
  projector({ ...tinyProjector, type: 'F32' }).write(files.mmproj)
  const there = await load([remote], files)
  try {
    const codes = []
    for (let i = 0; i < 3; i++) {
      const error = await there.caption(request(i)).promise.then(
        () => undefined,
        (thrown) => thrown
      )
      codes.push(error?.code)
      assert.match(error?.message ?? '', /logits .* not finite numbers/)
    }
    assert.deepEqual(codes, ['engine_error', 'engine_error', 'engine_lost'])
  } finally {
    await there.close()
  }
})
