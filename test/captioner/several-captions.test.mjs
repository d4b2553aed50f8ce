/** Several questions about one row's pictures, by a loaded model: the answers of a run for each, on one prefill. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { after, test } from 'node:test'
import { loadCaptioner, loadReplicas, run } from '../../dist/index.js'
import { readQuestions } from '../../dist/prompts/named.js'
import { cli, readRows } from '../helpers/cli.mjs'
import { demoSamples } from '../helpers/samples.mjs'

const { folder, csv, paths } = await demoSamples({ clips: 4, images: 2 })
const prompts = { short: 'short', long: 'video-text', tags: 'List {path}: {}', none: ' ' }
const options = { model: 'demo', gpus: 'none', kvType: 'f32', sequences: 3, maxTokens: 40 }
const usage = (message) => ({ name: 'VcapError', code: 'usage', message })
const captioner = await loadCaptioner(options)
after(() => captioner.close())

test('each answer is that of its question alone, its tokens too, and one picture is encoded once', async () => {
  for (const anyres of ['auto', 'off']) {
    for (const file of anyres === 'auto' ? paths : paths.slice(0, 1)) {
      const text = 'a red ball'
      const together = await captioner.caption(file, { prompts, text, anyres })
      assert.deepEqual(Object.keys(together.captions), Object.keys(prompts))
      let tokens = 0
      for (const [name, prompt] of Object.entries(prompts)) {
        const alone = await captioner.caption(file, { prompt, text, anyres })
        const { error, timings, ...answer } = together.captions[name]
        const { timings: times, length, ...expected } = alone
        assert.equal(error, null)
        assert.deepEqual(answer, expected, `${file} ${name}`)
        assert.equal(timings.vision > 0 && timings.frames > 0, name === 'short')
        tokens += alone.tokens.length
        assert.equal(together.length, length)
        assert.equal(together.imageTokens, alone.imageTokens)
      }
      assert.equal(together.tokens.length, tokens)
      assert.equal(together.text, '')
    }
  }
})

test('many files at once, with and without names, each has its own answers', async () => {
  const asked = { prompts: { short: 'short', tags: 'tags' } }
  const made = []
  for await (const caption of captioner.captionAll([...paths, 'none.mp4'], asked)) made.push(caption)
  for (const [i, file] of paths.entries()) {
    const { text } = await captioner.caption(file, { prompt: 'tags' })
    assert.equal(made[i].captions.tags.text, text)
  }
  assert.equal(made.at(-1).status, 'missing')
  const picture = { data: new Uint8Array(48 * 48 * 3).fill(90), width: 48, height: 48 }
  const { captions } = await captioner.captionImages([picture], asked)
  assert.deepEqual(Object.keys(captions), ['short', 'tags'])
})

test('a question that is too long fails alone; where none fits, the row does', async () => {
  const long = 'word '.repeat(5000)
  const { captions, status } = await captioner.caption(paths[0], { prompts: { long, short: 'short' }, anyres: 'off' })
  assert.equal(status, captions.short.status)
  assert.deepEqual([captions.long.status, captions.long.error.code], ['context_overflow', 'context_overflow'])
  assert.deepEqual(captions.short.text, (await captioner.caption(paths[0], { prompt: 'short', anyres: 'off' })).text)
  await assert.rejects(captioner.caption(paths[0], { prompts: { a: long, b: long } }), { code: 'context_overflow' })
  const row = await captioner.rows({ prompts: { long, short: 'short' } }).captionRow({ path: paths[0] })
  assert.equal(row.status, 'context_overflow')
  assert.match(row.error, /^long: 3 images need /)
  assert.equal(row.captions.short.error, null)
})

test('an abort between the answers drops the row, and the captioner goes on', async () => {
  const many = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`c${i}`, 'video']))
  const asked = { prompts: many, ignoreEos: true, maxTokens: 100, signal: AbortSignal.timeout(300) }
  await assert.rejects(captioner.caption(paths[0], asked), { code: 'aborted' })
  assert.notEqual((await captioner.caption(paths[1])).text, '')
})

test('the command writes a column for each, as the runs for each would, by one model and by replicas', async () => {
  const at = (name) => path.join(folder, name)
  const named = ['--prompt', 'short=short', '--prompt', 'tags=tags', '--prompt', 'text=Say it: {}']
  const model = ['--model', 'demo', '--gpus', 'none', '--kv-type', 'f32', '--bs', '2']
  const one = await cli(['run', csv, at('one.csv'), ...model, ...named])
  assert.equal(one.status, 0, one.stderr)
  for (const [name, prompt] of Object.entries({ short: 'short', tags: 'tags', text: 'Say it: {}' })) {
    await run(csv, at(`${name}-alone.csv`), { ...options, maxTokens: 300, prompt })
    assert.deepEqual(
      readRows(at('one.csv')).map((row) => row[name]),
      readRows(at(`${name}-alone.csv`)).map(({ text }) => text)
    )
  }
  const two = await cli(['run', csv, at('two.csv'), ...model, '--dp-size', '2', ...named])
  assert.equal(two.status, 0, two.stderr)
  assert.equal(fs.readFileSync(at('two.csv'), 'utf8'), fs.readFileSync(at('one.csv'), 'utf8'))
  const other = await cli(['run', csv, at('one.csv'), ...model, ...named.slice(0, -1), 'text=Another'])
  assert.equal(other.status, 2)
  assert.match(other.stderr, /prompt text was "Say it: \{\}" and is "Another"/)
  const fewer = await cli(['run', csv, at('one.csv'), ...model, ...named.slice(0, -2)])
  assert.equal(fewer.status, 2)
  assert.match(fewer.stderr, /prompt text was "Say it: \{\}" and is not given/)
})

test('replicas are asked again for one caption alone', async () => {
  const replicas = await loadReplicas({ ...options, sequences: 1, dpSize: 2, prompts: { a: 'short', b: 'tags' } })
  try {
    assert.deepEqual(replicas.info.captions, ['a', 'b'])
    const none = new AbortController().signal
    const { captions } = await replicas.captionRow({ path: paths[0], captions: ['b'], attempt: 1 }, none, none)
    assert.deepEqual(Object.keys(captions), ['b'])
  } finally {
    await replicas.close()
  }
})

test('prompts as they are written: names, questions that look like one, what is refused', () => {
  assert.deepEqual(readQuestions(['Describe it.']), { prompt: 'Describe it.' })
  for (const question of ['a = b?', ' a=b', '=x', '1=1?', 'Is 1+1=2?']) {
    assert.deepEqual(readQuestions([question]), { prompt: question })
  }
  assert.deepEqual(readQuestions(['short=short']), { prompts: { short: 'short' } })
  assert.deepEqual(readQuestions(['a=x=y', 'b-1=\nb', 'größe=?']), { prompts: { a: 'x=y', 'b-1': '\nb', größe: '?' } })
  assert.throws(() => readQuestions(['a=x', 'What?']), usage(/"What\?" has none/))
  assert.throws(() => readQuestions(['a=x', 'A=y']), usage(/Two prompts are named A/))
  assert.throws(() => readQuestions(['a= ']), usage(/The prompt a is empty/))
})

test('a command that takes one question says so', async () => {
  const { status, stderr } = await cli(['gpt4', csv, 'x.csv', '--prompt', 'a=b', '--prompt', 'c=d'])
  assert.equal(status, 2)
  assert.match(stderr, /gpt4 takes one question/)
})
