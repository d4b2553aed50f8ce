/** What a run tells: events as docs/events.schema.json has them, and lines for people. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { run as runLibrary } from '../../dist/index.js'
import { readRows, run } from '../helpers/cli.mjs'
import { isEvent, parseEvents, requireEvents } from '../helpers/events.mjs'
import { nullCaptioner } from '../helpers/null-captioner.mjs'
import { demoSamples } from '../helpers/samples.mjs'

const { folder, samples } = await demoSamples({ clips: 2, images: 1 })
const at = (name) => path.join(folder, name)
const write = (name, paths) => {
  fs.writeFileSync(at(name), ['path,status', ...paths.map((one) => `${one},old`)].join('\n'))
  return at(name)
}
const files = samples.map((sample) => sample.path)
const json = async (input, output, ...more) => {
  const result = await run(input, at(output), '--json', ...more)
  const events = parseEvents(result.stderr)
  return { status: result.status, events, types: requireEvents(events) }
}

test('the schema refuses what is no event, and what it does not name', () => {
  assert.ok(isEvent({ type: 'loading', fraction: 0.5 }))
  for (const wrong of [
    { type: 'loading' },
    { type: 'loading', fraction: 'half' },
    { type: 'loading', fraction: 0.5, more: 1 },
    { type: 'none' },
    { fraction: 0.5 },
    'loading'
  ]) {
    assert.ok(!isEvent(wrong), JSON.stringify(wrong))
  }
})

test('events of a run with warnings and failures, of one that is continued, and of one that is finished', async () => {
  const whole = await json(write('some.csv', [...files, 'gone.mp4', '']), 'some-out.csv')
  assert.equal(whole.status, 3)
  assert.deepEqual(whole.types, ['begun', 'warning', 'loading', 'started', 'total', 'row', 'finished'])
  assert.deepEqual(Object.entries(whole.events[0]).slice(0, 2), [
    ['type', 'begun'],
    ['version', 1]
  ])
  const { engineShare, filledShare, tokens, tokensMade, captioningSeconds, seconds } = whole.events.at(-1)
  assert.ok(
    engineShare > 0 && engineShare <= 1 && filledShare > 0 && filledShare <= 1,
    `${engineShare}, ${filledShare}`
  )
  assert.ok(tokens > 0 && tokensMade === tokens && captioningSeconds > 0 && captioningSeconds <= seconds)
  const grown = await json(write('some.csv', [...files, 'gone.mp4', '', 'gone as well.mp4']), 'some-out.csv')
  assert.deepEqual(grown.types, ['begun', 'warning', 'resumed', 'loading', 'started', 'total', 'row', 'finished'])
  assert.equal(grown.events.find(({ type }) => type === 'resumed').rows, 5)
  assert.deepEqual([grown.events.at(-1).captioned, grown.events.at(-1).tokensMade], [1, 0])
  const again = await json(at('some.csv'), 'some-out.csv')
  assert.deepEqual(again.types, ['begun', 'warning', 'finished'])
  assert.deepEqual([again.status, again.events.at(-1).already], [3, true])
})

test('events of runs that end before their end: each its code, and no line of words among them', async () => {
  const many = write('fails.csv', [...files, ...Array.from({ length: 40 }, (_, i) => `gone-${i}.mp4`)])
  const failing = await json(many, 'fails-out.csv', '--max-failures', '3')
  assert.deepEqual([failing.status, failing.events.at(-1).code], [75, 'too_many_failures'])
  const other = await json(many, 'fails-out.csv', '--num-frames', '2')
  assert.deepEqual([other.status, other.types, other.events.at(-1).code], [2, ['begun', 'stopped'], 'run_differs'])
  assert.match(other.events.at(-1).message, /numFrames was 3 and is 2/)
  const none = await json(at('none.csv'), 'none-out.csv')
  assert.deepEqual([none.status, none.types], [2, ['begun', 'stopped']])
})

test('events of an engine that is lost, and of an abort', async () => {
  const input = write(
    'library.csv',
    Array.from({ length: 100 }, (_, i) => `${i}.mp4`)
  )
  const lost = nullCaptioner(4)
  lost.captionRow = async () => ({ status: 'engine_error', text: '', numFrames: null, error: 'it broke', usage: null })
  const events = []
  const onEvent = (event) => events.push(JSON.parse(JSON.stringify(event)))
  await assert.rejects(runLibrary(input, at('lost.csv'), { captioner: lost, onEvent }), { code: 'engine_lost' })
  requireEvents(events)
  assert.equal(events.at(-1).code, 'engine_lost')
  const controller = new AbortController()
  const slow = nullCaptioner()
  const { captionRow } = slow
  slow.captionRow = async (row, _signal, recall) => {
    if (row.path.endsWith('/9.mp4')) controller.abort()
    recall.throwIfAborted()
    return captionRow()
  }
  events.length = 0
  const options = { captioner: slow, onEvent, signal: controller.signal }
  await assert.rejects(runLibrary(input, at('aborted.csv'), options), { code: 'aborted' })
  // Rows that were captioned before the abort may be told after it.
  assert.deepEqual(requireEvents(events).sort(), ['begun', 'row', 'started', 'stopped', 'stopping', 'total', 'warning'])
  assert.equal(events.at(-1).code, 'aborted')
})

test('in words: one line a failed row, bounded for each status, control characters as escapes', async () => {
  const names = Array.from({ length: 50 }, (_, i) => `gone-${i}.mp4`)
  const broken = at('broken.mp4')
  fs.writeFileSync(broken, 'no video')
  const { status, stderr } = await run(
    write('words.csv', [...files, ...names, broken, '"\u001b[2J.mp4"']),
    at('words-out.csv')
  )
  assert.equal(status, 3)
  const lines = stderr.trimEnd().split('\n')
  const missing = lines.filter((line) => / missing: No such file$/.test(line))
  assert.equal(missing.length, 20)
  for (const line of missing) assert.match(line, /^(gone-\d+|\\x1b\[2J)\.mp4: missing: No such file$/)
  assert.equal(lines.filter((line) => line.startsWith('More than 20 rows are missing: ')).length, 1)
  assert.equal(lines.filter((line) => line.startsWith(`${broken}: unreadable: `)).length, 1)
  assert.ok(!stderr.includes('\u001b'))
  assert.match(lines.at(-2), /^3 of 55 rows captioned \(3 ok, 51 missing, 1 unreadable\) in /)
  assert.match(
    lines.at(-1),
    /^\d+ tokens, [\d.]+\/s; the engine was busy \d+ % of the time, with work for [\d.]+ of 16 captions$/
  )
  assert.equal(readRows(at('words-out.csv')).filter((row) => row.status === 'missing').length, 51)
})
