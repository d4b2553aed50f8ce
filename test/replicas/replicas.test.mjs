/** Replicas in processes of their own: the same captions, whatever ends them, and none that outlives its run. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { after, test } from 'node:test'
import { loadReplicas, run } from '../../dist/index.js'
import { cpus } from '../../dist/cpus.js'
import { shareCpus } from '../../dist/replicas/cpu-share.js'
import { ReplicaPool } from '../../dist/replicas/pool.js'
import { findModel } from '../../dist/models/find.js'
import { main, readRows, root } from '../helpers/cli.mjs'
import { descendants, gone, isThere } from '../helpers/processes.mjs'
import { demoSamples } from '../helpers/samples.mjs'

const linux = { skip: process.platform !== 'linux' && 'processes are looked at in /proc' }
const options = { model: 'demo', gpus: 'none', sequences: 4 }
const { folder, csv, samples, paths } = await demoSamples({ clips: 10, images: 4 })
const many = path.join(folder, 'many.csv')
// Rows are told of in groups, four a second: a run has to last for some seconds to be stopped in its midst.
const names = Array.from({ length: 80 }, (_, i) => samples[i % samples.length].path)
fs.writeFileSync(many, `path\n${names.join('\n')}\n`)
const output = (name) => path.join(folder, `${name}.csv`)
await run(many, output('expected'), options)
const expected = fs.readFileSync(output('expected'), 'utf8')

/** The command, with its events as they come: `onEvent(event, child)`. */
async function command(input, name, { dpSize = 2, onEvent = () => undefined, env = {}, more = [] } = {}) {
  const asked = ['run', input, output(name), '--model', 'demo', '--gpus', 'none', '--bs', '4', '--json']
  const child = spawn(process.execPath, [main, ...asked, '--dp-size', String(dpSize), ...more], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true
  })
  const events = []
  let rest = ''
  child.stderr.on('data', (text) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop()
    for (const line of lines) {
      if (!line.startsWith('{')) {
        events.push({ type: 'text', line })
        continue
      }
      const event = JSON.parse(line)
      events.push(event)
      onEvent(event, child)
    }
  })
  const [status, signal] = await once(child, 'close')
  const told = events.flatMap(({ type, line, message }) => line ?? (type === 'stopped' ? message : []))
  return { status, signal, events, text: told.join('\n') + rest }
}

/** Not one of ffmpeg. */
const isOurs = (pid) => /-main\.js/.test(fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8'))
const rowsOf = (events) => events.filter(({ type }) => type === 'row')
const lastState = (events) => events.findLast(({ type }) => type === 'replicas').replicas

for (const dpSize of [1, 2, 4]) {
  test(`${dpSize} on the CPU: the same output, to the byte`, async () => {
    const { status, events } = await command(many, `dp-${dpSize}`, { dpSize })
    assert.equal(status, 0)
    assert.equal(fs.readFileSync(output(`dp-${dpSize}`), 'utf8'), expected)
    if (dpSize === 1) return
    const replicas = [...Array(dpSize).keys()]
    assert.deepEqual([...new Set(rowsOf(events).map(({ replica }) => replica))].sort(), replicas)
    const log = fs.readFileSync(path.join(`${output(`dp-${dpSize}`)}.vcap`, 'rows.log'), 'utf8')
    assert.ok(!log.includes('replica'), 'who captioned a row is no part of what was captioned')
  })
}

test('a run is continued with another number of replicas', async () => {
  let rows = 0
  const stopped = await command(many, 'continued', {
    dpSize: 2,
    more: ['--grace', '0'],
    onEvent: ({ type }, child) => type === 'row' && ++rows === 15 && child.kill('SIGTERM')
  })
  assert.equal(stopped.status, 143)
  const { status, events } = await command(many, 'continued', { dpSize: 1 })
  assert.equal(status, 0)
  assert.ok(events.some(({ type, rows }) => type === 'resumed' && rows >= 15))
  assert.equal(fs.readFileSync(output('continued'), 'utf8'), expected)
})

test('replicas that are killed at random moments: the output is the undisturbed one', linux, async () => {
  let kills = 0
  let next = 0
  const onEvent = ({ type, replicas }) => {
    if (type !== 'replicas' || kills === 6 || Date.now() < next) return
    const [victim] = replicas.filter(({ pid }) => pid !== null).sort(() => Math.random() - 0.5)
    if (!victim || !isThere(victim.pid)) return
    process.kill(victim.pid, 'SIGKILL')
    kills++
    next = Date.now() + Math.random() * 1000
  }
  const { status, events } = await command(many, 'killed', { onEvent })
  assert.equal(status, 0)
  assert.ok(kills >= 2, `${kills} kills`)
  assert.equal(fs.readFileSync(output('killed'), 'utf8'), expected)
  const indices = rowsOf(events).map(({ index }) => index)
  assert.equal(new Set(indices).size, indices.length, 'no row is captioned twice')
  assert.ok(lastState(events).some(({ losses }) => losses > 0))
  assert.match(events.find(({ type }) => type === 'warning').message, /^Replica \d (was lost|could not be started)/)
})

test('the run that is killed leaves no process, and the same command finishes it', linux, async () => {
  let below = []
  let rows = 0
  const onEvent = ({ type }, child) => {
    if (type !== 'row' || ++rows !== 10) return
    below = descendants(child.pid)
    child.kill('SIGKILL')
  }
  assert.equal((await command(many, 'orphans', { onEvent })).signal, 'SIGKILL')
  assert.ok(below.length >= 3, 'replicas and decoders of theirs')
  await gone(below)
  assert.equal((await command(many, 'orphans')).status, 0)
  assert.equal(fs.readFileSync(output('orphans'), 'utf8'), expected)
})

test('Ctrl-C for the whole process group is for the run alone: it ends, and its replicas with it', linux, async () => {
  let below = []
  let rows = 0
  const onEvent = ({ type }, child) => {
    if (type !== 'row' || ++rows !== 5) return
    below = descendants(child.pid)
    process.kill(-child.pid, 'SIGINT')
    // A service manager's way: everybody.
    for (const pid of below.filter((each) => isOurs(each))) process.kill(pid, 'SIGTERM')
  }
  const { status, events, text } = await command(many, 'interrupted', { onEvent, more: ['--grace', '20'] })
  assert.equal(status, 130, text)
  assert.deepEqual(
    events.filter(({ type }) => type === 'warning').map(({ message }) => message),
    []
  )
  assert.ok(rowsOf(events).length > 5, 'captions under way were finished')
  await gone(below, 2000)
})

test('a row that ends its replica each time fails alone', linux, async () => {
  const deadly = path.join(folder, `deadly${path.extname(paths[0])}`)
  fs.copyFileSync(paths[0], deadly)
  const input = output('with-deadly')
  const listed = names.slice(0, 16)
  listed.splice(5, 0, path.basename(deadly))
  fs.writeFileSync(input, `path\n${listed.join('\n')}\n`)
  const deaths = path.join(folder, 'deaths')
  const preload = path.join(root, 'test/helpers/deadly.cjs')
  const { status, events, text } = await command(input, 'deadly', {
    env: { NODE_OPTIONS: `--require ${preload}`, VCAP_TEST_DEATHS: deaths }
  })
  assert.equal(status, 3, text)
  const rows = readRows(output('deadly'))
  assert.deepEqual(
    rows.filter(({ status }) => status !== 'ok').map(({ path: name, status }) => [name, status]),
    [[path.basename(deadly), 'engine_error']]
  )
  assert.match(rows[5].error, /ends every replica/)
  // Twice in company, three times alone.
  assert.equal(fs.readFileSync(deaths, 'utf8').trim().split('\n').length, 5)
  assert.match(events.findLast(({ type }) => type === 'warning').message, /which fails: .*deadly/)
})

test('when none can be started the run stops with 75, and goes on when one can', linux, async () => {
  const noStart = path.join(folder, 'no-start')
  const preload = path.join(root, 'test/helpers/deadly.cjs')
  const env = { NODE_OPTIONS: `--require ${preload}`, VCAP_TEST_NO_START: noStart }
  let rows = 0
  let pids = []
  const onEvent = ({ type, replicas }) => {
    if (type === 'replicas') pids = replicas.map(({ pid }) => pid)
    if (type !== 'row' || ++rows !== 10) return
    fs.writeFileSync(noStart, '')
    for (const pid of pids) process.kill(pid, 'SIGKILL')
  }
  const { status, text } = await command(many, 'none', { env, onEvent })
  assert.equal(status, 75, text)
  assert.match(text, /No replica can be kept running, the last one ended by: exit status 9/)
  assert.equal((await command(many, 'none', { env, onEvent })).status, 75)
  fs.rmSync(noStart)
  const { status: second, events } = await command(many, 'none', { env })
  assert.equal(second, 0)
  assert.ok(events.some(({ type, rows }) => type === 'resumed' && rows >= 10))
  assert.equal(fs.readFileSync(output('none'), 'utf8'), expected)
})

test('what is wrong with the model is told once, and not tried again', async () => {
  const model = path.join(folder, 'no-model.gguf')
  fs.writeFileSync(model, 'GGUF, but not really')
  const { mmproj } = findModel('demo')
  for (const more of [
    ['--model', model, '--mmproj', mmproj],
    ['--max-tokens', '100000'],
    ['--bs', '1000', '--ctx', '1000000']
  ]) {
    const { status, text, events } = await command(csv, 'wrong', { dpSize: 3, more })
    assert.equal(status, 2, text)
    assert.equal(events.filter(({ type }) => type === 'stopped' || type === 'text').length, 1, text)
    assert.ok(!events.some(({ type }) => type === 'warning'))
  }
})

test('the library: one captioner for several runs; a row that is given up leaves the others', async () => {
  const states = []
  const captioner = await loadReplicas({ ...options, dpSize: 2 }, { onReplicas: (all) => states.push(all) })
  after(() => captioner.close())
  assert.equal(captioner.info.concurrency, 8)
  assert.match(captioner.info.summary, /^2 replicas, each /)
  const given = new AbortController()
  const rows = paths.map((file, i) =>
    captioner.captionRow({ path: file }, i === 3 ? given.signal : new AbortController().signal)
  )
  given.abort()
  await assert.rejects(rows[3], { code: 'aborted' })
  for (const [i, row] of rows.entries()) if (i !== 3) assert.equal((await row).status, 'ok')
  assert.equal(
    (await captioner.captionRow({ path: '/no/such/file' }, given.signal.constructor.timeout(60_000))).status,
    'missing'
  )
  await run(many, output('tuesday'), { captioner })
  assert.equal(fs.readFileSync(output('tuesday'), 'utf8'), expected)
  const { pid } = states.at(-1)[0]
  await captioner.close()
  if (process.platform === 'linux') assert.ok(!isThere(pid))
  await assert.rejects(captioner.captionRow({ path: paths[0] }, new AbortController().signal), { code: 'closed' })
})

test('a replica that gives no sign of life is ended, and its rows go to another', linux, async () => {
  let states = []
  const warnings = []
  const replicas = 2
  const load = { ...options, ...findModel('demo') }
  const loads = shareCpus(replicas, cpus(), { threads: 0, decoders: 0 }).map((share) => ({
    options: load,
    set: { devices: [], rpc: [], splitMode: 'layer' },
    share,
    replicas
  }))
  const on = { onReplicas: (all) => (states = all), onWarning: (message) => warnings.push(message) }
  const pool = await ReplicaPool.open(loads, on, undefined, 3000)
  after(() => pool.close())
  process.kill(states[0].pid, 'SIGSTOP')
  const captions = await Promise.all(paths.map((file) => pool.captionRow({ path: file }, new AbortController().signal)))
  assert.ok(captions.every(({ status }) => status === 'ok'))
  assert.match(warnings[0], /^Replica 0 was lost \(no sign of life for 3 seconds\)/)
  await pool.close()
})

test('the weights are in memory once for all replicas', linux, async () => {
  let states = []
  const captioner = await loadReplicas({ ...options, dpSize: 2 }, { onReplicas: (all) => (states = all) })
  after(() => captioner.close())
  await Promise.all(paths.map((file) => captioner.captionRow({ path: file }, new AbortController().signal)))
  const { model } = findModel('demo')
  const shares = states.map(({ pid }) => mapped(pid, model))
  for (const { rss, pss } of shares) {
    assert.ok(rss > 0, 'the file is mapped')
    assert.ok(pss <= rss * 0.6, `${pss} of ${rss} kB are its own part`)
  }
  await captioner.close()
})

/** Kilobytes of a file that a process has mapped and touched, and its proportional part of them. */
function mapped(pid, file) {
  let isOf = false
  const sums = { rss: 0, pss: 0 }
  for (const line of fs.readFileSync(`/proc/${pid}/smaps`, 'utf8').split('\n')) {
    if (/^[0-9a-f]+-[0-9a-f]+ /.test(line)) isOf = line.endsWith(file)
    const [, what, kilobytes] = /^(Rss|Pss):\s+(\d+) kB$/.exec(line) ?? []
    if (isOf && what) sums[what.toLowerCase()] += Number(kilobytes)
  }
  return sums
}
