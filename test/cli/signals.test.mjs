/** Signals: which of them end a run, and that those which were ignored at its start do not. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import { main, readRows, root } from '../helpers/cli.mjs'
import { demoSamples } from '../helpers/samples.mjs'

const { folder, samples } = await demoSamples({ clips: 2, images: 1 })
const input = path.join(folder, 'many.csv')
const output = path.join(folder, 'out.csv')
const rows = 20 * samples.length
fs.writeFileSync(
  input,
  [
    'path',
    ...Array(20)
      .fill(samples.map((sample) => sample.path))
      .flat()
  ].join('\n')
)
const asked = ['run', input, output, '--model', 'demo', '--gpus', 'none', '--json', '--grace', '0']
const start = [path.join(root, 'bin', 'vcap-native'), ...asked]
const direct = [process.execPath, main, ...asked]
const linux = { skip: process.platform !== 'linux' && 'ignored signals are not known elsewhere than on Linux' }

/** Starts a command as a process group of its own, sends `signal` to all of it in mid-run, and waits for its end. */
async function signalled(signal, [command, ...args], env = {}) {
  fs.rmSync(output, { force: true })
  fs.rmSync(`${output}.vcap`, { recursive: true, force: true })
  const PATH = `${path.dirname(process.execPath)}:${process.env.PATH}`
  const child = spawn(command, args, { detached: true, env: { ...process.env, PATH, ...env } })
  let stderr = ''
  let sent = false
  child.stderr.on('data', (text) => {
    stderr += text
    if (sent || !stderr.includes('"type":"row"')) return
    sent = true
    process.kill(-child.pid, signal)
  })
  const [status] = await once(child, 'close')
  assert.ok(sent, stderr)
  return { status, stderr, rows: fs.existsSync(output) ? readRows(output).length : 0 }
}

/** The command under a shell that ignores `signal`: in its place, or as its child. */
const ignoring = (signal, args, how) => ['sh', '-c', `trap "" ${signal}; ${how}`, ...args]
const inPlace = 'exec "$0" "$@"'
const asChild = '"$0" "$@"; exit $?'

for (const [signal, status] of [
  ['HUP', 129],
  ['INT', 130],
  ['TERM', 143]
]) {
  test(`SIG${signal} to the whole process group ends a run with ${status}`, async () => {
    const result = await signalled(`SIG${signal}`, start)
    assert.deepEqual([result.status, result.rows], [status, 0], result.stderr.slice(-500))
    const message = `Stopped by SIG${signal}; what was captioned is kept, and the same command goes on`
    const events = result.stderr.trim().split('\n').map(JSON.parse)
    assert.deepEqual(events.at(-1), { type: 'stopped', code: 'aborted', message })
    assert.deepEqual(
      events.filter(({ type }) => type === 'stopping'),
      [{ type: 'stopping', grace: 0 }]
    )
  })
}

for (const signal of ['HUP', 'INT']) {
  test(`SIG${signal} that was ignored at the start stays ignored`, linux, async () => {
    const result = await signalled(`SIG${signal}`, ignoring(signal, start, inPlace))
    assert.deepEqual([result.status, result.rows], [0, rows], result.stderr.slice(-500))
  })
}

test('an ignored hangup leaves the other signals as they are', linux, async () => {
  assert.equal((await signalled('SIGTERM', ignoring('HUP', start, inPlace))).status, 143)
})

test('nohup: the run outlives a hangup', linux, async () => {
  const result = await signalled('SIGHUP', ['nohup', ...start])
  assert.deepEqual([result.status, result.rows], [0, rows], result.stderr.slice(-500))
})

test('without the start script a hangup is ignored by what nohup and shells leave behind', linux, async () => {
  for (const [args, env] of [
    [ignoring('HUP', direct, asChild), {}],
    [['bash', '-c', 'nohup "$0" "$@"', ...direct], {}],
    [direct, { _: '/usr/bin/nohup' }],
    [['sh', '-c', 'exec "$0" "$@" 0>/dev/null', ...direct], {}]
  ]) {
    const result = await signalled('SIGHUP', args, env)
    assert.deepEqual([result.status, result.rows], [0, rows], `${args[2]}: ${result.stderr.slice(-500)}`)
  }
})

test("another process's note of ignored signals is not ours", linux, async () => {
  assert.equal((await signalled('SIGHUP', direct, { VCAP_SIGNALS_IGNORED: '1:ffffffff' })).status, 129)
})
