/** Rows with several captions in whole runs: columns, statuses, flags, retries, sidecars, shards, the journal. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { exportCaptions, mergeTables, readStatus, run } from '../../dist/index.js'
import { cli, readRows } from '../helpers/cli.mjs'
import { requireEvents } from '../helpers/events.mjs'
import { temporaryFolder } from '../helpers/media.mjs'

const base = temporaryFolder()
let made = 0
/** A folder of its own, and a table of these clips in it. */
function table(names) {
  const folder = path.join(base, String(made++))
  fs.mkdirSync(folder)
  const at = (name) => path.join(folder, name)
  fs.writeFileSync(at('in.csv'), `path\n${names.map((name) => `${name}.mp4\n`).join('')}`)
  return { input: at('in.csv'), output: at('out.csv'), at }
}
const usage = (message) => ({ name: 'VcapError', code: 'usage', message })
const overflow = { status: 'context_overflow', text: '', error: '3 images need 9 tokens', usage: null }
const cut = { status: 'truncated', text: 'A man walks his dog. The dog is' }
const column = (output, name) => readRows(output).map((row) => row[name])

/**
 * Answers short and long for each row: `answers[clip][name]` is a text or a record, of an array one after the other
 * each time that it is asked. A clip that has a status of its own cannot be asked about at all.
 */
function captionerOf(answers, names = ['short', 'long']) {
  const asked = []
  const times = {}
  const next = (key, given) => {
    const all = [given].flat()
    const answer = all[Math.min(times[key] ?? 0, all.length - 1)]
    times[key] = (times[key] ?? 0) + 1
    return answer
  }
  const usageOf = { imageTokens: 100, promptTokens: 10, tokens: 5, tiles: 2 }
  return {
    asked,
    info: {
      name: 'said',
      summary: 'said',
      digest: 'said',
      settings: { model: 'said' },
      captions: names,
      warnings: [],
      window: 4,
      concurrency: 4
    },
    captionRow: async ({ path: file, attempt = 0, captions = names }) => {
      const clip = path.basename(file, '.mp4')
      asked.push(`${clip} ${captions.join('+')}${attempt ? ' again' : ''}`)
      const given = next(clip, answers[clip] ?? {})
      const about = { status: 'ok', text: '', numFrames: 7, error: null, usage: null }
      if (given.status) return { ...about, ...given }
      const answer = (name) => {
        const one = next(`${clip} ${name}`, given[name] ?? `Clip ${clip} is shown, ${name}.`)
        const record = { status: 'ok', text: '', error: null, usage: usageOf }
        return typeof one === 'string' ? { ...record, text: one } : { ...record, ...one }
      }
      return { ...about, captions: Object.fromEntries(captions.map((name) => [name, answer(name)])) }
    },
    close: async () => undefined
  }
}

test('each caption has its column, its status and its flags, and the row is what they come to together', async () => {
  const { input, output } = table(['a', 'b', 'c', 'd', 'e'])
  const captioner = captionerOf({
    b: { long: cut },
    c: { short: overflow },
    d: { status: 'missing', error: 'no such file' },
    e: { short: { status: 'empty', text: '' }, long: cut }
  })
  const events = []
  const summary = await run(input, output, { captioner, onEvent: (event) => events.push(event) })
  assert.deepEqual(
    readRows(output).map((row) => Object.values(row)),
    [
      ['a.mp4', 'Clip a is shown, short.', 'Clip a is shown, long.', '7', 'ok', '', '', 'ok', '', 'ok', ''],
      ...[
        ['b.mp4', 'Clip b is shown, short.', cut.text, '7', 'truncated', '', 'cut;unfinished', 'ok', ''],
        ['c.mp4', '', 'Clip c is shown, long.', '7', 'context_overflow', `short: ${overflow.error}`, '']
      ].map((row, i) => [
        ...row,
        ...[
          ['truncated', 'cut;unfinished'],
          ['context_overflow', '', 'ok', '']
        ][i]
      ]),
      ['d.mp4', '', '', '7', 'missing', 'no such file', '', 'missing', '', 'missing', ''],
      ['e.mp4', '', cut.text, '7', 'empty', '', 'empty;cut;unfinished', 'empty', 'empty', 'truncated', 'cut;unfinished']
    ]
  )
  assert.deepEqual(Object.keys(readRows(output)[0]), [
    ...['path', 'short', 'long', 'num_frames', 'status', 'error', 'flags'],
    ...['short_status', 'short_flags', 'long_status', 'long_flags']
  ])
  const { rows, failed, statuses, flags, tokens } = summary
  assert.deepEqual(
    { rows, failed, statuses, flags, tokens },
    {
      rows: 5,
      failed: 3,
      statuses: { ok: 1, truncated: 1, context_overflow: 1, missing: 1, empty: 1 },
      flags: { cut: 2, unfinished: 2, empty: 1 },
      tokens: 35
    }
  )
  requireEvents(events)
  const row = events.find(({ type, index }) => type === 'row' && index === 1)
  assert.equal(row.text, '')
  assert.deepEqual(row.usage, { imageTokens: 100, promptTokens: 20, tokens: 10, tiles: 2 })
  assert.deepEqual(row.captions.long.flags, ['cut', 'unfinished'])
  const status = await readStatus(output)
  assert.deepEqual(status.statuses, statuses)
  assert.match((await cli(['status', output])).stdout, /b\.mp4: short: Clip b is shown, short\.; long: A man walks/)
})

test('only the caption that failed is tried again, and what stands stays to the letter', async () => {
  const { input, output } = table(['a', 'b', 'c'])
  const captioner = captionerOf({
    a: { short: [overflow, 'Now it fits.'] },
    b: { short: [overflow, overflow], long: [overflow, 'Now this one fits.', 'Never asked.'] },
    c: [{ status: 'missing', error: 'no such file' }, {}]
  })
  await run(input, output, { captioner })
  captioner.asked.length = 0
  const { failed } = await run(input, output, { captioner, retryFailed: ['all'] })
  assert.deepEqual(captioner.asked.sort(), ['a short', 'b short+long', 'c short+long'])
  assert.equal(failed, 1)
  assert.deepEqual(column(output, 'short'), ['Now it fits.', '', 'Clip c is shown, short.'])
  assert.deepEqual(column(output, 'long'), ['Clip a is shown, long.', 'Now this one fits.', 'Clip c is shown, long.'])
  assert.deepEqual(column(output, 'status'), ['ok', 'context_overflow', 'ok'])
  assert.deepEqual(column(output, 'error'), ['', `short: ${overflow.error}`, ''])
  captioner.asked.length = 0
  await run(input, output, { captioner, retryFailed: ['context_overflow'] })
  assert.deepEqual(captioner.asked, ['b short'])
})

test('only the caption that is flagged is asked for once more, and the better of the two stands', async () => {
  const { input, output } = table(['a', 'b', 'c'])
  const captioner = captionerOf({
    a: { long: [cut, 'A man walks his dog.'] },
    b: { short: [cut, cut], long: [cut, { status: 'empty', text: '' }] },
    c: [{ long: [cut] }, { status: 'unreadable', error: 'gone' }]
  })
  const { retried, replaced } = await run(input, output, { captioner, retryFlagged: ['cut'] })
  assert.deepEqual(captioner.asked.sort(), [
    ...['a long again', 'a short+long', 'b short+long', 'b short+long again', 'c long again', 'c short+long']
  ])
  assert.deepEqual([retried, replaced], [3, 1])
  assert.deepEqual(column(output, 'long'), ['A man walks his dog.', cut.text, cut.text])
  assert.deepEqual(column(output, 'long_flags'), ['', 'cut;unfinished', 'cut;unfinished'])
  assert.deepEqual(column(output, 'status'), ['ok', 'truncated', 'truncated'])
  captioner.asked.length = 0
  await run(input, output, { captioner, retryFlagged: ['all'] })
  assert.deepEqual(captioner.asked, [], 'nobody is asked a third time')
})

test('edits, duplicates and sidecars are of each caption', async () => {
  const names = Array.from({ length: 12 }, (_, i) => `clip${i}`)
  const { input, output, at } = table(names)
  const answers = Object.fromEntries(
    names.map((name, i) => [name, { short: 'The video shows a dog.', long: `The video shows dog number ${i}.` }])
  )
  const captioner = captionerOf(answers)
  const summary = await run(input, output, { captioner, clean: true, suffix: '!', sidecar: true })
  assert.deepEqual(summary.flags, { duplicate: 12 })
  assert.deepEqual(column(output, 'short_flags'), Array(12).fill('duplicate'))
  assert.deepEqual(column(output, 'long_flags'), Array(12).fill(''))
  assert.equal(summary.edited, 12)
  assert.deepEqual(summary.sidecars, { written: 24, kept: 0, failed: 0, shared: 0 })
  assert.equal(fs.readFileSync(at('clip3.short.txt'), 'utf8').trim(), 'A dog.!')
  assert.equal(fs.readFileSync(at('clip3.long.txt'), 'utf8').trim(), 'Dog number 3.!')
})

test('shards are merged to what one run writes, with duplicates of each caption counted anew', async () => {
  const names = Array.from({ length: 30 }, (_, i) => `clip${i}`)
  const { input, output, at } = table(names)
  const answers = Object.fromEntries(
    names.map((name, i) => [name, { long: i < 14 ? 'Twelve of one kind.' : `One ${i}.` }])
  )
  await run(input, output, { captioner: captionerOf(answers) })
  for (const index of [0, 1, 2]) {
    await run(input, at('part-{shard}.csv'), { captioner: captionerOf(answers), shard: `${index}/3` })
  }
  const parts = fs.readdirSync(path.dirname(output)).filter((name) => /^part-.*\.csv$/.test(name))
  const { flags } = await mergeTables(parts.map(at), at('whole.csv'))
  assert.deepEqual(flags, { duplicate: 14 })
  assert.equal(fs.readFileSync(at('whole.csv'), 'utf8'), fs.readFileSync(output, 'utf8'))
})

test('JSONL and Parquet have the same columns; one caption is exported by its name', async () => {
  const { input, at } = table(['a', 'b'])
  const answers = { b: { short: overflow } }
  for (const name of ['out.jsonl', 'out.parquet']) await run(input, at(name), { captioner: captionerOf(answers) })
  const [first, second] = fs
    .readFileSync(at('out.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  assert.equal(first.short, 'Clip a is shown, short.')
  assert.deepEqual([second.short, second.short_status, second.long_status], [null, 'context_overflow', 'ok'])
  for (const name of ['a.mp4', 'b.mp4']) fs.writeFileSync(at(name), '')
  const options = { for: 'hf-folder', out: at('dataset') }
  await assert.rejects(
    exportCaptions(at('out.parquet'), options),
    usage(/several captions a row: choose one of short, /)
  )
  await assert.rejects(exportCaptions(at('out.parquet'), { ...options, caption: 'x' }), usage(/none named x/))
  const long = await exportCaptions(at('out.parquet'), { ...options, caption: 'long' })
  assert.deepEqual([long.videos, long.failed], [2, 0])
  const short = await exportCaptions(at('out.jsonl'), { ...options, caption: 'short' })
  assert.deepEqual([short.videos, short.failed], [1, 1])
})

test('a run that was stopped goes on, and its output is that of an undisturbed one', async () => {
  const names = Array.from({ length: 40 }, (_, i) => `clip${i}`)
  const { input, output, at } = table(names)
  const answers = Object.fromEntries(names.map((name, i) => [name, i % 5 === 0 ? { short: cut, long: overflow } : {}]))
  await run(input, at('whole.csv'), { captioner: captionerOf(answers) })
  const stop = new AbortController()
  let rows = 0
  const onEvent = ({ type }) => {
    if (type === 'row' && ++rows === 11) stop.abort()
  }
  const first = captionerOf(answers)
  await assert.rejects(run(input, output, { captioner: first, onEvent, signal: stop.signal }), { code: 'aborted' })
  const second = captionerOf(answers)
  await run(input, output, { captioner: second })
  assert.ok(first.asked.length + second.asked.length < 60 && second.asked.length < 40)
  assert.equal(fs.readFileSync(output, 'utf8'), fs.readFileSync(at('whole.csv'), 'utf8'))
})

test('names that are other columns are refused, and so is what holds one caption', async () => {
  const { input, at } = table(['a'])
  for (const name of ['path', 'Status', 'num_frames', 'flags', 'error']) {
    const refused = run(input, at('x.csv'), { captioner: captionerOf({}, [name, 'b']) })
    await assert.rejects(refused, usage(new RegExp(`No caption can be named ${name}`)))
  }
  await assert.rejects(
    run(input, at('x.csv'), { captioner: captionerOf({}, ['a', 'a_status']) }),
    usage(/No caption can be named a_status/)
  )
  await run(input, at('text.csv'), { captioner: captionerOf({}, ['text', 'tags']) })
  assert.deepEqual(column(at('text.csv'), 'text'), ['Clip a is shown, text.'])
  await assert.rejects(
    run(input, at('x.csv'), { captioner: captionerOf({}), compat: 'open-sora' }),
    usage(/hold one caption/)
  )
  const questions = { a: 'one?', b: 'two?' }
  await assert.rejects(run(input, at('x.csv'), { prompts: questions, prompt: 'x' }), usage(/either prompt or prompts/))
  await assert.rejects(run(input, at('x.csv'), { prompts: questions, api: {} }), usage(/one question a row/))
  for (const prompts of [{}, { '1a': 'x' }, { 'a b': 'x' }, { a: '' }, 'short']) {
    await assert.rejects(run(input, at('x.csv'), { prompts }), usage(/Expected 1 to 16 prompts by name/))
  }
})
