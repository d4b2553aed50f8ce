/** Flags of captions in a run: the column, the summary, the second answer, the edits. */
import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { readStatus, run } from '../../dist/index.js'
import { cli, readRows } from '../helpers/cli.mjs'
import { temporaryFolder } from '../helpers/media.mjs'

const base = temporaryFolder()
let count = 0

/** A table of `names`, and where its output will be. */
function table(names) {
  const folder = path.join(base, String(count++))
  fs.mkdirSync(folder)
  const input = path.join(folder, 'in.csv')
  fs.writeFileSync(input, `path\n${names.map((name) => `${name}\n`).join('')}`)
  return { input, output: path.join(folder, 'out.csv') }
}

/** Answers a row with what `answers` has for its name: a text or a record, the second time the second of an array. */
function captionerOf(answers) {
  const asked = []
  return {
    asked,
    info: {
      name: 'said',
      summary: 'said',
      digest: 'said',
      settings: { model: 'said' },
      warnings: [],
      window: 4,
      concurrency: 4
    },
    captionRow: async ({ path: file, attempt = 0 }) => {
      const name = path.basename(file, '.mp4')
      asked.push(attempt === 0 ? name : `${name} again`)
      const all = [answers[name] ?? `Clip ${name} is shown, and nothing else.`].flat()
      const answer = all[Math.min(attempt, all.length - 1)]
      const row = { status: 'ok', text: '', numFrames: 1, error: null, usage: null }
      return typeof answer === 'string' ? { ...row, text: answer } : { ...row, ...answer }
    },
    close: async () => undefined
  }
}
const clips = (...names) => names.map((name) => `${name}.mp4`)
const column = (output, name) => readRows(output).map((row) => row[name])
const cut = { status: 'truncated', text: 'A man walks his dog. The dog is' }
const refusal = "I'm sorry, but I can't help with that."
const failure = { status: 'unreadable', error: 'it is broken' }

test('flags stand in their column, in the events, in the summary and in the status', async () => {
  const { input, output } = table(clips('a', 'b', 'c', 'd', 'e', 'f'))
  const captioner = captionerOf({
    b: cut,
    c: refusal,
    d: { ...failure },
    e: { text: 'A clip of a film.', flags: ['watermark'] },
    f: { status: 'empty' }
  })
  const events = []
  const summary = await run(input, output, { captioner, onEvent: (event) => events.push(event) })
  const flags = ['', 'cut;unfinished', 'refusal', '', 'watermark', 'empty']
  assert.deepEqual(column(output, 'flags'), flags)
  assert.deepEqual(Object.keys(readRows(output)[0]), ['path', 'text', 'num_frames', 'status', 'error', 'flags'])
  const told = events.filter(({ type }) => type === 'row').sort((a, b) => a.index - b.index)
  assert.deepEqual(
    told.map((event) => (event.flags ?? []).join(';')),
    flags
  )
  const counts = { cut: 1, unfinished: 1, refusal: 1, watermark: 1, empty: 1 }
  assert.deepEqual(summary.flags, counts)
  assert.deepEqual((await readStatus(output)).flags, counts)
  assert.match((await cli(['status', output])).stdout, /\nflagged: 1 cut, 1 unfinished, 1 refusal,/)
})

test('the status of a run that was stopped has the flags of its records, the last of each row', async () => {
  const { input, output } = table(clips('a', 'b', 'c'))
  const captioner = captionerOf({ a: [cut, 'A man walks.'], b: refusal })
  const { captionRow } = captioner
  captioner.captionRow = async (row) => {
    if (path.basename(row.path) === 'c.mp4') throw new Error('the night is over')
    return captionRow(row)
  }
  captioner.info.window = 1
  await assert.rejects(run(input, output, { captioner, retryFlagged: ['cut'] }), { message: 'the night is over' })
  const { state, flags, statuses } = await readStatus(output)
  assert.deepEqual([state, flags, statuses], ['stopped', { refusal: 1 }, { ok: 2 }])
})

test('other tools’ columns are as they were', async () => {
  const { input, output } = table(clips('a', 'b'))
  const { flags } = await run(input, output, { captioner: captionerOf({ b: cut }), compat: 'open-sora' })
  assert.deepEqual(Object.keys(readRows(output)[0]), ['path', 'text', 'num_frames'])
  assert.deepEqual(flags, { cut: 1, unfinished: 1 })
})

test('a flagged caption is asked for once more, and the better answer is kept', async () => {
  const { input, output } = table(clips('a', 'b', 'c', 'd', 'e', 'f'))
  const captioner = captionerOf({
    b: [refusal, 'A man walks.'],
    c: [refusal, 'I cannot describe this video.'],
    d: [refusal, failure],
    e: [{ status: 'empty' }, 'A dog runs.'],
    f: [failure, 'A cat sleeps.']
  })
  const summary = await run(input, output, { captioner, retryFlagged: ['all'] })
  assert.deepEqual(captioner.asked.sort(), ['a', 'b', 'b again', 'c', 'c again', 'd', 'd again', 'e', 'e again', 'f'])
  const texts = ['Clip a is shown, and nothing else.', 'A man walks.', refusal, refusal, 'A dog runs.', '']
  assert.deepEqual(column(output, 'text'), texts)
  assert.deepEqual([summary.retried, summary.replaced, summary.flags], [4, 2, { refusal: 2 }])
  // The same command again, and any later one, asks for none of them.
  captioner.asked.length = 0
  assert.equal((await run(input, output, { captioner, retryFlagged: ['all'] })).already, true)
  assert.equal((await run(input, output, { captioner, retryFlagged: ['refusal'] })).already, true)
  assert.deepEqual(captioner.asked, [])
  assert.deepEqual(column(output, 'text'), texts)
})

test('of a finished run the flagged captions are asked for, those of the flags named', async () => {
  const { input, output } = table(clips('a', 'b', 'c', 'd'))
  const answers = { b: [cut, 'A man walks his dog.'], c: [refusal, 'A man.'], d: [failure, 'A cat.'] }
  const captioner = captionerOf(answers)
  assert.equal((await run(input, output, { captioner })).retried, 0)
  captioner.asked.length = 0
  const events = []
  const onEvent = (event) => events.push(event)
  const summary = await run(input, output, { captioner, retryFlagged: ['unfinished'], onEvent })
  assert.deepEqual(captioner.asked, ['b again'])
  assert.deepEqual([summary.captioned, summary.retried, summary.replaced], [1, 1, 1])
  assert.deepEqual(
    events.filter(({ type }) => type === 'row').map(({ index, retry, text }) => [index, retry, text]),
    [[1, 'replaced', 'A man walks his dog.']]
  )
  assert.deepEqual(column(output, 'status'), ['ok', 'ok', 'ok', 'unreadable'])
})

test('a second answer with another fault than the first does not take its place', async () => {
  const { input, output } = table(clips('a', 'b'))
  const captioner = captionerOf({
    a: [{ ...cut, text: 'A man walks.' }, refusal],
    b: ['The first frame shows a man. He is', 'The first frame shows a man.']
  })
  const { replaced } = await run(input, output, { captioner, retryFlagged: ['cut', 'unfinished'] })
  assert.equal(replaced, 1)
  assert.deepEqual(column(output, 'text'), ['A man walks.', 'The first frame shows a man.'])
})

test('stopped between the two answers: the first is kept, and the second asked for by the next run', async () => {
  const { input, output } = table(clips('a', 'b'))
  const first = captionerOf({ a: [refusal, 'never'] })
  const { captionRow } = first
  first.captionRow = async (row) => {
    if (row.attempt) throw new Error('the night is over')
    return captionRow(row)
  }
  await assert.rejects(run(input, output, { captioner: first, retryFlagged: ['all'] }), {
    message: 'the night is over'
  })
  assert.equal((await readStatus(output)).flags.refusal, 1)
  const second = captionerOf({ a: [refusal, 'A man walks.'] })
  await run(input, output, { captioner: second, retryFlagged: ['all'] })
  assert.equal(second.asked.filter((name) => name.startsWith('a')).join(), 'a again')
  assert.equal(column(output, 'text')[0], 'A man walks.')
})

test('an engine that fails on every second answer ends the run and takes no caption away', async () => {
  const names = clips(...Array.from({ length: 12 }, (_, i) => `n${i}`))
  const { input, output } = table(names)
  const broken = { status: 'engine_error', error: 'no device' }
  const answers = Object.fromEntries(names.map((name) => [path.basename(name, '.mp4'), [refusal, broken]]))
  await run(input, output, { captioner: captionerOf(answers) })
  await assert.rejects(run(input, output, { captioner: captionerOf(answers), retryFlagged: ['all'] }), {
    code: 'engine_lost'
  })
  assert.deepEqual((await readStatus(output)).statuses, { ok: 12 })
  const { retried } = await run(input, output, { captioner: captionerOf(answers) })
  assert.equal(retried, 0)
})

test('edits are of the output alone: another command changes them without captioning', async () => {
  const { input, output } = table(clips('a', 'b', 'c'))
  const captioner = captionerOf({ a: 'The video shows a cat.', b: cut, c: 'The video shows a small dog. It' })
  const edits = { clean: true, trimSentence: true }
  const events = []
  const summary = await run(input, output, { captioner, ...edits, onEvent: (event) => events.push(event) })
  assert.deepEqual(column(output, 'text'), ['A cat.', 'A man walks his dog.', 'A small dog.'])
  assert.deepEqual(column(output, 'flags'), ['', 'cut', ''])
  assert.deepEqual([summary.edited, summary.flags], [3, { cut: 1 }])
  const told = events.filter(({ type }) => type === 'row').sort((a, b) => a.index - b.index)
  assert.deepEqual(
    told.map(({ text }) => text),
    column(output, 'text')
  )
  captioner.asked.length = 0
  assert.equal((await run(input, output, { captioner, ...edits })).already, true)
  assert.deepEqual((await run(input, output, { captioner })).flags, { cut: 1, unfinished: 2 })
  assert.deepEqual(column(output, 'text'), ['The video shows a cat.', cut.text, 'The video shows a small dog. It'])
  assert.deepEqual(captioner.asked, [])
  // What an edit mends is not asked for again.
  await run(input, output, { captioner, ...edits, retryFlagged: ['unfinished'] })
  assert.deepEqual(captioner.asked, [])
})

test('one caption on many files is flagged, on few it is not', async () => {
  const same = 'A man is standing in front of a wall.'
  const all = clips(...Array.from({ length: 30 }, (_, i) => `n${i}`))
  const answers = (many, text = same) => Object.fromEntries(Array.from({ length: many }, (_, i) => [`n${i}`, text]))
  for (const [many, flagged] of [
    [9, 0],
    [10, 10],
    [30, 30]
  ]) {
    const { input, output } = table(all)
    const { flags } = await run(input, output, { captioner: captionerOf(answers(many)) })
    assert.deepEqual(flags, flagged ? { duplicate: flagged } : {})
    assert.equal(column(output, 'flags').filter((flag) => flag === 'duplicate').length, flagged)
    assert.deepEqual((await readStatus(output)).flags, flags)
  }
  // What a pipe has got cannot be taken back.
  const piped = table(all)
  execFileSync('mkfifo', [piped.output])
  const reader = promisify(execFile)('cat', [piped.output])
  const { flags } = await run(piped.input, piped.output, { captioner: captionerOf(answers(10)) })
  assert.deepEqual(flags, { duplicate: 10 })
  assert.equal((await reader).stdout.match(/,duplicate\n/g).length, 10)
  // One file that stands in many rows has one caption, and failed rows have none.
  const { input, output } = table([...Array.from({ length: 30 }, () => 'n0.mp4'), ...clips('x', 'y')])
  assert.deepEqual((await run(input, output, { captioner: captionerOf({}) })).flags, {})
  const failed = table(all)
  assert.deepEqual((await run(failed.input, failed.output, { captioner: captionerOf(answers(30, failure)) })).flags, {})
})

test('flags are checked: those of the command, and those of a captioner', async () => {
  const { input, output } = table(clips('a'))
  await assert.rejects(run(input, output, { captioner: captionerOf({}), retryFlagged: ['boring'] }), {
    code: 'usage',
    message: /^Expected list of all, cut, repetition, .* for retryFlagged/
  })
  await assert.rejects(run(input, output, { captioner: captionerOf({ a: { text: 'A', flags: ['a;b'] } }) }), {
    code: 'usage',
    message: /flags/
  })
  const { status, stderr } = await cli(['run', '--retry-flagged', input, output])
  assert.equal(status, 2, stderr)
  assert.match(stderr, /list of all, cut, repetition/)
})
