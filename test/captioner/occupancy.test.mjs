/** What the engine waited for, told from when captions are decoded and when they are in the engine. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, mock, test } from 'node:test'
import { Occupancy } from '../../dist/occupancy.js'

/** Milliseconds on the clock. */
let now
beforeEach(() => {
  now = 1000
  mock.method(performance, 'now', () => now)
})
afterEach(() => mock.restoreAll())

/** A promise and the way to end it. */
function gate() {
  let open
  const opened = new Promise((resolve) => {
    open = resolve
  })
  return { opened, open }
}

/** Begins work of this kind and returns what ends it. */
function begin(start) {
  const { opened, open } = gate()
  const done = start(() => opened)
  return async () => {
    open()
    await done
  }
}

const near = (seen, expected) => {
  for (const name of ['idle', 'emptySlots']) {
    assert.ok(Math.abs(seen[name] - expected[name]) < 1e-9, `${name}: ${seen[name]} instead of ${expected[name]}`)
  }
}

test('nothing to do is no waiting', () => {
  const occupancy = new Occupancy(4)
  near(occupancy.wait, { idle: 0, emptySlots: 0 })
  now += 100
  near(occupancy.wait, { idle: 0, emptySlots: 0 })
})

test('idle: something is decoded and nothing is in the engine', async () => {
  const occupancy = new Occupancy(4)
  const endDecoding = begin((work) => occupancy.preparing(work))
  now += 30
  near(occupancy.wait, { idle: 1, emptySlots: 1 / 4 })
  await endDecoding()
  now += 70
  near(occupancy.wait, { idle: 0.3, emptySlots: 0.3 / 4 })
})

test('the engine at work is not idle; its slots are empty only where something is decoded for them', async () => {
  const occupancy = new Occupancy(2)
  const endInside = begin((work) => occupancy.inside(work))
  now += 50
  near(occupancy.wait, { idle: 0, emptySlots: 0 })
  const endDecoding = begin((work) => occupancy.preparing(work))
  now += 50
  near(occupancy.wait, { idle: 0, emptySlots: (50 * 0.5) / 100 })
  const endSecond = begin((work) => occupancy.inside(work))
  now += 100
  near(occupancy.wait, { idle: 0, emptySlots: (50 * 0.5) / 200 })
  for (const end of [endInside, endDecoding, endSecond]) await end()
})

test('more decoded than there are slots: no more than all of them are empty', async () => {
  const occupancy = new Occupancy(2)
  const ends = Array.from({ length: 5 }, () => begin((work) => occupancy.preparing(work)))
  now += 10
  near(occupancy.wait, { idle: 1, emptySlots: 1 })
  for (const end of ends) await end()
})

test('more in the engine than it has slots: none is empty', async () => {
  const occupancy = new Occupancy(2)
  const ends = Array.from({ length: 4 }, () => begin((work) => occupancy.inside(work)))
  ends.push(begin((work) => occupancy.preparing(work)))
  now += 10
  near(occupancy.wait, { idle: 0, emptySlots: 0 })
  for (const end of ends) await end()
})

test('work that fails is over all the same, and its result or error is handed on', async () => {
  const occupancy = new Occupancy(1)
  await assert.rejects(
    occupancy.preparing(async () => {
      throw new Error('decoding')
    }),
    { message: 'decoding' }
  )
  await assert.rejects(
    occupancy.inside(async () => {
      throw new Error('engine')
    }),
    { message: 'engine' }
  )
  assert.equal(await occupancy.preparing(async () => 1), 1)
  assert.equal(await occupancy.inside(async () => 2), 2)
  now += 100
  near(occupancy.wait, { idle: 0, emptySlots: 0 })
})

test('reset forgets what was, not what is under way', async () => {
  const occupancy = new Occupancy(1)
  const end = begin((work) => occupancy.preparing(work))
  now += 100
  near(occupancy.wait, { idle: 1, emptySlots: 1 })
  occupancy.reset()
  now += 10
  near(occupancy.wait, { idle: 1, emptySlots: 1 })
  await end()
  now += 10
  near(occupancy.wait, { idle: 0.5, emptySlots: 0.5 })
})
