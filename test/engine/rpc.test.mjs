/** RPC servers as devices: a real one captions; one that is none, or is lost, is an error and ends nothing. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import test, { after } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { loadCaptioner, plan, run } from '../../dist/index.js'
import { loadAddon } from '../../dist/native/load.js'
import { probeRpcServer } from '../../dist/native/rpc-probe.js'
import { cli, root } from '../helpers/cli.mjs'
import { temporaryFolder } from '../helpers/media.mjs'
import { answer, fakeServer, freePort, realServer } from '../helpers/rpc.mjs'
import { demoSamples } from '../helpers/samples.mjs'

const [major, minor] = loadAddon().build.rpcProtocol
const image = { data: new Uint8Array(64 * 48 * 3).fill(90), width: 64, height: 48 }
const options = { model: 'demo', gpus: 'none', sequences: 2, contextPerSequence: 1024 }
const { paths } = await demoSamples({ clips: 2, images: 2 })
const folder = temporaryFolder()
const hello = answer(major, minor, 0, 0, ...new Array(24).fill(0))

/** Servers that are none, and what is said of them. */
const impostors = [
  ['hangs up at once', (socket) => socket.destroy(), /ends the connection|ECONNRESET/],
  ['hangs up when asked', (socket) => socket.once('data', () => socket.destroy()), /ends the connection|ECONNRESET/],
  ['speaks HTTP', (socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'), /not of this protocol/],
  ['sends noise', (socket) => socket.write(Buffer.alloc(4096, 0xa5)), /not of this protocol/],
  ['is of another version', (socket) => socket.write(answer(major + 1, 0, 0, 0, ...new Array(24).fill(0))), /version/],
  ['offers no devices', (socket) => socket.write(Buffer.concat([hello, answer(0, 0, 0, 0)])), /0 devices/],
  ['sends noise after its greeting', (socket) => socket.write(Buffer.concat([hello, Buffer.alloc(64, 7)])), /protocol/],
  ['says nothing', () => undefined, /does not answer/],
  ['says nothing after its greeting', (socket) => socket.write(hello), /does not answer/],
  ['says nothing of its memory', (socket) => socket.write(Buffer.concat([hello, answer(1, 0, 0, 0)])), /not answer/]
]

for (const [what, serve, reason] of impostors) {
  test(`a server that ${what} is refused with its reason`, async () => {
    const server = await fakeServer(serve)
    try {
      const refused = (error) => {
        assert.equal(error.code, 'device_unavailable')
        assert.match(error.message, reason)
        assert.ok(error.message.includes(server.endpoint))
        return true
      }
      await assert.rejects(probeRpcServer(server.endpoint, [major, minor], 300), refused)
      if (what.startsWith('says nothing')) return // the library waits longer
      await assert.rejects(loadCaptioner({ ...options, rpc: [server.endpoint] }), refused)
      await assert.rejects(plan({ model: 'demo', rpc: [server.endpoint] }), refused)
    } finally {
      server.close()
    }
  })
}

test('addresses at which nothing listens, or that are none, are refused by run and plan with code 2', async () => {
  const table = path.join(folder, 'table.csv')
  fs.writeFileSync(table, `path\n${paths[0]}\n`)
  for (const endpoint of [`127.0.0.1:${await freePort()}`, 'localhost:99999', 'no-such-host.invalid:50052']) {
    const ran = await cli(['run', table, path.join(folder, 'out.csv'), '--model', 'demo', '--rpc', endpoint])
    const planned = await cli(['plan', '--model', 'demo', '--rpc', endpoint])
    for (const { status, stderr } of [ran, planned]) {
      assert.equal(status, 2, stderr)
      assert.ok(stderr.includes(endpoint), stderr)
    }
  }
})

test('while a silent server is waited for, the process hears a signal', async () => {
  const server = await fakeServer(() => undefined)
  try {
    const table = path.join(folder, 'silent.csv')
    fs.writeFileSync(table, `path\n${paths[0]}\n`)
    const interrupted = async (args) => {
      const child = spawn(process.execPath, [path.join(root, 'dist/cli/main.js'), ...args], { stdio: 'ignore' })
      const ended = new Promise((resolve) => child.once('exit', (status, signal) => resolve([status, signal])))
      await pause(3000)
      child.kill('SIGINT')
      const asked = performance.now()
      const how = await ended
      assert.ok(performance.now() - asked < 3000)
      return how
    }
    const devices = ['--model', 'demo', '--rpc', server.endpoint]
    const ways = await Promise.all([
      interrupted(['run', table, path.join(folder, 'silent-out.csv'), ...devices]),
      interrupted(['plan', ...devices])
    ])
    assert.deepEqual(ways, [
      [130, null],
      [null, 'SIGINT']
    ])
  } finally {
    server.close()
  }
})

test('a real server computes: the same captions as here, with a cancelled one between them', async () => {
  const server = await realServer()
  const here = await loadCaptioner(options)
  const there = await loadCaptioner({ ...options, rpc: [server.endpoint] })
  after(() => server.kill())
  assert.deepEqual(there.info.devices, ['RPC0'])
  const aborted = there.captionImages([image], { maxTokens: 300, ignoreEos: true, signal: AbortSignal.timeout(30) })
  await assert.rejects(aborted, { code: 'aborted' })
  for (const file of paths) assert.deepEqual((await there.caption(file)).text, (await here.caption(file)).text)
  const { tokens, width, data } = await there.embedImages([image])
  assert.equal(data.length, tokens * width)
  await assert.rejects(there.captionImages([image], { maxTokens: 4000 }), { code: 'context_overflow' })
  await there.close()
  await here.close()
  const planned = await plan({ model: 'demo', gpus: 'none', rpc: [server.endpoint] })
  assert.deepEqual(
    planned.devices.map(({ name }) => name),
    [server.endpoint]
  )
})

test('a server that is lost in the middle of captions ends the engine and not the process', async () => {
  const server = await realServer()
  const there = await loadCaptioner({ ...options, rpc: [server.endpoint] })
  const busy = [1, 2, 3].map(() => there.captionImages([image], { maxTokens: 900, ignoreEos: true }))
  const settled = Promise.allSettled(busy)
  await pause(150)
  await server.kill()
  for (const { status, reason } of await settled) {
    assert.equal(status, 'rejected')
    assert.equal(reason.code, 'engine_lost', reason.message)
    assert.ok(reason.message.includes(server.endpoint), reason.message)
  }
  await assert.rejects(there.captionImages([image]), { code: 'engine_lost' })
  await there.close()
})

test('a run whose server is lost stops with engine_lost and leaves no process behind', async () => {
  const server = await realServer()
  const table = path.join(folder, 'lost.csv')
  fs.writeFileSync(table, `path\n${Array.from({ length: 400 }, (_, i) => paths[i % paths.length]).join('\n')}\n`)
  let rows = 0
  const onEvent = ({ type }) => {
    if (type === 'row' && ++rows === 5) server.kill()
  }
  const running = run(table, path.join(folder, 'lost-out.csv'), { ...options, rpc: [server.endpoint], onEvent })
  await assert.rejects(running, { code: 'engine_lost' })
  assert.ok(rows < 400)
})
