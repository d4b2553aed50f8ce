/** What the standard streams lead to goes away: the work goes on to its end, and its result is whole. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { main, readRows, run } from '../helpers/cli.mjs'
import { demoSamples } from '../helpers/samples.mjs'

const { folder, csv, samples } = await demoSamples()
const at = (name) => path.join(folder, name)
const asked = (input, output) => ['run', input, output, '--model', 'demo', '--gpus', 'none']
const full = { skip: !fs.existsSync('/dev/full') && 'there is no /dev/full' }

/** The command, whose stream `gone` (stdout or stderr) loses its reader at once or when `when` is written to it. */
async function without(gone, args, when) {
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const streams = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr']) {
    child[name].on('data', (text) => {
      streams[name] += text
      if (name === gone && streams[name].includes(when)) child[name].destroy()
    })
  }
  if (when === undefined) child[gone].destroy()
  const [status, signal] = await once(child, 'exit')
  return { status, signal, ...streams }
}

/** Every row has its caption in the output. */
function assertWhole(file) {
  assert.deepEqual(
    readRows(file).map(({ text, status }) => [text, status]),
    samples.map(({ expected }) => [expected, 'ok'])
  )
}

for (const [kind, flags, when] of [
  ['text', [], 'captions at once'],
  ['text from the first word on', [], undefined],
  ['--json', ['--json'], '"type":"started"'],
  ['--json from the first word on', ['--json'], undefined]
]) {
  test(`nobody reads stderr: ${kind}`, async () => {
    const result = await without('stderr', [...asked(csv, at('unread.csv')), ...flags], when)
    assert.deepEqual([result.status, result.signal], [0, null])
    assertWhole(at('unread.csv'))
    fs.rmSync(at('unread.csv'))
  })
}

test('stderr is a full disk', full, () => {
  for (const flags of [[], ['--json']]) {
    const descriptor = fs.openSync('/dev/full', 'w')
    const args = [main, ...asked(csv, at('full.csv')), ...flags]
    const { status } = spawnSync(process.execPath, args, { stdio: ['ignore', 'pipe', descriptor] })
    fs.closeSync(descriptor)
    assert.equal(status, 0)
    assertWhole(at('full.csv'))
  }
})

test('a failed row still leads to 3, and wrong usage to 2, without a reader', async () => {
  fs.writeFileSync(at('gone.csv'), 'path\ngone.mp4\n')
  assert.equal((await without('stderr', asked(at('gone.csv'), at('gone-out.csv')))).status, 3)
  assert.equal((await without('stderr', ['run', at('none.csv'), at('gone-out.csv')])).status, 2)
})

const printing = [['doctor'], ['doctor', '--json'], ['plan', '--model', 'demo'], ['--help'], ['run', '--help']]

test('nobody reads stdout: a quiet end with the code it would have had', async () => {
  for (const args of [...printing, ['--version'], ['bench', at(samples[0].path), '--model', 'demo', '--json']]) {
    const { status, signal, stderr } = await without('stdout', args)
    assert.deepEqual([status, signal, stderr], [0, null, ''], args.join(' '))
  }
})

test('stdout is a full disk: one line says so, exit code 75', full, () => {
  for (const args of printing) {
    const descriptor = fs.openSync('/dev/full', 'w')
    const stdio = ['ignore', descriptor, 'pipe']
    const { status, stderr } = spawnSync(process.execPath, [main, ...args], { stdio, encoding: 'utf8' })
    fs.closeSync(descriptor)
    assert.equal(status, 75, args.join(' '))
    assert.match(stderr, /^vcap-native: stdout could not be written: ENOSPC.*\n$/)
  }
})

/** A command on a terminal that goes away once `begun`. The shell hands its hangup on, and tells the exit code. */
async function onTerminal(command, begun) {
  const code = at(`code-${Math.random()}`)
  const shell = `cd ${folder}; trap 'kill -HUP $!' HUP; ${command} & wait $!; wait $!; echo $? >${code}`
  const script = spawn('script', ['-qfc', shell, '/dev/null'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, SHELL: '/bin/sh' }
  })
  let shown = ''
  script.stdout.on('data', (text) => (shown += text))
  await until(() => begun(shown))
  script.kill('SIGKILL')
  await until(() => fs.existsSync(code) && fs.readFileSync(code, 'utf8') !== '')
  return Number(fs.readFileSync(code, 'utf8'))
}

async function until(condition) {
  for (let i = 0; i < 600 && !condition(); i++) await pause(100)
}

const noTerminal = { skip: spawnSync('script', ['-V']).status !== 0 && 'there is no util-linux script for a terminal' }
const many = at('many.csv')
fs.writeFileSync(
  many,
  [
    'path',
    ...Array(6)
      .fill(samples.map((sample) => sample.path))
      .flat()
  ].join('\n')
)
const onMany = (name) => [process.execPath, main, ...asked(many, at(name))].map((word) => `"${word}"`).join(' ')
const begun = (shown) => shown.includes('captions at once')

test('the terminal goes away under a run that nohup keeps: it ends whole', noTerminal, async () => {
  const told = () => fs.existsSync(at('nohup.out')) && begun(fs.readFileSync(at('nohup.out'), 'utf8'))
  assert.equal(await onTerminal(`nohup ${onMany('kept.csv')} </dev/tty`, told), 0)
  assert.equal(readRows(at('kept.csv')).length, 6 * samples.length)
})

test('the terminal goes away under a run: it stops as a hangup stops it', noTerminal, async () => {
  assert.equal(await onTerminal(onMany('hungup.csv'), begun), 129)
  assert.ok(!fs.existsSync(at('hungup.csv')))
})

test('the terminal goes away, and its hangup is ignored: the run goes on without it', noTerminal, async () => {
  assert.equal(await onTerminal(`(trap "" HUP; ${onMany('alone.csv')}; exit $?)`, begun), 0)
  assert.equal(readRows(at('alone.csv')).length, 6 * samples.length)
})

test('a run with a reader loses no line of what it tells', async () => {
  const { stderr } = await run(csv, at('read.csv'), '--json')
  const events = stderr.trim().split('\n').map(JSON.parse)
  assert.equal(events.filter(({ type }) => type === 'row').length, samples.length)
})
