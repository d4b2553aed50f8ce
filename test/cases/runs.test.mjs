/** What happens to a whole run, through the command with the demo model; runs.mjs names the other cases' tests. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { findFfmpeg } from '../../dist/frames/tools.js'
import { run as runLibrary } from '../../dist/index.js'
import { cli, main, readRows, run } from '../helpers/cli.mjs'
import { ffmpeg, temporaryFolder } from '../helpers/media.mjs'
import { nullCaptioner } from '../helpers/null-captioner.mjs'
import { moving, x264 } from './make.mjs'

const base = temporaryFolder()
const clip = path.join(base, 'clip.mp4')
ffmpeg(...moving(10), ...x264, clip)
const script = (name, body) => {
  const file = path.join(base, name)
  fs.writeFileSync(file, `#!/bin/sh\n${body}\n`, { mode: 0o755 })
  return file
}
const linux = { skip: process.platform !== 'linux' && 'it needs /proc' }

let count = 0
/** A folder of its own with a table of as many rows; `names` are copies of the clip. */
function table(rows, names = []) {
  const folder = path.join(base, String(count++))
  fs.mkdirSync(folder)
  const input = path.join(folder, 'in.csv')
  for (const name of names) fs.copyFileSync(clip, path.join(folder, name))
  const paths = [...names, ...Array(rows - names.length).fill('../clip.mp4')]
  fs.writeFileSync(input, `path,id\n${paths.map((name, i) => `${name},${i}\n`).join('')}`)
  return { folder, input, output: path.join(folder, 'out.csv') }
}
const fast = ['--anyres', 'off', '--num-frames', '1']
const asked = ({ input, output }) => ['run', input, output, '--model', 'demo', '--gpus', 'none', ...fast]
const statuses = (output) => readRows(output).map(({ status }) => status)

/** Starts the command as a process group of its own and calls `act` with it once it has told of a row. */
async function inMidRun(args, act, env = {}) {
  const child = spawn(process.execPath, [...args, '--json'], { detached: true, env: { ...process.env, ...env } })
  let stderr = ''
  let acted
  child.stderr.on('data', (text) => {
    stderr += text
    if (!acted && stderr.includes('"type":"row"')) acted = Promise.resolve(act(child))
  })
  const [status, signal] = await once(child, 'close')
  assert.ok(acted, stderr)
  await acted
  return { status, signal, stderr }
}

function processesOf(parent, what) {
  const lines = execFileSync('ps', ['-e', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' }).trim().split('\n')
  const columns = lines.map((line) => line.trim().split(/\s+/))
  return columns
    .filter(([, ppid, ...args]) => Number(ppid) === parent && args.join(' ').includes(what))
    .map(([pid]) => Number(pid))
}

test('SIGKILL of the whole process group: the same command goes on to the output of an undisturbed run', async () => {
  const [killed, whole] = [table(40), table(40)]
  const { signal } = await inMidRun([main, ...asked(killed)], (child) => process.kill(-child.pid, 'SIGKILL'))
  assert.equal(signal, 'SIGKILL')
  assert.ok(!fs.existsSync(killed.output))
  const rest = await run(killed.input, killed.output, ...fast)
  assert.equal(rest.status, 0, rest.stderr)
  assert.match(rest.stderr, /Going on: \d+ rows? (is|are) done\n/)
  await run(whole.input, whole.output, ...fast)
  assert.equal(fs.readFileSync(killed.output, 'utf8'), fs.readFileSync(whole.output, 'utf8'))
})

test('decoders that are killed in mid-run cost no row', linux, async () => {
  const job = table(60)
  let killed = 0
  const { status, stderr } = await inMidRun([main, ...asked(job)], ({ pid }) => {
    for (const decoder of processesOf(pid, 'decoder-main')) killed += process.kill(decoder, 'SIGKILL') ? 1 : 0
  })
  assert.ok(killed > 0)
  assert.equal(status, 0, stderr.slice(-500))
  assert.deepEqual([...new Set(statuses(job.output))], ['ok'])
})

test('a decoder that hangs, and one that dies each time, cost their own rows', async () => {
  const job = table(5, ['hangs.mp4', 'dies.mp4'])
  const wrapper = script(
    'ffmpeg-wrapper',
    'case "$*" in *hangs.mp4*) exec sleep 100;; *dies.mp4*) kill -9 $PPID;; *) exec ffmpeg "$@";; esac'
  )
  const { status } = await run(job.input, job.output, ...fast, '--ffmpeg', wrapper, '--decode-timeout', '3')
  assert.equal(status, 3)
  const rows = readRows(job.output)
  assert.deepEqual(statuses(job.output), ['unreadable', 'unreadable', 'ok', 'ok', 'ok'])
  assert.equal(rows[0].error, 'Decoding it took too long')
  assert.match(rows[1].error, /^Its decoding ends the process that does it \(SIGKILL, twice, /)
})

test('a journal whose end was torn off: its row is captioned again, and that is told', async () => {
  const job = table(4)
  await run(job.input, job.output, ...fast)
  const before = fs.readFileSync(job.output, 'utf8')
  const log = path.join(`${job.output}.vcap`, 'rows.log')
  fs.truncateSync(log, fs.statSync(log).size - 20)
  fs.rmSync(job.output)
  const { status, stderr } = await run(job.input, job.output, ...fast)
  assert.equal(status, 0, stderr)
  assert.match(stderr, /Warning: The journal ends within a record, as after a crash: that row is captioned again\n/)
  assert.equal(fs.readFileSync(job.output, 'utf8'), before)
})

test('what is in the place of a journal, or is no journal of ours, is named', async () => {
  const captioner = nullCaptioner()
  const job = table(2)
  await runLibrary(job.input, job.output, { captioner })
  const journal = `${job.output}.vcap`
  fs.writeFileSync(path.join(journal, 'run.json'), 'garbage')
  const damaged = {
    exitCode: 2,
    message: `${journal}/run.json is damaged or of another version. --restart begins anew`
  }
  await assert.rejects(runLibrary(job.input, job.output, { captioner }), damaged)
  await runLibrary(job.input, job.output, { captioner, restart: true })
  fs.rmSync(journal, { recursive: true })
  fs.writeFileSync(journal, 'a file')
  const taken = {
    exitCode: 2,
    message: new RegExp(`^Output ${job.output} cannot be written: its journal .*${journal}`)
  }
  await assert.rejects(runLibrary(job.input, job.output, { captioner }), taken)
})

test('the same command started twice at once: the second is refused with the process of the first', async () => {
  const job = table(60)
  const { status, stderr } = await inMidRun([main, ...asked(job)], async ({ pid }) => {
    process.kill(pid, 'SIGSTOP') // or it might be finished first
    const second = await cli(asked(job))
    process.kill(pid, 'SIGCONT')
    assert.equal(second.status, 2, second.stderr)
    assert.match(second.stderr, new RegExp(`Another run writes this output: process ${pid} on `))
  })
  assert.equal(status, 0, stderr.slice(-500))
  assert.equal(readRows(job.output).length, 60)
})

test('the clock set back and forward: no row fails for it, and the output is whole', async () => {
  // In every process the clock is set to another time again and again, by up to a day.
  const clock = path.join(base, 'clock.mjs')
  fs.writeFileSync(
    clock,
    `const now = Date.now
     let asked = 0
     Date.now = () => now() + ((asked++ % 3) - 1) * 86_400_000`
  )
  const job = table(8)
  for (const flags of [[], ['--ffmpeg', findFfmpeg(undefined).path]]) {
    const env = { NODE_OPTIONS: `--import ${clock}` }
    const { status, stderr } = await run(job.input, job.output, ...fast, ...flags, '--restart', { env })
    assert.equal(status, 0, stderr)
    assert.doesNotMatch(stderr, /-\d+(\.\d+)? ?(s|min|h|\/s)\b/, 'no negative times or rates')
    assert.deepEqual([...new Set(statuses(job.output))], ['ok'])
  }
})

test('an output in a folder that cannot be written is refused before the first row', linux, async () => {
  const { input } = table(1)
  const captioner = { ...nullCaptioner(), captionRow: () => assert.fail('asked') }
  for (const folder of ['/proc', '/sys']) {
    await assert.rejects(runLibrary(input, path.join(folder, 'out.csv'), { captioner }), {
      code: 'output_unwritable',
      exitCode: 2,
      message: new RegExp(`^Output ${folder}/out.csv cannot be written: `)
    })
  }
})

test('nothing on standard input: an empty table', async () => {
  const { output } = table(1)
  const child = spawn(process.execPath, [main, ...asked({ input: '-', output })], { stdio: ['ignore', 'pipe', 'pipe'] })
  const [[status], stderr] = await Promise.all([once(child, 'close'), child.stderr.toArray()])
  assert.equal(status, 2)
  assert.match(stderr.join(''), /is empty: expected a CSV with a header and a column named path\n$/)
})

test('no folder for temporary files: none is needed', linux, async () => {
  const job = table(2)
  const { status, stderr } = await run(job.input, job.output, ...fast, { env: { TMPDIR: path.join(base, 'none') } })
  assert.equal(status, 0, stderr)
})

test('captions that are empty have the status empty', async () => {
  const job = table(2)
  const empty = { status: 'empty', text: '', numFrames: 10, error: null, usage: null }
  const captioner = { ...nullCaptioner(), captionRow: async () => empty }
  const { failed } = await runLibrary(job.input, job.output, { captioner })
  assert.equal(failed, 2)
  assert.deepEqual(statuses(job.output), ['empty', 'empty'])
})
