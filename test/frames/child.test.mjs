/** A process of ours that answers requests: what each side sees when something ends. */
import assert from 'node:assert/strict'
import { spawnSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { after, test } from 'node:test'
import { Child, ChildLost, ChildOverdue } from '../../dist/child.js'
import { root } from '../helpers/cli.mjs'
import { temporaryFolder } from '../helpers/media.mjs'

const folder = temporaryFolder()
const modules = path.join(root, 'dist')

/** Answers what it is asked: see `works`. */
const main = path.join(folder, 'main.cjs')
fs.writeFileSync(
  main,
  `
  const { requireParent, serve } = require(${JSON.stringify(path.join(modules, 'child-main.js'))})
  const { VcapError } = require(${JSON.stringify(path.join(modules, 'errors.js'))})
  const cancelled = []
  const works = {
    echo: ({ value }) => value,
    pid: () => process.pid,
    wait: ({ name, ms }, signal) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => cancelled.push(name))
        setTimeout(() => resolve(name), ms)
      }),
    cancelled: () => cancelled,
    fail: ({ code, message }) => { throw new VcapError(code, message) },
    throw: () => { throw new TypeError('a mistake') },
    exit: ({ status }) => process.exit(status),
    block: () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000),
    busy: () => { for (const end = Date.now() + 60_000; Date.now() < end; ) requireParent() },
    env: ({ name }) => process.env[name],
    tell: ({ events }) => { for (const event of events) process.send({ event }) },
    write: ({ descriptor, text }) => require('node:fs').writeSync(descriptor, text)
  }
  serve(async ({ what, ...request }, signal) => works[what](request, signal))`
)

/** One that never hears that it is to go. */
const stubborn = path.join(folder, 'stubborn.cjs')
fs.writeFileSync(
  stubborn,
  `process.on('message', ({ id }) => process.send({ id, answer: process.pid }))
  process.send({ ready: true })
  setInterval(() => {}, 1000)`
)

const children = []
function start(file = main, options = {}) {
  const child = new Child(file, { exitGraceMs: 2000, ...options })
  children.push(child)
  return child
}
after(() => {
  for (const child of children) child.end()
})

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))

function isThere(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    assert.equal(error.code, 'ESRCH')
    return false
  }
}

/** Milliseconds until the process is gone. */
async function gone(pid) {
  const started = Date.now()
  for (let i = 0; i < 400; i++) {
    if (!isThere(pid)) return Date.now() - started
    await pause(25)
  }
  assert.fail(`process ${pid} is still there`)
}

test('it starts, answers, and is ready before its first answer', async () => {
  const child = start()
  let ready = false
  child.ready.then(() => {
    ready = true
  })
  assert.equal(await child.request({ what: 'echo', value: 'hello' }), 'hello')
  assert.ok(ready && child.alive)
})

test('plain data comes and goes as it is: typed arrays, nothing, undefined', async () => {
  const child = start()
  for (const value of [Uint8Array.of(1, 2, 250), { a: [1, null, 2n] }, undefined, null, new Float32Array(3)]) {
    assert.deepEqual(await child.request({ what: 'echo', value }), value)
  }
})

test('any number of requests at once, each with its own answer, in whatever order they come', async () => {
  const child = start()
  await child.ready
  const answered = []
  const asked = [120, 40, 80, 0].map((ms) =>
    child.request({ what: 'wait', name: `after ${ms}`, ms }).then((answer) => {
      answered.push(answer)
      return answer
    })
  )
  assert.deepEqual(await Promise.all(asked), ['after 120', 'after 40', 'after 80', 'after 0'])
  assert.deepEqual(answered, ['after 0', 'after 40', 'after 80', 'after 120'])
})

test('an error comes with its code, one that has none as internal; the child goes on', async () => {
  const child = start()
  await assert.rejects(child.request({ what: 'fail', code: 'no_frames', message: 'It has none' }), {
    name: 'VcapError',
    code: 'no_frames',
    message: 'It has none'
  })
  await assert.rejects(child.request({ what: 'throw' }), { name: 'VcapError', code: 'internal', message: 'a mistake' })
  await assert.rejects(child.request({ what: 'no such work' }), { code: 'internal' })
  assert.equal(await child.request({ what: 'echo', value: 1 }), 1)
})

test('events come in order, before the answer of the request that sent them', async () => {
  const seen = []
  const child = start(main, { onEvent: (event) => seen.push(event) })
  await child.request({ what: 'tell', events: [1, { two: 2 }, 'three'] })
  assert.deepEqual(seen, [1, { two: 2 }, 'three'])
})

test('an abort rejects at once; the child is told, stays, and answers the next', async () => {
  const child = start()
  const pid = await child.request({ what: 'pid' })
  const controller = new AbortController()
  const other = child.request({ what: 'wait', name: 'other', ms: 300 })
  const waiting = child.request({ what: 'wait', name: 'first', ms: 5000 }, { signal: controller.signal })
  await pause(50)
  const reason = new Error('of the user')
  controller.abort(reason)
  await assert.rejects(waiting, { name: 'VcapError', code: 'aborted', cause: reason })
  assert.deepEqual(await child.request({ what: 'cancelled' }), ['first'])
  assert.equal(await other, 'other')
  assert.equal(await child.request({ what: 'pid' }), pid)
  assert.ok(child.alive)
})

test('a signal aborted before: the child is not asked', async () => {
  const child = start()
  await assert.rejects(child.request({ what: 'exit', status: 1 }, { signal: AbortSignal.abort() }), { code: 'aborted' })
  await pause(100)
  assert.equal(await child.request({ what: 'echo', value: 1 }), 1)
})

test('an abort after the answer is nothing', async () => {
  const child = start()
  const controller = new AbortController()
  assert.equal(await child.request({ what: 'echo', value: 1 }, { signal: controller.signal }), 1)
  controller.abort()
  await child.request({ what: 'echo', value: 2 })
  assert.deepEqual(await child.request({ what: 'cancelled' }), [])
})

test('a deadline rejects with ChildOverdue; the child is told, stays, and its late answer is dropped', async () => {
  const child = start()
  await child.ready
  const started = Date.now()
  await assert.rejects(child.request({ what: 'wait', name: 'late', ms: 400 }, { deadlineMs: 100 }), ChildOverdue)
  const passed = Date.now() - started
  assert.ok(passed >= 95 && passed < 350, `${passed} ms`)
  assert.deepEqual(await child.request({ what: 'cancelled' }), ['late'])
  await pause(500)
  assert.equal(await child.request({ what: 'echo', value: 'next' }, { deadlineMs: 5000 }), 'next')
})

test('a child that is killed: every request is lost, and it had started', async () => {
  const child = start()
  const pid = await child.request({ what: 'pid' })
  const waiting = [1, 2].map((name) => child.request({ what: 'wait', name, ms: 10_000 }))
  process.kill(pid, 'SIGKILL')
  for (const lost of waiting) {
    await assert.rejects(lost, (error) => error instanceof ChildLost && error.started && error.message === 'SIGKILL')
  }
  assert.ok(!child.alive)
  await assert.rejects(child.request({ what: 'echo' }), (error) => error instanceof ChildLost && error.started)
})

test('a child that ends by itself says how', async () => {
  const child = start()
  await assert.rejects(child.request({ what: 'exit', status: 7 }), { started: true, message: 'exit status 7' })
})

test('a main that is not there, or breaks: lost before it started', async () => {
  const broken = path.join(folder, 'broken.cjs')
  fs.writeFileSync(broken, 'process.exit(3)')
  for (const [file, message] of [
    [broken, 'exit status 3'],
    [path.join(folder, 'none.cjs'), 'exit status 1']
  ]) {
    // What Node itself says on stderr about a missing file is not for the test's output.
    const script = `
      const { Child, ChildLost } = require(${JSON.stringify(path.join(modules, 'child.js'))})
      const child = new Child(process.argv[1], { exitGraceMs: 100 })
      const outcome = (error) => [error instanceof ChildLost, error.started, error.message]
      Promise.all([child.ready, child.request({})].map((each) => each.then(() => 'none', outcome)))
        .then((outcomes) => console.log(JSON.stringify([...outcomes, child.alive])))`
    const { stdout } = spawnSync(process.execPath, ['-e', script, file], { encoding: 'utf8' })
    assert.deepEqual(JSON.parse(stdout), [[true, false, message], [true, false, message], false])
  }
})

test('it gets its environment and the open files given to it', async () => {
  const file = path.join(folder, 'shared.txt')
  const descriptor = fs.openSync(file, 'w+')
  const child = start(main, { env: { ...process.env, VCAP_TEST: 'seen' }, descriptors: [descriptor] })
  assert.equal(await child.request({ what: 'env', name: 'VCAP_TEST' }), 'seen')
  await child.request({ what: 'write', descriptor: 4, text: 'from the child' })
  fs.closeSync(descriptor)
  assert.equal(fs.readFileSync(file, 'utf8'), 'from the child')
})

test('end() ends it, a request under way is lost, and ending again is nothing', async () => {
  const child = start()
  const pid = await child.request({ what: 'pid' })
  const waiting = child.request({ what: 'wait', name: 'x', ms: 10_000 })
  child.end()
  child.end()
  assert.ok(!child.alive)
  await assert.rejects(waiting, ChildLost)
  assert.ok((await gone(pid)) < 2000, 'by itself, before it is killed')
  await assert.rejects(child.request({ what: 'echo' }), ChildLost)
})

test('one that does not go by itself is killed after its time', async () => {
  const child = start(stubborn, { exitGraceMs: 500 })
  const pid = await child.request({})
  child.end()
  await pause(200)
  assert.ok(isThere(pid), 'it has its time')
  await gone(pid)
})

test('one that hears nothing is killed at once, one that no longer blocks is not', async () => {
  const child = start(main, { exitGraceMs: 60_000 })
  const pid = await child.request({ what: 'pid' }, { blocksEvents: true })
  const controller = new AbortController()
  const blocked = child.request({ what: 'block' }, { blocksEvents: true, signal: controller.signal })
  await pause(100)
  controller.abort()
  await assert.rejects(blocked, { code: 'aborted' })
  child.end()
  await gone(pid)

  const other = start(stubborn, { exitGraceMs: 1000 })
  const otherPid = await other.request({}, { blocksEvents: true })
  other.end()
  await pause(300)
  assert.ok(isThere(otherPid), 'it had answered and so can hear')
  await gone(otherPid)
})

/** A process that owns a child and does `what` and prints the child's process number. */
function owner(what) {
  const script = `
    const { Child } = require(${JSON.stringify(path.join(modules, 'child.js'))})
    const child = new Child(${JSON.stringify(main)}, { exitGraceMs: 60_000 })
    child.request({ what: 'pid' }).then((pid) => { ${what}; console.log(pid) })`
  return spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'], detached: true })
}

async function childOf(process) {
  const [text] = await once(process.stdout, 'data')
  return Number(text)
}

test('an idle child keeps nobody alive, and goes with its owner', async () => {
  const process = owner('')
  const pid = await childOf(process)
  assert.deepEqual(await once(process, 'exit'), [0, null])
  await gone(pid)
})

test('a request under way keeps its owner alive until the answer', async () => {
  const process = owner(
    `child.request({ what: 'wait', name: 'x', ms: 300 }).then(() => { globalThis.process.exit(9) })`
  )
  await childOf(process)
  assert.deepEqual(await once(process, 'exit'), [9, null])
})

test('a child that blocks is killed when its owner exits', async () => {
  const process = owner(`
    child.request({ what: 'block' }, { blocksEvents: true })
    setTimeout(() => globalThis.process.exit(4), 200)`)
  const pid = await childOf(process)
  assert.ok(isThere(pid))
  assert.deepEqual(await once(process, 'exit'), [4, null])
  assert.ok((await gone(pid)) < 5000)
})

test('a child at work goes when its owner is killed', async () => {
  const process = owner(`child.request({ what: 'wait', name: 'x', ms: 60_000 })`)
  const pid = await childOf(process)
  process.kill('SIGKILL')
  await gone(pid)
})

test('a child in the midst of a long call goes when its owner is killed, if it looks for it', async () => {
  const process = owner(`child.request({ what: 'busy' })`)
  const pid = await childOf(process)
  await pause(200)
  process.kill('SIGKILL')
  await gone(pid)
})

test('a signal that asks processes to end is for its owner to heed', async () => {
  const child = start()
  const pid = await child.request({ what: 'pid' })
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.kill(pid, signal)
  assert.equal(await child.request({ what: 'echo', value: 'still here' }), 'still here')
})

test('stop() resolves when its process is gone', async () => {
  const child = start()
  const pid = await child.request({ what: 'pid' })
  assert.equal(child.pid, pid)
  await child.stop()
  assert.ok(!isThere(pid))
  await child.stop()
})

for (const signal of ['SIGINT', 'SIGHUP']) {
  test(`${signal} to the whole process group is the parent's alone`, async () => {
    const process = owner(
      `globalThis.process.on('${signal}', async () => {
        const value = await child.request({ what: 'echo', value: 7 })
        globalThis.process.exit(value)
      })
      setTimeout(() => {}, 60_000)`
    )
    await childOf(process)
    globalThis.process.kill(-process.pid, signal)
    assert.deepEqual(await once(process, 'exit'), [7, null])
  })
}
