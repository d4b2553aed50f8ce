/** `run` with a captioner that is none of ours: one in another process, and what is said of those that are wrong. */
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { loadCaptioner, run } from '../../dist/index.js'
import { readRows } from '../helpers/cli.mjs'
import { temporaryFolder } from '../helpers/media.mjs'
import { nullCaptioner } from '../helpers/null-captioner.mjs'

const base = temporaryFolder()
let count = 0
function table(rows) {
  const folder = path.join(base, String(count++))
  fs.mkdirSync(folder)
  const input = path.join(folder, 'in.csv')
  fs.writeFileSync(
    input,
    `path,text\n${Array.from({ length: rows }, (_, i) => (i === 4 ? ',none\n' : `${i}.mp4,text ${i}\n`)).join('')}`
  )
  return {
    folder,
    input,
    output: path.join(folder, 'out.csv'),
    names: () =>
      fs
        .readdirSync(folder)
        .sort()
        .filter((name) => name !== 'out.csv.vcap')
  }
}

/** What a stranger might write: a captioner whose work is done by a process, a plain message each way. */
function remoteCaptioner(child) {
  const waiting = new Map()
  child.on('message', ({ id, caption }) => waiting.get(id)(caption))
  const info = { name: 'afar', summary: 'a process', digest: 'v1', warnings: [], window: 8, concurrency: 4 }
  const captionRow = (row) =>
    new Promise((resolve) => {
      waiting.set(waiting.size, resolve)
      child.send({ id: waiting.size - 1, row })
    })
  return { info, captionRow, close: async () => child.disconnect() }
}

test('a captioner in another process writes the file', async () => {
  const { folder, input, output, names } = table(100)
  const main = path.join(base, 'captions.cjs')
  fs.writeFileSync(
    main,
    `process.on('message', ({ id, row: { path, text } }) => {
      const failed = { status: 'missing', text: '', numFrames: null, error: 'No such file', usage: null }
      const usage = { imageTokens: 5, promptTokens: 6, tokens: 7 }
      const made = { status: 'ok', text: text + ' at ' + path, numFrames: 9, error: null, usage }
      setTimeout(() => process.send({ id, caption: path ? made : failed }), (id * 7) % 5)
    })`
  )
  const child = fork(main, { stdio: 'inherit' })
  const captioner = remoteCaptioner(child)
  const events = []
  const summary = await run(input, output, { captioner, onEvent: (event) => events.push(event) })
  assert.deepEqual(
    [summary.rows, summary.failed, summary.statuses, summary.tokens],
    [100, 1, { ok: 99, missing: 1 }, 99 * 7]
  )
  const rows = readRows(output)
  for (const [i, row] of rows.entries()) {
    const text = `text ${i} at ${path.join(folder, `${i}.mp4`)}`
    const caption = { text, num_frames: '9', status: 'ok', error: '', flags: '' }
    const failed = { text: '', num_frames: '', status: 'missing', error: 'No such file', flags: '' }
    assert.deepEqual({ ...row }, i === 4 ? { path: '', ...failed } : { path: `${i}.mp4`, ...caption })
  }
  assert.equal(rows.length, 100)
  assert.equal(events.find(({ type }) => type === 'started').captioner.name, 'afar')
  assert.deepEqual(names(), ['in.csv', 'out.csv'])
  assert.ok(child.connected, 'it is left open')
  await captioner.close()
  assert.deepEqual(await once(child, 'exit'), [0, null])
})

/** `usage` in one sentence that names the part, before or while rows are captioned; nothing is left. */
async function assertRefused(captioner, message) {
  const { input, output, names } = table(20)
  await assert.rejects(run(input, output, { captioner }), (error) => {
    assert.equal(error.name, 'VcapError')
    assert.equal(error.code, 'usage', error.message)
    assert.match(error.message, message)
    assert.ok(!error.message.includes('\n'), error.message)
    return true
  })
  assert.deepEqual(names(), ['in.csv'])
}

const without = (object, name) => Object.fromEntries(Object.entries(object).filter(([key]) => key !== name))

test('parts that are missing or wrong are named', async () => {
  const whole = nullCaptioner()
  const head = 'Expected a captioner with info, captionRow and close, but '
  for (const part of ['info', 'captionRow', 'close']) {
    await assertRefused(without(whole, part), new RegExp(`^${head}${part} is wrong: `))
  }
  for (const part of ['name', 'summary', 'digest', 'warnings', 'window', 'concurrency']) {
    await assertRefused({ ...whole, info: without(whole.info, part) }, new RegExp(`^${head}info\\.${part} is wrong: `))
  }
  await assertRefused({ ...whole, captionRow: 'captions' }, /but captionRow is wrong: /)
  await assertRefused({ ...whole, info: { ...whole.info, window: 0 } }, /but info\.window is wrong: /)
  await assertRefused({ ...whole, info: { ...whole.info, concurrency: 1.5 } }, /but info\.concurrency is wrong: /)
  await assertRefused({ ...whole, info: { ...whole.info, warnings: [1] } }, /but info\.warnings\.0 is wrong: /)
  for (const none of [null, 7, 'demo', {}, () => whole]) {
    await assertRefused(none, /^Expected a captioner with info, captionRow and close, but /)
  }
})

test('a loaded model itself is no captioner of rows: the message says what is', async () => {
  const captioner = await loadCaptioner({ model: 'demo', gpus: 'none', sequences: 1 })
  try {
    await assertRefused(captioner, /For a loaded model pass captioner\.rows\(options\)$/)
  } finally {
    await captioner.close()
  }
})

test('a method of a class, and one that answers without a promise, will do', async () => {
  class Own {
    info = nullCaptioner().info
    #caption = { status: 'ok', text: 'mine', numFrames: 1, error: null, usage: null }
    captionRow() {
      return this.#caption
    }
    async close() {}
  }
  const { input, output } = table(3)
  await run(input, output, { captioner: new Own() })
  assert.ok(readRows(output).every(({ text }) => text === 'mine'))
})

test('a record that is none ends the run, and says which part is wrong', async () => {
  const good = await nullCaptioner().captionRow()
  for (const [answer, message] of [
    [{ ...good, status: 'fine' }, /status is wrong/],
    [{ ...good, status: 'aborted' }, /status is wrong/],
    [{ ...good, text: undefined }, /text is wrong/],
    [without(good, 'error'), /error is wrong/],
    [{ ...good, numFrames: '3' }, /numFrames is wrong/],
    [{ ...good, usage: { ...good.usage, tokens: -1 } }, /usage\.tokens is wrong/],
    ['a caption', /^The captioner did not answer with a RowCaption: ./],
    [undefined, /^The captioner did not answer with a RowCaption: ./]
  ]) {
    let asked = 0
    const captioner = { ...nullCaptioner(), captionRow: async () => (asked++ === 5 ? answer : good) }
    await assertRefused(captioner, message)
    await assertRefused(
      { ...captioner, captionRow: async () => answer },
      /^The captioner did not answer with a RowCaption: /
    )
  }
})

test('more in a record than we know is dropped: the output and the events are what they are', async () => {
  const good = await nullCaptioner().captionRow()
  const { input, output } = table(1)
  const events = []
  const captioner = { ...nullCaptioner(), captionRow: async () => ({ ...good, index: 77, mood: 'fine' }) }
  await run(input, output, { captioner, onEvent: (event) => events.push(event) })
  const row = events.find(({ type }) => type === 'row')
  assert.deepEqual([row.index, 'mood' in row], [0, false])
})

test('an error thrown by captionRow ends the run, and nothing is left', async () => {
  const good = await nullCaptioner().captionRow()
  for (const [thrown, expected] of [
    [new Error('the server is gone'), { name: 'VcapError', message: 'the server is gone', code: 'internal' }],
    [Object.assign(new Error('no such engine'), { code: 'engine_lost' }), { name: 'VcapError', code: 'engine_lost' }],
    ['just a text', { name: 'VcapError', message: 'just a text' }]
  ]) {
    for (const at of ['once', 'later']) {
      const { input, output, names } = table(200)
      let asked = 0
      const captionRow = (_, signal) => {
        if (asked++ !== 10) return new Promise((resolve) => setTimeout(() => resolve(good), signal.aborted ? 0 : 1))
        if (at === 'once') throw thrown
        return Promise.reject(thrown)
      }
      await assert.rejects(run(input, output, { captioner: { ...nullCaptioner(), captionRow } }), expected)
      assert.ok(asked < 150, `${asked} rows were asked for`)
      assert.deepEqual(names(), ['in.csv'])
    }
  }
})
