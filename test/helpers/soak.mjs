/**
 * Loads, captions and closes the demo model again and again, and prints the memory that is this process's own after
 * each cycle, as a JSON array of bytes. Run with --expose-gc: `soak.mjs CYCLES CAPTIONS FILE…`; CAPTIONS a cycle.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { loadCaptioner } from '../../dist/index.js'
import { root } from './cli.mjs'

// A sanitizer's library takes more addresses than a decoder may have.
delete process.env.LD_PRELOAD

const [cycles, captions] = process.argv.slice(2, 4).map(Number)
const files = process.argv.slice(4)
const options = { model: 'demo', gpus: 'none', sequences: 4, threads: 1, decoders: 1 }
const picture = { data: new Uint8Array(320 * 240 * 3).fill(90), width: 320, height: 240 }
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vcap-soak-'))
const broken = path.join(folder, 'broken.mp4')
fs.writeFileSync(broken, 'no video')
const demo = (name) => path.join(root, 'models', 'demo', name)
const cut = path.join(folder, 'cut.gguf')
fs.writeFileSync(cut, fs.readFileSync(demo('vcap-demo.gguf')).subarray(0, 500_000))

const codeOf = (work) =>
  work.then(
    () => 'done',
    ({ code }) => code
  )
function require(seen, expected) {
  if (!expected.includes(seen)) throw new Error(`${seen} instead of ${expected.join(' or ')}`)
}

/** A model that is captioned with, its rows refused and given up in the middle among them, then closed. */
async function cycle(number) {
  const captioner = await loadCaptioner(options)
  const controller = new AbortController()
  const given = Array.from({ length: captions }, (_, i) => captioner.caption(files[(number + i) % files.length]))
  const aborted = [200, 300].map((maxTokens) =>
    codeOf(captioner.captionImages([picture], { maxTokens, ignoreEos: true, signal: controller.signal }))
  )
  await pause(number % 60)
  controller.abort()
  for (const code of aborted) require(await code, ['aborted', 'done'])
  require(await codeOf(captioner.caption(broken)), ['unreadable'])
  require(await codeOf(captioner.caption(path.join(folder, 'gone.mp4'))), ['missing'])
  require(await codeOf(captioner.captionImages([{ ...picture, width: 7 }])), ['usage'])
  require(await codeOf(captioner.captionImages([picture], { maxTokens: 4000, framePool: 1 })), ['context_overflow'])
  for (const { status } of await Promise.all(given)) require(status, ['ok', 'truncated'])
  // Work that is under way when it is closed is finished first.
  const last = captioner.captionImages([picture])
  await captioner.close()
  require((await last).status, ['ok', 'truncated'])
  require(await codeOf(captioner.captionImages([picture])), ['closed'])
}

/** Loads that come to nothing. */
async function failLoads() {
  const mmproj = demo('vcap-demo-mmproj.gguf')
  for (const [model, other] of [
    [cut, mmproj],
    [mmproj, cut],
    [mmproj, mmproj]
  ]) {
    require(await codeOf(loadCaptioner({ ...options, model, mmproj: other })), ['model_invalid', 'model_mismatch'])
  }
  const signal = AbortSignal.timeout(5)
  await loadCaptioner({ ...options, signal }).then(
    (captioner) => captioner.close(),
    ({ code }) => require(code, ['aborted'])
  )
}

/** A thread that captions and ends without closing. */
async function worker() {
  const script = `
    const { workerData } = require('node:worker_threads')
    const { loadCaptioner } = require(workerData.library)
    loadCaptioner(workerData.options).then(async (captioner) => {
      await captioner.caption(workerData.file)
      captioner.caption(workerData.file).catch(() => {})
      process.exit(0)
    })`
  const workerData = { library: path.join(root, 'dist/index.js'), options, file: files[0] }
  const thread = new Worker(script, { eval: true, workerData })
  await new Promise((resolve, reject) => thread.once('exit', resolve).once('error', reject))
}

/** Bytes that no file backs and that are touched: what the allocator gave back or did not, mapped weights left out. */
async function ownMemory() {
  for (let i = 0; i < 3; i++) {
    global.gc()
    await pause(5)
  }
  return Number(/^Anonymous:\s*(\d+) kB$/m.exec(fs.readFileSync('/proc/self/smaps_rollup', 'utf8'))[1]) * 1024
}

try {
  const memory = []
  for (let i = 0; i < cycles; i++) {
    await cycle(i)
    if (i % 4 === 0) await failLoads()
    if (i % 8 === 0) await worker()
    memory.push(await ownMemory())
  }
  console.log(JSON.stringify(memory))
} finally {
  fs.rmSync(folder, { recursive: true })
}
