/** Answers that say the same over and over, by models that do: random weights, and greedy. */
import assert from 'node:assert/strict'
import path from 'node:path'
import test from 'node:test'
import { loadCaptioner } from '../../dist/index.js'
import { languageModel, projector } from '../../tools/models/llava.mjs'
import { randomFile } from '../../tools/models/random.mjs'
import { temporaryFolder } from '../helpers/media.mjs'
import { demoSamples } from '../helpers/samples.mjs'
import { tinyModel, tinyProjector } from '../helpers/tiny-models.mjs'

const folder = temporaryFolder()
const image = { data: Uint8Array.from({ length: 56 * 56 * 3 }, (_, i) => (i * 37) % 251), width: 56, height: 56 }

/** A pair of random weights, loaded. */
async function load(seed) {
  const [model, mmproj] = ['model', 'mmproj'].map((name) => path.join(folder, `${seed}-${name}.gguf`))
  randomFile(languageModel, { ...tinyModel, context: 1024 }, seed).write(model)
  randomFile(projector, tinyProjector, seed).write(mmproj)
  return loadCaptioner({ model, mmproj, gpus: 'none', threads: 1, sequences: 1, kvType: 'f32', anyres: 'off' })
}

/** The shortest passage that an answer's last tokens are, at least three times and in at least 32 tokens; 0: none. */
function periodOf(tokens) {
  for (let period = 1; period <= tokens.length / 3; period++) {
    let equal = 0
    while (equal < tokens.length - period && tokens.at(-1 - equal) === tokens.at(-1 - equal - period)) equal++
    if (equal >= 2 * period && equal + period >= 32) return period
  }
  return 0
}

test('an answer that loops ends after its first round; without the stop it goes on to the limit', async () => {
  let loops = 0
  for (const seed of ['a', 'b', 'c', 'd', 'e', 'f']) {
    const captioner = await load(seed)
    const free = await captioner.captionImages([image], { maxTokens: 300, repetitionStop: false })
    const stopped = await captioner.captionImages([image], { maxTokens: 300 })
    await captioner.close()
    assert.deepEqual(stopped.tokens, free.tokens.slice(0, stopped.tokens.length), 'the tokens are the same up to there')
    const seen = free.tokens.findIndex((_, i) => periodOf(free.tokens.slice(0, i + 1)) > 0) + 1
    if (seen === 0) continue
    loops++
    const period = periodOf(free.tokens.slice(0, seen))
    const { status, flags, tokens } = stopped
    assert.ok(tokens.length + period < seen, `${tokens.length} of ${seen} tokens`)
    if (status === 'empty') continue // a token that spells nothing
    assert.equal(status, 'truncated')
    assert.ok(flags.includes('repetition') && !flags.includes('cut'), flags.join())
    assert.deepEqual(
      tokens.slice(-period),
      free.tokens.slice(tokens.length, tokens.length + period),
      'one round is kept'
    )
  }
  assert.ok(loops >= 3, `${loops} of the models loop`)
})

test('captions that do not loop are the same with the stop and without', async () => {
  const { paths } = await demoSamples({ clips: 3, images: 2 })
  const captioner = await loadCaptioner({ model: 'demo', gpus: 'none', threads: 1, kvType: 'f32' })
  for (const file of paths) {
    const [on, off] = [await captioner.caption(file), await captioner.caption(file, { repetitionStop: false })]
    assert.deepEqual([on.text, on.tokens, on.status, on.flags], [off.text, off.tokens, 'ok', []])
  }
  await captioner.close()
})

test('a second answer is sampled with another seed, where the first was greedy too', async () => {
  const captioner = await load('a')
  const rows = captioner.rows({ maxTokens: 40, repetitionStop: false })
  const { paths } = await demoSamples({ clips: 1, images: 1 })
  const ask = async (attempt) =>
    (await rows.captionRow({ path: paths.at(-1), attempt }, new AbortController().signal)).text
  const [first, same, second, again, third] = [await ask(), await ask(0), await ask(1), await ask(1), await ask(2)]
  await captioner.close()
  assert.equal(first, same)
  assert.equal(second, again)
  assert.equal(new Set([first, second, third]).size, 3)
})
