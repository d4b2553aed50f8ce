/** Pooled frames of videos: how many features they are, whose they are, and what is refused. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import test, { after } from 'node:test'
import { fileURLToPath } from 'node:url'
import { extractFrames, loadCaptioner, plan } from '../../dist/index.js'
import { demoSamples } from '../helpers/samples.mjs'

const { paths } = await demoSamples()
const video = paths.find((file) => file.endsWith('.mp4'))
const image = paths.find((file) => /\.(png|jpg)$/.test(file))
const parity = (name) => fileURLToPath(new URL(`../fixtures/parity/${name}`, import.meta.url))
const pair = (folder) => ({ model: path.join(folder, 'model.gguf'), mmproj: path.join(folder, 'mmproj.gguf') })
const options = { gpus: 'none', sequences: 1, maxTokens: 4 }
const captioner = await loadCaptioner({ model: 'demo', ...options })
after(() => captioner.close())
const { tileSize, patchSize } = captioner.info.vision
const side = tileSize / patchSize

test('a pooled frame is one tile, and the square of its side over the pool in tokens', async () => {
  for (const framePool of [2, 3, 4]) {
    const caption = await captioner.caption(video, { framePool, numFrames: 8 })
    assert.equal(caption.tiles, 8)
    assert.equal(caption.imageTokens, 8 * Math.floor(side / framePool) ** 2)
    const scaled = await captioner.caption(video, { framePool, numFrames: 8, framePoolMode: 'bilinear' })
    assert.equal(scaled.imageTokens, 8 * Math.ceil(side / framePool) ** 2)
  }
})

test('the newline stands behind rows, frames, the last frame or nowhere', async () => {
  const half = Math.floor(side / 2)
  const tokens = { no_token: 0, one_token: 1, frame: 3, grid: 3 * half }
  for (const [frameNewline, more] of Object.entries(tokens)) {
    const caption = await captioner.caption(video, { framePool: 2, frameNewline })
    assert.equal(caption.imageTokens, 3 * half ** 2 + more, frameNewline)
  }
})

test('a still image keeps its detail, and 1 pools nothing', async () => {
  const plain = await captioner.caption(image)
  assert.deepEqual((await captioner.caption(image, { framePool: 2 })).imageTokens, plain.imageTokens)
  const frames = await captioner.caption(video)
  assert.deepEqual((await captioner.caption(video, { framePool: 1 })).tokens, frames.tokens)
  assert.ok((await captioner.caption(video, { framePool: 2 })).imageTokens < frames.imageTokens)
})

test('features before and behind the projector are others, and pooling decides a run', async () => {
  const frames = await extractFrames(video)
  const behind = await captioner.embedImages(frames, { framePool: 2 })
  const before = await captioner.embedImages(frames, { framePool: 2, framePoolPlace: 'before' })
  assert.deepEqual(behind.counts, before.counts)
  assert.notDeepEqual(behind.data, before.data)
  const digests = [{}, { framePool: 2 }, { framePool: 2, framePoolMode: 'max' }, { framePool: 2, frameNewline: 'grid' }]
  assert.equal(new Set(digests.map((given) => captioner.rows(given).info.digest)).size, digests.length)
})

test('what a model cannot do is refused before anything is captioned', async () => {
  const small = await loadCaptioner({ ...pair(parity('llava15-pad')), ...options })
  try {
    assert.throws(() => small.rows({ framePool: 2, frameNewline: 'grid' }), { code: 'usage', message: /no newline/ })
    const { imageTokens } = await small.caption(video, { framePool: 2 })
    assert.equal(imageTokens, 3 * Math.floor(small.info.vision.tileSize / small.info.vision.patchSize / 2) ** 2)
  } finally {
    await small.close()
  }
  assert.throws(() => captioner.rows({ framePool: 5 }), { code: 'usage' })
})

test('auto pools frames that do not fit as one tile each, and says so; ctx auto makes room for them', async () => {
  const files = pair(parity('plain'))
  const narrow = await loadCaptioner({ ...files, ...options, contextPerSequence: 256 })
  const pictures = await extractFrames(video, { numFrames: 8 })
  try {
    const { tileSize: tile, patchSize: patch } = narrow.info.vision
    const half = Math.floor(tile / patch / 2) ** 2
    const question = { prompt: 'What?' }
    const few = await narrow.captionImages(pictures.slice(0, 2), question)
    assert.equal(few.framePool, 1)
    const many = Array.from({ length: 30 }, (_, i) => pictures[i % 8])
    const pooled = await narrow.captionImages(many, question)
    assert.deepEqual([pooled.framePool, pooled.tiles, pooled.imageTokens], [2, 30, 30 * half])
    await assert.rejects(narrow.captionImages(many, { ...question, framePool: 1 }), { code: 'context_overflow' })
    await assert.rejects(narrow.captionImages(many, { ...question, anyres: 'off' }), { code: 'context_overflow' })
  } finally {
    await narrow.close()
  }
  const wish = { model: 'demo', ...options, contextPerSequence: 'auto', numFrames: 8, framePool: 2, prompt: 'video' }
  const wide = await loadCaptioner(wish)
  try {
    const needed = 8 * Math.floor(side / 2) ** 2
    assert.ok(wide.info.contextPerSequence >= needed && wide.info.contextPerSequence <= needed + 512)
    const { framePool, status } = await wide.caption(video)
    assert.deepEqual([framePool, status], [2, 'truncated'])
  } finally {
    await wide.close()
  }
})

test("a video model's frames are pooled without being asked for: by its metadata, or by its name", async () => {
  const known = await plan({ ...pair(parity('video')), gpus: 'none', sizes: ['64x48'] })
  assert.deepEqual(known.model.vision.pooling, { stride: 2, mode: 'average', place: 'after', newline: 'no_token' })
  assert.deepEqual(
    known.frames.map(({ frames, imageTokens }) => [frames, imageTokens]),
    [
      [1, 9],
      [3, 27]
    ]
  )
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vcap-pool-'))
  try {
    const model = path.join(folder, 'LLaVA-NeXT-Video-7B.Q4_K_M.gguf')
    fs.symlinkSync(pair(parity('plain')).model, model)
    const named = await plan({ ...pair(parity('plain')), model, gpus: 'none', sizes: ['64x48'] })
    assert.equal(named.model.vision.pooling.stride, 2)
    const other = await plan({ ...pair(parity('plain')), gpus: 'none', sizes: ['64x48'] })
    assert.equal(other.model.vision.pooling.stride, 1)
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
})
