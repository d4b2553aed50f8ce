/** Frames are sampled in a process of their own: what becomes of rows when it ends. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import { extractFrames, loadCaptioner } from '../../dist/index.js'
import { root } from '../helpers/cli.mjs'
import { ffmpeg, temporaryFolder } from '../helpers/media.mjs'
import { demoSamples } from '../helpers/samples.mjs'

const { paths } = await demoSamples()
const options = { model: 'demo', gpus: 'none', sequences: 2 }
const folder = temporaryFolder()

/** Takes a second and more to decode. */
const slow = path.join(folder, 'slow.mp4')
ffmpeg(
  '-f',
  'lavfi',
  '-i',
  'testsrc=s=1280x720:r=30:d=30',
  '-c:v',
  'libx264',
  '-preset',
  'veryfast',
  '-pix_fmt',
  'yuv420p',
  '-g',
  '9999',
  slow
)

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** The first of what `find` finds, as soon as there is one. */
async function first(find) {
  for (let i = 0; i < 200; i++) {
    const [found] = find()
    if (found !== undefined) return found
    await pause(50)
  }
  assert.fail('it does not come')
}

/** Process numbers of what `parent` started, the decoders or others whose command says `what`. */
function childrenOf(parent, what) {
  const lines = execFileSync('ps', ['-e', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' }).trim().split('\n')
  return lines
    .map((line) => line.trim().split(/\s+/))
    .filter(([, ppid, ...args]) => Number(ppid) === parent && args.join(' ').includes(what))
    .map(([pid]) => Number(pid))
}

const decodersOf = (parent) => childrenOf(parent, 'decoder-main')

function script(name, body) {
  const file = path.join(folder, name)
  fs.writeFileSync(file, `#!/bin/sh\n${body}\n`, { mode: 0o755 })
  return file
}

test('rows whose decoder is killed are decoded again', async () => {
  const captioner = await loadCaptioner(options)
  let killed = 0
  for await (const { path: file, status } of captioner.captionAll(paths)) {
    assert.equal(status, 'ok', file)
    if (killed === 0) for (const pid of decodersOf(process.pid)) killed += process.kill(pid, 'SIGKILL') ? 1 : 0
  }
  assert.ok(killed > 0)
  await captioner.close()
})

test('a file whose decoding ends the process costs its own row', async () => {
  const captioner = await loadCaptioner({
    ...options,
    ffmpeg: script('kills', 'case "$*" in *clip-001*) kill -9 $PPID;; *) exec ffmpeg "$@";; esac')
  })
  const statuses = {}
  for await (const { path: file, status, error } of captioner.captionAll(paths)) {
    statuses[path.basename(file)] = status
    if (error)
      assert.match(error.message, /ends the process that does it \(SIGKILL, twice, with [\d.]+ GiB of memory free\)/)
  }
  assert.deepEqual(
    statuses,
    Object.fromEntries(paths.map((file) => [path.basename(file), file.includes('clip-001') ? 'unreadable' : 'ok']))
  )
  await captioner.close()
})

test('an abort ends the decoding under way', async () => {
  const captioner = await loadCaptioner({ ...options, ffmpeg: script('hangs', 'exec sleep 60') })
  const abort = new AbortController()
  const started = Date.now()
  const caption = captioner.caption(paths[0], { signal: abort.signal })
  const decoder = await first(() => decodersOf(process.pid))
  const hanging = await first(() => childrenOf(decoder, 'sleep'))
  abort.abort()
  await assert.rejects(caption, { code: 'aborted' })
  await gone(hanging)
  await captioner.close()
  assert.ok(Date.now() - started < 30_000)
})

test("a process that dies while FFmpeg's libraries decode: the command does it again", async () => {
  await Promise.all([extractFrames(paths[0]), extractFrames(paths[1])])
  const decoded = extractFrames(slow)
  await pause(300)
  const pids = decodersOf(process.pid)
  assert.ok(pids.length > 1, 'one is at work, another idle')
  for (const pid of pids) process.kill(pid, 'SIGKILL')
  assert.deepEqual(
    (await decoded).map(({ index }) => index),
    [90, 450, 810]
  )
})

test("an abort, and the owner's end, end what FFmpeg's libraries decode", async () => {
  const abort = new AbortController()
  const decoded = extractFrames(slow, { signal: abort.signal })
  const pid = await first(() => decodersOf(process.pid))
  await pause(300)
  abort.abort()
  await assert.rejects(decoded, { code: 'aborted' })
  await gone(pid)
  for (const end of ['process.exit()', "process.kill(process.pid, 'SIGKILL')"]) {
    const owner = spawn(
      process.execPath,
      [
        '-e',
        `
      require(${JSON.stringify(root)}).extractFrames(${JSON.stringify(slow)})
      process.stdin.on('data', () => ${end})`
      ],
      { stdio: ['pipe', 'inherit', 'pipe'] }
    )
    const orphan = await first(() => decodersOf(owner.pid))
    await pause(300)
    owner.stdin.write('now')
    await gone(orphan)
    assert.equal((await owner.stderr.toArray()).join(''), '', 'nothing is said about it')
  }
})

test('the decoder goes when its captioner is closed, and when its owner is killed', async () => {
  const captioner = await loadCaptioner(options)
  await captioner.caption(paths[0])
  const own = decodersOf(process.pid)
  assert.equal(own.length, 1)
  await captioner.close()
  await gone(own[0])

  const owner = spawn(
    process.execPath,
    [
      '-e',
      `
    require(${JSON.stringify(root)}).loadCaptioner(${JSON.stringify(options)}).then(async (captioner) => {
      await captioner.caption(${JSON.stringify(paths[0])})
      console.log('captioned')
      setInterval(() => {}, 1000)
    })`
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] }
  )
  await once(owner.stdout, 'data')
  const [orphan] = decodersOf(owner.pid)
  assert.ok(orphan)
  owner.kill('SIGKILL')
  await gone(orphan)
})

test('a decoder that cannot be started is no fault of the file', () => {
  const source = `
    const { extractFrames } = require(${JSON.stringify(root)})
    require(${JSON.stringify(path.join(root, 'dist', 'frames', 'tools.js'))}).findVideoTools()
    const files = []
    try { for (;;) files.push(fs.openSync('/dev/null')) } catch {}
    const failure = ({ code, message }) => code + ': ' + message
    extractFrames(${JSON.stringify(paths[0])}).then(() => 'frames', failure).then((outcome) => {
      files.forEach((file) => fs.closeSync(file))
      console.log(outcome)
    })`
  const stdout = execFileSync('sh', ['-c', 'ulimit -n 128; exec "$0" -e "$1"', process.execPath, source], {
    encoding: 'utf8'
  })
  assert.match(stdout, /^decoder_lost: .* cannot be started \(.*, 5 times, with [\d.]+ GiB of memory free\)/)
})

test('a decoder that hangs is given up, and the next file gets another', async () => {
  await extractFrames(paths[0])
  const [pid] = decodersOf(process.pid)
  process.kill(pid, 'SIGSTOP')
  await assert.rejects(extractFrames(paths[0], { decodeTimeout: 0.1 }), {
    code: 'unreadable',
    message: 'Decoding it took too long'
  })
  await gone(pid)
  assert.equal((await extractFrames(paths[0])).length, 3)
})

test('every thread of a decoder leaves the cores to the engine', {
  skip: process.platform !== 'linux' && 'threads have no priority of their own'
}, async () => {
  await extractFrames(paths[0])
  const [pid] = decodersOf(process.pid)
  const threads = execFileSync('ps', ['-L', '-o', 'ni=', '-p', String(pid)], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map(Number)
  assert.deepEqual([...new Set(threads)], [19])
})

async function gone(pid) {
  for (let i = 0; i < 200; i++) {
    try {
      process.kill(pid, 0)
    } catch (error) {
      assert.equal(error.code, 'ESRCH')
      return
    }
    await pause(50)
  }
  assert.fail(`process ${pid} is still there`)
}
