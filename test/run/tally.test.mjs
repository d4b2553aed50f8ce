/** When a run is over before its end. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Tally } from '../../dist/run/tally.js'

const row = (status) => ({ status, text: '', numFrames: null, error: `the fault of ${status}`, usage: null })
const key = (occurrence) => ({ hash: Buffer.alloc(16), occurrence })

test('the engine is lost when more rows in a row fail in it than it has at once', () => {
  for (const concurrency of [1, 3, 16]) {
    const tally = new Tally({ concurrency, rows: 100 })
    tally.add(key(0), 0, row('engine_error'))
    tally.add(key(1), 1, row('missing'))
    for (let i = 0; i < concurrency; i++) tally.add(key(10 + i), 10 + i, row('engine_error'))
    assert.deepEqual(tally.lost, [])
    assert.throws(() => tally.add(key(99), 99, row('engine_error')), {
      name: 'VcapError',
      code: 'engine_lost',
      exitCode: 75,
      message: 'The engine fails on every row: the fault of engine_error'
    })
    const lost = tally.lost.map(({ occurrence }) => occurrence)
    assert.deepEqual(lost, [...Array.from({ length: concurrency }, (_, i) => 10 + i), 99])
  }
})

test('any other outcome in between, a failure too, shows that it lives', () => {
  for (const other of ['ok', 'truncated', 'empty', 'missing', 'unreadable', 'no_frames', 'context_overflow']) {
    const tally = new Tally({ concurrency: 1, rows: 100 })
    for (let i = 0; i < 20; i++) tally.add(key(i), i, row(i % 2 === 0 ? 'engine_error' : other))
  }
})

test('failures are bounded by a number or by a share of the table', () => {
  for (const [maxFailures, most] of [
    [0, 0],
    [7, 7],
    ['7', 7],
    ['5%', 10],
    ['0.5%', 1],
    ['100%', 200]
  ]) {
    const tally = new Tally({ concurrency: 1000, rows: 200, maxFailures })
    for (let i = 0; i < most; i++) {
      tally.add(key(i), i, row('missing'))
      tally.add(key(i), i, row('truncated'))
    }
    assert.throws(
      () => tally.add(key(1000), 1000, row('empty')),
      { code: 'too_many_failures', exitCode: 75 },
      `${maxFailures}`
    )
  }
  const unbounded = new Tally({ concurrency: 1, rows: 10 })
  for (let i = 0; i < 1000; i++) unbounded.add(key(i), i, row('missing'))
})

test('captions since the first fault of an engine that is lost are suspect', () => {
  const tally = new Tally({ concurrency: 1, rows: 100 })
  for (const [index, status] of ['ok', 'engine_error', 'ok', 'missing', 'truncated', 'engine_error'].entries())
    tally.add(key(index), index, row(status))
  assert.throws(() => tally.add(key(6), 6, row('engine_error')), {
    code: 'engine_lost',
    message: /Captions since its first fault, in row 2, are suspect: 2 of them$/
  })
})
