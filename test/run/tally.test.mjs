/** Rows counted by what became of them, and when the captioner counts as lost. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VcapError } from '../../dist/errors.js'
import { Tally } from '../../dist/run/tally.js'

const usage = (tokens) => ({ imageTokens: 100, promptTokens: 120, tokens, tiles: 5 })
const row = (status, tokens) => ({
  status,
  text: '',
  numFrames: null,
  error: ['ok', 'truncated', 'empty'].includes(status) ? null : `the fault of ${status}`,
  usage: tokens === undefined ? null : usage(tokens)
})

test('nothing counted', () => {
  const { seconds, ...counts } = new Tally(4).summary
  assert.deepEqual(counts, { rows: 0, statuses: {}, failed: 0, tokens: 0 })
  assert.ok(seconds >= 0 && seconds < 1)
})

test('statuses, failures and tokens', () => {
  const tally = new Tally(1)
  for (const [status, tokens] of [
    ['ok', 10],
    ['truncated', 300],
    ['ok', 7],
    ['empty', 1],
    ['missing'],
    ['unreadable'],
    ['no_frames'],
    ['context_overflow'],
    ['engine_error'],
    ['missing']
  ]) {
    tally.add(row(status, tokens))
  }
  const { seconds, ...counts } = tally.summary
  assert.deepEqual(counts, {
    rows: 10,
    statuses: {
      ok: 2,
      truncated: 1,
      empty: 1,
      missing: 2,
      unreadable: 1,
      no_frames: 1,
      context_overflow: 1,
      engine_error: 1
    },
    failed: 7,
    tokens: 318
  })
})

test('the engine is lost when more rows in a row fail in it than it has at once', () => {
  for (const concurrency of [1, 3, 16]) {
    const tally = new Tally(concurrency)
    for (let i = 0; i < concurrency; i++) tally.add(row('engine_error'))
    assert.throws(() => tally.add(row('engine_error')), {
      name: 'VcapError',
      code: 'engine_lost',
      message: 'The engine fails on every row: the fault of engine_error'
    })
    assert.equal(tally.summary.rows, concurrency + 1)
  }
})

test('any other outcome in between, a failure too, shows that it lives', () => {
  for (const between of ['ok', 'truncated', 'empty', 'missing', 'context_overflow']) {
    const tally = new Tally(2)
    for (let round = 0; round < 5; round++) {
      tally.add(row('engine_error'))
      tally.add(row('engine_error'))
      tally.add(row(between))
    }
    tally.add(row('engine_error'))
    tally.add(row('engine_error'))
    assert.throws(() => tally.add(row('engine_error')), { code: 'engine_lost' })
  }
})

test('an engine that is lost: the rows captioned since its first fault are suspect', () => {
  const tally = new Tally(1)
  const lost = new VcapError('engine_lost', 'The engine is lost')
  tally.add(row('ok', 1), 0)
  assert.equal(tally.blame(lost), lost)
  for (const [index, status] of ['engine_error', 'ok', 'missing', 'truncated', 'engine_error'].entries()) {
    tally.add(row(status, 1), index + 1)
  }
  assert.equal(
    tally.blame(lost).message,
    'The engine is lost. The 2 rows captioned since its first fault, in row 2, are suspect'
  )
  const other = new VcapError('write_failed', 'The disk is full')
  assert.equal(tally.blame(other), other)
})
