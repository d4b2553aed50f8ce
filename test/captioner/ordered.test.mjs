/** Work done out of order, results in order. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mapInOrder } from '../../dist/ordered.js'

const settle = () => new Promise((resolve) => setImmediate(resolve))

/** Work on numbers that ends when it is told; what has been asked for so far. */
function controlled() {
  const asked = []
  const end = []
  const work = (item, index) => {
    asked.push([item, index])
    return new Promise((resolve, reject) => {
      end[index] = { well: () => resolve(`done ${item}`), badly: () => reject(new Error(`failed ${item}`)) }
    })
  }
  return { asked, end, work }
}

function* numbers(from = 0, to = Infinity, taken = () => undefined) {
  for (let i = from; i < to; i++) {
    taken(i)
    yield i
  }
}

async function all(results) {
  const list = []
  for await (const result of results) list.push(result)
  return list
}

test('results come in the order of the source, whatever ends first', async () => {
  const { asked, end, work } = controlled()
  const results = all(mapInOrder(numbers(10, 15), 5, work))
  await settle()
  assert.deepEqual(
    asked,
    [10, 11, 12, 13, 14].map((item, index) => [item, index])
  )
  for (const i of [4, 2, 3, 0, 1]) {
    end[i].well()
    await settle()
  }
  assert.deepEqual(await results, ['done 10', 'done 11', 'done 12', 'done 13', 'done 14'])
})

test('sources of every kind and size, windows of every size', async () => {
  const double = async (i) => {
    for (let j = 0; j < (i * 7) % 5; j++) await settle()
    return i * 2
  }
  async function* slowly(items) {
    for (const item of items) {
      await settle()
      yield item
    }
  }
  for (const count of [0, 1, 2, 7, 30]) {
    const items = [...numbers(0, count)]
    const expected = items.map((i) => i * 2)
    for (const window of [1, 2, 7, 100]) {
      assert.deepEqual(await all(mapInOrder(items, window, double)), expected)
      assert.deepEqual(await all(mapInOrder(slowly(items), window, double)), expected)
    }
  }
})

test('no more than the window is under way, and the source is asked for no more', async () => {
  let taken = 0
  const { end, work } = controlled()
  const results = mapInOrder(
    numbers(0, Infinity, () => taken++),
    3,
    work
  )
  const first = results.next()
  await settle()
  assert.equal(taken, 3)
  end[2].well()
  end[1].well()
  await settle()
  assert.equal(taken, 3, 'those that ended ahead of their turn keep their places')
  end[0].well()
  assert.deepEqual(await first, { done: false, value: 'done 0' })
  await settle()
  assert.equal(taken, 3, 'nobody has asked for the next yet')
  assert.deepEqual((await results.next()).value, 'done 1')
  assert.equal(taken, 4)
  for (const i of [3]) end[i].well()
  await results.return()
})

test('a reader that leaves early: the source is closed, and what is under way is waited for', async () => {
  let closed = false
  function* source() {
    try {
      yield* numbers()
    } finally {
      closed = true
    }
  }
  const { asked, end, work } = controlled()
  const results = mapInOrder(source(), 3, work)
  const first = results.next()
  await settle()
  end[0].well()
  await first
  let left = false
  const leaving = results.return().then(() => {
    left = true
  })
  await settle()
  assert.deepEqual([closed, left], [true, false])
  end[1].well()
  await settle()
  assert.ok(!left)
  end[2].badly()
  await leaving
  assert.equal(asked.length, 3)
})

test('a failure comes in its turn and waits for the others; nothing new begins', async () => {
  const { asked, end, work } = controlled()
  const results = mapInOrder(numbers(), 3, work)
  const first = results.next()
  await settle()
  end[1].badly()
  await settle() // its turn has not come, and that is no unhandled rejection
  end[0].well()
  assert.equal((await first).value, 'done 0')
  let failure
  const second = results.next().catch((error) => {
    failure = error
  })
  await settle()
  assert.equal(failure, undefined, 'one is still under way')
  for (const i of numbers(2, asked.length)) end[i].well()
  await second
  assert.equal(failure.message, 'failed 1')
  const before = asked.length
  assert.deepEqual(await results.next(), { done: true, value: undefined })
  assert.equal(asked.length, before)
})

test('a source that breaks off: its error, when what was under way has ended', async () => {
  function* source() {
    yield 1
    throw new Error('broken off')
  }
  const { end, work } = controlled()
  let failure
  const done = all(mapInOrder(source(), 3, work)).catch((error) => {
    failure = error
  })
  await settle()
  assert.equal(failure, undefined)
  end[0].well()
  await done
  assert.equal(failure.message, 'broken off')
})
