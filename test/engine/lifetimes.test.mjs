/** What becomes of models when nobody holds them, their thread ends or the process does; objects that are none. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import test, { after } from 'node:test'
import { Worker } from 'node:worker_threads'
import { loadCaptioner } from '../../dist/index.js'
import { loadAddon } from '../../dist/native/load.js'
import { root } from '../helpers/cli.mjs'
import { demoSamples } from '../helpers/samples.mjs'

const { paths } = await demoSamples({ clips: 2, images: 1 })
const options = { model: 'demo', gpus: 'none', sequences: 4 }
const captioner = await loadCaptioner(options)
after(() => captioner.close())

test('models dropped with work in flight: garbage collection takes them, and the next ones work', () => {
  const script = `
    const { loadCaptioner } = require(${JSON.stringify(path.join(root, 'dist/index.js'))})
    const { loadAddon } = require(${JSON.stringify(path.join(root, 'dist/native/load.js'))})
    const files = (folder) => ['vcap-demo', 'vcap-demo-mmproj'].map((name) => folder + '/' + name + '.gguf')
    const [model, mmproj] = files(${JSON.stringify(path.join(root, 'models', 'demo'))})
    const native = { model, mmproj, devices: [], splitMode: 'layer', tensorSplit: [], sequences: 2,
      contextPerSequence: 512, threads: 1, kvType: 'f16', chatTemplate: '' }
    const image = { data: new Uint8Array(64 * 48 * 3).fill(90), width: 64, height: 48 }
    const request = { pictures: [image], detail: 'off', questions: [{ prompt: 'What is shown?', maxTokens: 100,
      temperature: 0, topP: 1, seed: 0, ignoreEos: true, firstLogits: false }] }
    const collected = { models: 0 }
    const registry = new FinalizationRegistry((kind) => { collected[kind]++ })
    const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
    let settled = 0
    const count = () => { settled++ }

    async function dropAddonModels() {
      const loaded = await Promise.all([1, 2].map(() => loadAddon().loadModel(native, () => {}).promise))
      for (const model of loaded) {
        registry.register(model, 'models')
        for (let i = 0; i < 5; i++) model.caption(request).promise.then(count, count)
        model.embed([image], 'full').promise.then(count, count)
        model.caption(request).cancel()
      }
    }
    async function dropIdleModel() {
      registry.register(await loadAddon().loadModel(native, () => {}).promise, 'models')
    }
    function dropLoad() {
      loadAddon().loadModel(native, () => {})
      loadAddon().loadModel(native, () => {}).cancel()
    }
    async function dropCaptioner() {
      const captioner = await loadCaptioner(${JSON.stringify({ ...options, sequences: 2, threads: 1 })})
      for (let i = 0; i < 8; i++) {
        captioner.captionImages([image], { maxTokens: 100, ignoreEos: true }).then(count, count)
      }
      captioner.caption(process.argv[1]).then(count, count)
    }
    process.on('unhandledRejection', ({ code }) => { if (code !== 'aborted') process.exit(9) })

    async function main() {
      for (let round = 0; round < 3; round++) {
        await dropAddonModels()
        await dropIdleModel()
        dropLoad()
        await dropCaptioner()
        for (let i = 0; i < 8; i++) { global.gc(); await pause(5) }
      }
      for (let i = 0; i < 600 && (settled < 3 * 21 || collected.models < 9); i++) { global.gc(); await pause(50) }
      const captioner = await loadCaptioner(${JSON.stringify(options)})
      const { status } = await captioner.caption(process.argv[1])
      await captioner.close()
      console.log(JSON.stringify({ status, settled, collected: collected.models }))
    }
    main()`
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, ['--expose-gc', '-e', script, paths[0]], {
    encoding: 'utf8',
    timeout: 120_000
  })
  assert.deepEqual({ status, signal, stderr }, { status: 0, signal: null, stderr: '' })
  // Each of the work is answered, and each of the addon's models is gone.
  assert.deepEqual(JSON.parse(stdout), { status: 'ok', settled: 3 * 21, collected: 9 })
})

test('in a worker thread, which may be ended in the middle of work', async () => {
  const script = `
    const { workerData, parentPort } = require('node:worker_threads')
    const { loadCaptioner } = require(workerData.library)
    loadCaptioner(workerData.options).then(async (captioner) => {
      const { tokens } = await captioner.caption(workerData.path)
      parentPort.postMessage(tokens)
      if (workerData.endless) while (true) await captioner.caption(workerData.path)
      await captioner.close()
    })`
  const start = (endless) =>
    new Worker(script, {
      eval: true,
      workerData: { library: path.join(root, 'dist/index.js'), options, path: paths[0], endless }
    })
  const message = (worker) => new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  const worker = start(false)
  const exit = new Promise((resolve) => worker.once('exit', resolve))
  assert.deepEqual(await message(worker), (await captioner.caption(paths[0])).tokens)
  assert.equal(await exit, 0)
  const ended = start(true)
  await message(ended)
  await ended.terminate()
})

test('the process may end at any moment: while loading, in the middle of work, by a throw', async () => {
  const script = `
    const { loadCaptioner } = require(${JSON.stringify(path.join(root, 'dist/index.js'))})
    const when = process.argv[1]
    const image = { data: new Uint8Array(64 * 48 * 3), width: 64, height: 48 }
    const loading = loadCaptioner({ model: 'demo', gpus: 'none', sequences: 2, threads: 1 })
    if (when === 'loading') process.exit(7)
    if (when === 'soon') setTimeout(() => process.exit(7), 15)
    loading.then((captioner) => {
      for (let i = 0; i < 8; i++) captioner.captionImages([image], { maxTokens: 200, ignoreEos: true }).catch(() => {})
      setTimeout(() => { if (when === 'throw') throw new Error('of the user'); process.exit(7) }, 50)
    })`
  for (const [when, code] of [
    ['loading', 7],
    ['loading', 7],
    ['loading', 7],
    ['soon', 7],
    ['soon', 7],
    ['work', 7],
    ['work', 7],
    ['throw', 1]
  ]) {
    const { status, signal } = spawnSync(process.execPath, ['-e', script, when], { stdio: 'ignore' })
    assert.deepEqual({ when, status, signal }, { when, status: code, signal: null })
  }
})

test('several worker threads at once, each with its model', async () => {
  const script = `
    const { workerData, parentPort } = require('node:worker_threads')
    const { loadCaptioner } = require(workerData.library)
    loadCaptioner(workerData.options).then(async (captioner) => {
      parentPort.postMessage((await captioner.caption(workerData.path)).tokens)
      if (workerData.closes) await captioner.close()
      else for (let i = 0; i < 4; i++) captioner.caption(workerData.path).catch(() => {})
      process.exit(0)
    })`
  const { tokens } = await captioner.caption(paths[1])
  const answers = await Promise.all(
    [true, false, false].map(async (closes) => {
      const workerData = { library: path.join(root, 'dist/index.js'), options, path: paths[1], closes }
      const worker = new Worker(script, { eval: true, workerData })
      const exit = new Promise((resolve) => worker.once('exit', resolve))
      const answer = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
      assert.equal(await exit, 0)
      return answer
    })
  )
  assert.deepEqual(answers, [tokens, tokens, tokens])
  assert.deepEqual((await captioner.caption(paths[1])).tokens, tokens, 'this thread is as it was')
})

test('objects that are no models are refused, and the process lives', async () => {
  const folder = path.join(root, 'models', 'demo')
  const load = {
    model: path.join(folder, 'vcap-demo.gguf'),
    mmproj: path.join(folder, 'vcap-demo-mmproj.gguf'),
    devices: [],
    splitMode: 'layer',
    tensorSplit: [],
    sequences: 1,
    contextPerSequence: 512,
    threads: 1,
    kvType: 'f16',
    chatTemplate: ''
  }
  const addon = loadAddon()
  const model = await addon.loadModel(load, () => {}).promise
  const NativeModel = model.constructor
  for (const given of [{}, undefined, null, 7, model, new ArrayBuffer(64), () => {}]) {
    assert.throws(() => new NativeModel(given), { name: 'TypeError', message: 'NativeModel is made by loadModel' })
  }
  assert.throws(() => new NativeModel(), TypeError)
  assert.throws(() => NativeModel({}), TypeError)
  class Own extends NativeModel {}
  assert.throws(() => new Own({}), TypeError)
  const prototype = Object.getPrototypeOf(model)
  for (const foreign of [{}, undefined, 7, prototype, Object.create(model), addon, new Proxy(model, {})]) {
    for (const method of ['caption', 'embed', 'time', 'close']) {
      assert.throws(() => prototype[method].call(foreign, {}, 'off'), TypeError, method)
    }
  }
  // What is asked of a real one with nonsense is refused as well.
  for (const args of [[], [null], [{}], [{ pictures: 7 }], [{ pictures: [{}], detail: 'off' }]]) {
    assert.throws(() => model.caption(...args))
    assert.throws(() => model.embed(...args))
  }
  await Promise.all([model.close(), model.close()])
  assert.throws(() => model.embed([{ data: new Uint8Array(3), width: 1, height: 1 }], 'off'), { code: 'closed' })
})
