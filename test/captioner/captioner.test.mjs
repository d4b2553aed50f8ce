import assert from 'node:assert/strict'
import test, { after } from 'node:test'
import { captionVideo, extractFrames, loadCaptioner } from '../../dist/index.js'
import { demoSamples } from '../helpers/samples.mjs'

const { paths } = await demoSamples()
const options = { model: 'demo', gpus: 'none', sequences: 4 }
const captioner = await loadCaptioner(options)
after(() => captioner.close())

test('captionVideo gives text, tokens, length and timings', async () => {
  const caption = await captionVideo(paths[0], { model: 'demo', gpus: 'none' })
  assert.match(caption.text, /^An? \w+ \w+ .* on a \w+ background\.$/)
  assert.ok(caption.tokens.length > 3 && caption.tokens.every(Number.isInteger))
  assert.equal(caption.status, 'ok')
  assert.ok(caption.length >= 10)
  for (const name of ['frames', 'preprocess', 'queued', 'vision', 'prefill', 'decode'])
    assert.ok(caption.timings[name] >= 0, name)
})

test('captionAll yields in order, errors among the captions', async () => {
  const all = [paths[0], '/no/such.mp4', ...paths.slice(1), paths[0]]
  const results = []
  for await (const result of captioner.captionAll(all)) results.push(result)
  assert.deepEqual(
    results.map((r) => r.path),
    all
  )
  assert.deepEqual(
    results.map((r) => r.status),
    all.map((p) => (p === '/no/such.mp4' ? 'missing' : 'ok'))
  )
  assert.equal(results[1].error.code, 'missing')
  assert.deepEqual(results.at(-1).tokens, results[0].tokens, 'the same video, the same tokens')
})

test('captionAll takes no more paths than it has room for, and stops when its reader does', async () => {
  let taken = 0
  function* endless() {
    while (true) {
      taken++
      yield paths[taken % paths.length]
    }
  }
  for await (const _ of captioner.captionAll(endless())) break
  assert.ok(taken <= captioner.window + 1, `${taken} taken`)
  assert.equal((await captioner.caption(paths[0])).status, 'ok', 'the captioner is still good')
})

test('images in memory: caption and embeddings', async () => {
  const frames = await extractFrames(paths[0])
  const images = await captioner.captionImages(frames)
  assert.equal(images.text, (await captioner.caption(paths[0])).text)
  const { data, tokens, width, counts } = await captioner.embedImages(frames)
  assert.equal(width, captioner.info.embeddingWidth)
  assert.equal(data.length, tokens * width)
  assert.equal(
    counts.reduce((a, b) => a + b),
    tokens
  )
  assert.ok(data.every(Number.isFinite))
  const one = await captioner.embedImages([frames[1]])
  const from = counts[0] * width
  const apart = one.data.reduce((most, value, i) => Math.max(most, Math.abs(value - data[from + i])), 0)
  assert.ok(apart < 1e-4, `an image's features do not depend on the others: ${apart}`)
  await assert.rejects(captioner.embedImages([]), { code: 'usage' })
  await assert.rejects(captioner.captionImages([{ data: new Uint8Array(3), width: 2, height: 2 }]), {
    code: 'usage',
    message: /12 bytes of RGB for image 0/
  })
  const sound = { data: new Uint8Array(12), width: 2, height: 2 }
  for (const images of [[sound, null], [sound, undefined], [sound, 'a.png'], Object.assign([sound], { length: 2 })]) {
    const message = /Expected a picture \{ data, width, height \} for image 1 but received/
    await assert.rejects(captioner.captionImages(images), { code: 'usage', message })
    await assert.rejects(captioner.embedImages(images), { code: 'usage', message })
  }
})

test('options of one caption go before those of loading', async () => {
  const short = await captioner.caption(paths[0], { maxTokens: 2 })
  assert.deepEqual([short.status, short.tokens.length], ['truncated', 2])
  await assert.rejects(captioner.caption(paths[0], { maxTokens: 0 }), {
    code: 'usage',
    message: 'Expected integer between 1 and 1000000 for maxTokens but received 0 of type number'
  })
  await assert.rejects(captioner.caption(paths[0], { maxTokens: 100_000 }), { code: 'context_overflow' })
  const sampled = await captioner.caption(paths[0], { temperature: 1.5, seed: 7 })
  assert.deepEqual(
    (await captioner.caption(paths[0], { temperature: 1.5, seed: 7 })).tokens,
    sampled.tokens,
    'the same seed, the same tokens'
  )
})

test('an abort rejects what waits and what works, and nothing else', async () => {
  const controller = new AbortController()
  const doomed = Array.from({ length: 24 }, (_, i) =>
    captioner.caption(paths[i % paths.length], { signal: controller.signal })
  )
  const spared = captioner.caption(paths[1])
  setTimeout(() => controller.abort(), 60)
  const outcomes = await Promise.allSettled(doomed)
  const rejected = outcomes.filter((o) => o.status === 'rejected')
  assert.ok(rejected.length > 0)
  for (const { reason } of rejected) assert.equal(reason.code, 'aborted')
  assert.equal((await spared).status, 'ok')
  await assert.rejects(
    async () => {
      for await (const _ of captioner.captionAll(paths, { signal: AbortSignal.abort() }));
    },
    { code: 'aborted' }
  )
  await assert.rejects(loadCaptioner({ ...options, signal: AbortSignal.abort() }), { code: 'aborted' })
})

test('rows: the captioner of a run, with options of its own', async () => {
  const rows = captioner.rows({ maxTokens: 3 })
  const { name, summary, digest, warnings, window, concurrency } = rows.info
  assert.deepEqual(
    { name, warnings, window, concurrency },
    { name: captioner.info.name, warnings: [], window: captioner.window, concurrency: 4 }
  )
  assert.match(summary, /^vcap demo: 1\.5 M parameters on CPU, 4 captions at once, /)
  assert.match(digest, /^[0-9a-f]{64}$/)
  const { signal } = new AbortController()
  const whole = await captioner.caption(paths[0], { maxTokens: 3 })
  const { text, length, imageTokens, promptTokens, tiles } = whole
  assert.deepEqual(await rows.captionRow({ path: paths[0] }, signal), {
    status: 'truncated',
    text,
    numFrames: length,
    error: null,
    usage: { imageTokens, promptTokens, tokens: 3, tiles },
    flags: ['cut', 'unfinished']
  })
  const { error, ...missing } = await rows.captionRow({ path: '/no/such.mp4' }, signal)
  assert.deepEqual(missing, { status: 'missing', text: '', numFrames: null, usage: null })
  assert.match(error, /No such file/)
  assert.equal((await rows.captionRow({ path: '' }, signal)).status, 'missing')
  await assert.rejects(rows.captionRow({ path: paths[0] }, AbortSignal.abort()), { code: 'aborted' })
  assert.throws(() => captioner.rows({ frames: 3 }), { code: 'usage', message: /but received frames$/ })
  await rows.close()
  assert.equal((await rows.captionRow({ path: paths[0] }, signal)).status, 'truncated', 'the model is left open')
})

test('rows: a row of which too much is asked was decoded all the same', async () => {
  const { signal } = new AbortController()
  const rows = captioner.rows({ maxTokens: 4000, framePool: 1 })
  const { status, text, numFrames, error, usage } = await rows.captionRow({ path: paths[0] }, signal)
  assert.deepEqual({ status, text, usage }, { status: 'context_overflow', text: '', usage: null })
  assert.equal(numFrames, (await captioner.caption(paths[0])).length)
  assert.match(error, /; use less detail, fewer frames, a shorter answer or a longer context$/)
})

test('rows: an answer for which no row has room is refused before the first', () => {
  assert.throws(() => captioner.rows({ maxTokens: 100_000 }), {
    code: 'usage',
    message:
      /^No row fits: of 4096 positions one picture and the shortest prompt take \d+, and captions may have 100000 /
  })
  assert.ok(captioner.rows({ maxTokens: 4096 - captioner.info.leastTokens }))
  assert.throws(() => captioner.rows({ maxTokens: 4097 - captioner.info.leastTokens }), { code: 'usage' })
})

test("rows: the row's text goes into the prompt, the options' where it has none", async () => {
  const { signal } = new AbortController()
  const prompt = 'Is it {}?'
  const rows = captioner.rows({ prompt, text: 'a red circle' })
  const tokens = async (text) => (await rows.captionRow({ path: paths[0], text }, signal)).usage.promptTokens
  const expected = async (text) => (await captioner.caption(paths[0], { prompt, text })).promptTokens
  assert.equal(await tokens(undefined), await expected('a red circle'))
  assert.equal(await tokens('one two three four five six'), await expected('one two three four five six'))
  assert.equal(await tokens(''), await expected(undefined), 'an empty cell is a text as well')
  assert.notEqual(await expected(undefined), await expected('a red circle'))
})

test('rows: the digest changes with what can change a caption, and with nothing else', async () => {
  const digest = (options) => captioner.rows(options).info.digest
  const same = digest({})
  assert.equal(digest(undefined), same)
  assert.equal(digest({ signal: new AbortController().signal, maxTokens: 300, prompt: undefined }), same)
  const seen = new Set([same])
  for (const options of [
    { maxTokens: 299 },
    { prompt: 'short' },
    { text: 'a cat' },
    { anyres: 'off' },
    { temperature: 1 },
    { seed: 1 },
    { topP: 0.5 },
    { ignoreEos: true },
    { numFrames: 4 },
    { resize: 100 }
  ]) {
    assert.ok(!seen.has(digest(options)), JSON.stringify(options))
    seen.add(digest(options))
  }
  const other = await loadCaptioner({ ...options, kvType: 'q8_0' })
  const theirs = other.rows().info.digest
  await other.close()
  assert.notEqual(theirs, same, 'what the keys and values are kept as')
})

test('close waits for work, can be called again, and refuses what comes after', async () => {
  const own = await loadCaptioner(options)
  const work = own.caption(paths[0])
  const closing = own.close()
  await assert.rejects(own.caption(paths[0]), { code: 'closed' })
  await Promise.all([closing, own.close()])
  assert.equal((await work).status, 'ok')
  await own.close()
})

test('two captioners in one process', async () => {
  const other = await loadCaptioner({ ...options, sequences: 2 })
  const [a, b] = await Promise.all([captioner.caption(paths[2]), other.caption(paths[2])])
  await other.close()
  assert.deepEqual(a.tokens, b.tokens)
})
