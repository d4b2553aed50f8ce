/** The semaphore: who comes first goes first, and no permit is lost. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Semaphore } from '../../dist/semaphore.js'

/** Lets everything that can go on now go on. */
const settle = () => new Promise((resolve) => setImmediate(resolve))

/** Work that goes on until it is told, and who has begun. */
function workers(semaphore) {
  const begun = []
  const finish = {}
  const start = (name, signal) =>
    semaphore.run(signal, () => {
      begun.push(name)
      return new Promise((resolve, reject) => {
        finish[name] = { well: () => resolve(name), badly: () => reject(new Error(name)) }
      })
    })
  return { begun, finish, start }
}

test('as many as there are permits, the others in the order they came', async () => {
  const { begun, finish, start } = workers(new Semaphore(2))
  const done = ['a', 'b', 'c', 'd', 'e'].map((name) => start(name))
  await settle()
  assert.deepEqual(begun, ['a', 'b'])
  finish.b.well()
  await settle()
  assert.deepEqual(begun, ['a', 'b', 'c'])
  finish.a.well()
  finish.c.well()
  await settle()
  assert.deepEqual(begun, ['a', 'b', 'c', 'd', 'e'])
  finish.d.well()
  finish.e.well()
  assert.deepEqual(await Promise.all(done), ['a', 'b', 'c', 'd', 'e'])
})

test('never more than the permits, all of them again afterwards', async () => {
  const semaphore = new Semaphore(3)
  let inside = 0
  let most = 0
  for (let round = 0; round < 2; round++) {
    most = 0
    await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        semaphore.run(undefined, async () => {
          most = Math.max(most, ++inside)
          for (let j = 0; j < i % 4; j++) await settle()
          inside--
        })
      )
    )
    assert.deepEqual([most, inside], [3, 0])
  }
})

test('a throw, at once or later, gives the permit back', async () => {
  const semaphore = new Semaphore(1)
  const { begun, finish, start } = workers(semaphore)
  const failing = start('a')
  const next = start('b')
  await settle()
  finish.a.badly()
  await assert.rejects(failing, { message: 'a' })
  await settle()
  assert.deepEqual(begun, ['a', 'b'])
  finish.b.well()
  await next
  const thrown = semaphore.run(undefined, () => {
    throw new Error('at once')
  })
  await assert.rejects(thrown, { message: 'at once' })
  assert.equal(await semaphore.run(undefined, async () => 'still free'), 'still free')
})

test('who gives up waiting is rejected at once, never begins, and holds nobody up', async () => {
  const { begun, finish, start } = workers(new Semaphore(1))
  const controller = new AbortController()
  const a = start('a')
  const b = start('b', controller.signal)
  const c = start('c')
  await settle()
  const reason = new Error('mine')
  controller.abort(reason)
  await assert.rejects(b, { name: 'VcapError', code: 'aborted', cause: reason })
  finish.a.well()
  await settle()
  assert.deepEqual(begun, ['a', 'c'])
  finish.c.well()
  assert.deepEqual(await Promise.all([a, c]), ['a', 'c'])
  const d = start('d')
  await settle()
  assert.deepEqual(begun, ['a', 'c', 'd'], 'the permit is there')
  finish.d.well()
  await d
})

test('a signal aborted before is refused although a permit is free', async () => {
  const { begun, start } = workers(new Semaphore(1))
  await assert.rejects(start('a', AbortSignal.abort()), { code: 'aborted' })
  assert.deepEqual(begun, [])
})

test('an abort after the turn has come is for the work to see', async () => {
  const { finish, start } = workers(new Semaphore(1))
  const controller = new AbortController()
  const first = start('first')
  const second = start('second', controller.signal)
  await settle()
  finish.first.well()
  await first
  await settle()
  controller.abort()
  finish.second.well()
  assert.equal(await second, 'second')
})

test('permits for bytes: what does not fit waits, what is too large passes alone, and none is overtaken', async () => {
  const semaphore = new Semaphore(10)
  const passed = []
  const take = (name, count, signal) =>
    semaphore.take(signal, count).then((giveBack) => {
      passed.push(name)
      return giveBack
    })
  const [six, huge, three] = [take('six', 6), take('huge', 1e12), take('three', 3)]
  await settle()
  assert.deepEqual(passed, ['six']) // three would fit, and comes after huge
  const giveSixBack = await six
  giveSixBack()
  giveSixBack() // once is enough
  await settle()
  assert.deepEqual(passed, ['six', 'huge'])
  const giveHugeBack = await huge
  giveHugeBack()
  await three
  const controller = new AbortController()
  const given = take('given up', 9, controller.signal)
  const small = take('small', 5)
  await settle()
  assert.deepEqual(passed, ['six', 'huge', 'three'])
  controller.abort()
  await assert.rejects(given, { code: 'aborted' })
  await small
})
