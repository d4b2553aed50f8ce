/** What is done of a run, kept through whatever ends it. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { run } from '../../dist/index.js'
import { JournalFile } from '../../dist/run/journal-file.js'
import { KeyTable } from '../../dist/run/key-table.js'
import { readStatus } from '../../dist/run/status.js'
import { bitsOf, formatKey, hashRow, parseKey } from '../../dist/run/row-key.js'
import { cli, readRows, root } from '../helpers/cli.mjs'
import { temporaryFolder } from '../helpers/media.mjs'

const base = temporaryFolder()
let count = 0
const fresh = () => {
  const folder = path.join(base, String(count++))
  fs.mkdirSync(folder)
  return folder
}

/** A captioner whose caption names its clip; `answer` may say otherwise of a name. `asked` lists the names. */
function namingCaptioner(answer = () => undefined, settings = { model: 'naming' }) {
  const asked = []
  return {
    asked,
    info: {
      name: 'naming',
      summary: 'captions by name',
      digest: 'naming',
      settings,
      warnings: [],
      window: 4,
      concurrency: 4
    },
    captionRow: async ({ path: file, text }, signal) => {
      const name = path.basename(file)
      asked.push(name)
      const other = await answer(name, signal)
      const said = { status: 'ok', text: [name, text].join(' ').trim(), numFrames: 1, error: null, usage: null }
      return { ...said, ...other }
    },
    close: async () => undefined
  }
}
const failure = (status = 'unreadable') => ({ status, text: '', numFrames: null, error: 'it is broken' })

function write(folder, rows, columns = 'path') {
  const input = path.join(folder, 'in.csv')
  fs.writeFileSync(input, `${columns}\n${rows.map((row) => `${row}\n`).join('')}`)
  return { input, output: path.join(folder, 'out.csv') }
}
const names = (n, from = 0) => Array.from({ length: n }, (_, i) => `${from + i}.mp4`)
/** Runs until `stopAt` rows were asked for, and then is stopped by its own captioner. */
async function stopped(input, output, stopAt, options = {}) {
  const captioner = namingCaptioner()
  const { captionRow } = captioner
  captioner.captionRow = async (row, signal) => {
    if (captioner.asked.length >= stopAt) throw new Error('the night is over')
    return captionRow(row, signal)
  }
  await assert.rejects(run(input, output, { captioner, ...options }), { message: 'the night is over' })
  return captioner.asked
}

const randomHash = () => randomBytes(16).toString('base64url')

test('a key table answers as a Map does, through its growing', () => {
  const table = new KeyTable(10)
  const map = new Map()
  const hashes = Array.from({ length: 5000 }, randomHash)
  for (let i = 0; i < 40_000; i++) {
    const key = {
      hash: hashes[Math.floor(Math.random() ** 2 * hashes.length)],
      occurrence: Math.floor(Math.random() * 3)
    }
    const name = formatKey(key)
    if (Math.random() < 0.5) {
      const offset = Math.random() < 0.1 ? undefined : Math.floor(Math.random() * 2 ** 40)
      table.setOffset(key, offset)
      map.set(name, offset)
    }
    assert.equal(table.offset(key), map.get(name))
  }
})

test('a key table counts rows of one hash, few and many, and begins anew', () => {
  const table = new KeyTable(10)
  const [a, b] = [randomHash(), randomHash()]
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 1000; i++) assert.equal(table.count(a), i)
    assert.equal(table.count(b), 0)
    for (let i = 0; i < 5000; i++) table.count(randomHash()) // it grows
    assert.equal(table.count(a), 1000)
    assert.equal(table.count(b), 1)
    table.resetCounts()
  }
})

test('counts and offsets of a key do not touch each other, and too many rows alike are told', () => {
  const table = new KeyTable(1)
  const hash = randomHash()
  const key = { hash, occurrence: 0 }
  table.setOffset(key, 2 ** 39 + 5)
  for (let i = 0; i < 2 ** 24 - 1; i++) table.count(hash)
  assert.throws(() => table.count(hash), { code: 'csv_invalid', message: /16777215 rows are alike/ })
  assert.equal(table.offset(key), 2 ** 39 + 5)
  assert.equal(table.setOffset(key, 7), 2 ** 39 + 5)
  table.resetCounts()
  assert.deepEqual([table.count(hash), table.offset(key)], [0, 7])
})

test('keys: path and text tell rows apart, and what is written is read', () => {
  const hash = hashRow({ path: '/a', text: 'b' }, true)
  const bytes = createHash('sha256').update('/a\0b').digest().subarray(0, 16)
  assert.equal(hash, bytes.toString('base64url'), 'as journals have it since the first')
  for (const other of [{ path: '/a' }, { path: '/a', text: '' }, { path: '/ab' }, { path: '/a', text: 'c' }])
    assert.notEqual(hash, hashRow(other, true), JSON.stringify(other))
  assert.equal(hashRow({ path: '/a', text: 'b' }, false), hashRow({ path: '/a', text: 'c' }, false))
  for (const occurrence of [0, 1, 700])
    assert.deepEqual(parseKey(formatKey({ hash, occurrence })), { hash, occurrence })
  for (const text of ['', 'x', `${formatKey({ hash, occurrence: 0 })}+0`, `${formatKey({ hash, occurrence: 0 })}x`])
    assert.equal(parseKey(text), undefined, text)
})

test('the bits of a hash are its bytes, from a digit on', () => {
  for (let i = 0; i < 100; i++) {
    const bytes = randomBytes(16)
    assert.equal(bitsOf(bytes.toString('base64url'), 0), bytes.readUInt32BE(0))
    assert.equal(bitsOf(bytes.toString('base64url'), 8), bytes.readUInt32BE(6))
  }
})

test('a Node without crypto.hash gives the same keys', () => {
  const script = `require('node:crypto').hash = undefined
    const { hashRow } = require(${JSON.stringify(path.join(root, 'dist/run/row-key.js'))})
    console.log(hashRow({ path: '/é' }, true))`
  const made = execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' })
  assert.equal(made.trim(), hashRow({ path: '/é' }, true))
})

/** The records of a journal's file with the bytes given. */
async function recordsOf(bytes) {
  const file = path.join(base, `log-${count++}`)
  fs.writeFileSync(file, bytes)
  const records = []
  const { file: opened, scan } = await JournalFile.open(file, (record) => records.push(record.toString()))
  await opened.close()
  return { records, scan, left: fs.readFileSync(file) }
}

test('a journal that was cut anywhere keeps each record that is whole, and drops the torn end', async () => {
  const file = path.join(base, 'whole.log')
  const { file: journal } = await JournalFile.open(file, () => undefined)
  const written = ['one', 'zwei – π', '{"three":3}', 'x'.repeat(300)]
  const offsets = written.map((record) => journal.append(record).offset)
  await journal.flush()
  for (const [i, record] of written.entries()) assert.equal(await journal.read(offsets[i]), record)
  await journal.close()
  const bytes = fs.readFileSync(file)
  for (let length = 0; length <= bytes.length; length++) {
    const { records, scan, left } = await recordsOf(bytes.subarray(0, length))
    const whole = written.filter((_, i) => (offsets[i + 1] ?? bytes.length) <= length)
    assert.deepEqual(records, whole, `${length} bytes`)
    assert.deepEqual([scan.records, scan.damaged], [whole.length, 0])
    assert.equal(left.length, length - scan.torn)
  }
})

test('a journal with any byte flipped keeps the other records, and tells', async () => {
  const file = path.join(base, 'flipped.log')
  const { file: journal } = await JournalFile.open(file, () => undefined)
  const written = ['first', 'second', 'third']
  for (const record of written) journal.append(record)
  await journal.close()
  const bytes = fs.readFileSync(file)
  for (let at = 0; at < bytes.length; at++) {
    for (const flip of [0x01, 0x20, 0x80]) {
      const damaged = Buffer.from(bytes)
      damaged[at] ^= flip
      const { records, scan } = await recordsOf(damaged)
      for (const record of records) assert.ok(written.includes(record), `byte ${at}: ${record}`)
      assert.ok(records.length >= 1, `byte ${at}`)
      assert.ok(scan.damaged + scan.torn > 0, `byte ${at}`)
    }
  }
})

test('a journal behind a slow disk holds no more than what waits for it', async () => {
  const { file: journal } = await JournalFile.open(path.join(base, 'slow.log'), () => undefined)
  const appended = Array.from({ length: 3000 }, (_, i) => journal.append(`record ${i}`))
  // Whoever asks while groups are written waits for the one that writes, and begins nothing of its own.
  assert.equal(journal.flush(), journal.flush())
  const last = journal.append('the last')
  const flushed = journal.flush()
  await last.written
  assert.equal(await journal.read(appended[0].offset), 'record 0')
  assert.equal(await journal.read(last.offset), 'the last')
  await flushed
  await journal.close()
  assert.ok(new Set(appended.map(({ written }) => written)).size <= 2, 'what waits is one group')
  const { records } = await recordsOf(fs.readFileSync(path.join(base, 'slow.log')))
  assert.deepEqual(records, [...appended.map((_, i) => `record ${i}`), 'the last'])
})

test('a run that was stopped goes on: no row twice, and the output of an undisturbed run', async () => {
  const folder = fresh()
  const { input, output } = write(folder, names(60))
  const first = await stopped(input, output, 25)
  assert.ok(!fs.existsSync(output))
  const second = namingCaptioner()
  const events = []
  const summary = await run(input, output, { captioner: second, onEvent: (event) => events.push(event) })
  assert.equal(first.length + second.asked.length, 60)
  assert.deepEqual([...first, ...second.asked].sort(), names(60).sort())
  assert.deepEqual([summary.rows, summary.captioned, summary.already], [60, second.asked.length, false])
  assert.equal(events.find(({ type }) => type === 'resumed').rows, first.length)
  const undisturbed = fresh()
  const whole = write(undisturbed, names(60))
  await run(whole.input, whole.output, { captioner: namingCaptioner() })
  assert.equal(fs.readFileSync(output, 'utf8'), fs.readFileSync(whole.output, 'utf8'))
})

test('a finished run says so, captions nothing, and makes its output anew where that is gone', async () => {
  const { input, output } = write(fresh(), names(8))
  const done = await run(input, output, {
    captioner: namingCaptioner((name) => (name === '3.mp4' ? failure() : undefined))
  })
  const before = fs.readFileSync(output, 'utf8')
  const again = namingCaptioner()
  const summary = await run(input, output, { captioner: again })
  assert.deepEqual([summary.already, summary.failed, summary.statuses], [true, 1, done.statuses])
  fs.rmSync(output)
  assert.equal((await run(input, output, { captioner: again })).already, false)
  assert.equal(fs.readFileSync(output, 'utf8'), before)
  assert.deepEqual(again.asked, [])
})

test('a table with rows added, removed, sorted anew and doubled: only what is new is captioned', async () => {
  const folder = fresh()
  const { input, output } = write(folder, names(20))
  await run(input, output, { captioner: namingCaptioner() })
  const edited = [...names(15, 3).reverse(), ...names(5, 100), '7.mp4', '7.mp4']
  write(folder, edited)
  const captioner = namingCaptioner()
  await run(input, output, { captioner })
  assert.deepEqual(captioner.asked.sort(), [...names(5, 100), '7.mp4', '7.mp4'].sort())
  const rows = readRows(output)
  assert.deepEqual(
    rows.map(({ path: name }) => name),
    edited
  )
  for (const row of rows) assert.equal(row.text, row.path, 'each caption is of its own row')
})

test('the text is part of a row only where the prompt uses it', async () => {
  for (const usesText of [true, false]) {
    const folder = fresh()
    const captioner = namingCaptioner()
    captioner.info.usesText = usesText
    const { input, output } = write(folder, ['a.mp4,one', 'b.mp4,two'], 'path,text')
    await run(input, output, { captioner })
    write(folder, ['a.mp4,one', 'b.mp4,changed'], 'path,text')
    captioner.asked.length = 0
    await run(input, output, { captioner })
    assert.deepEqual(captioner.asked, usesText ? ['b.mp4'] : [])
  }
})

test('other options are refused with both values; restart begins anew, and keeps the earlier', async () => {
  const { input, output } = write(fresh(), names(10))
  await run(input, output, { captioner: namingCaptioner(undefined, { prompt: 'short', seed: 1 }) })
  const other = namingCaptioner(undefined, { prompt: 'tags', seed: 1 })
  await assert.rejects(run(input, output, { captioner: other }), {
    code: 'run_differs',
    exitCode: 2,
    message: /prompt was "short" and is "tags"\. .*--restart/
  })
  assert.deepEqual(other.asked, [])
  other.captionRow = () => Promise.reject(new Error('not today'))
  await assert.rejects(run(input, output, { captioner: other, restart: true }), { message: 'not today' })
  assert.match(fs.readFileSync(path.join(`${output}.vcap`, 'before', 'run.json'), 'utf8'), /"short"/)
  const third = namingCaptioner(undefined, { prompt: 'tags', seed: 1 })
  await run(input, output, { captioner: third })
  assert.equal(third.asked.length, 10)
  assert.deepEqual(fs.readdirSync(`${output}.vcap`).sort(), ['rows.log', 'run.json'])
})

test('failed rows are tried again when asked for, by status, and keep what they had if they fail again', async () => {
  const { input, output } = write(fresh(), names(6))
  const broken = { '1.mp4': failure(), '2.mp4': failure('missing'), '4.mp4': failure() }
  await run(input, output, { captioner: namingCaptioner((name) => broken[name]) })
  const mended = namingCaptioner((name) => (name === '4.mp4' ? { ...failure(), error: 'another reason' } : undefined))
  const { statuses } = await run(input, output, { captioner: mended, retryFailed: ['unreadable'] })
  assert.deepEqual(mended.asked.sort(), ['1.mp4', '4.mp4'])
  assert.deepEqual(statuses, { ok: 4, missing: 1, unreadable: 1 })
  assert.deepEqual(
    readRows(output).map(({ error }) => error),
    ['', '', 'it is broken', '', 'it is broken', '']
  )
  mended.asked.length = 0
  await run(input, output, { captioner: mended, retryFailed: ['all'] })
  assert.deepEqual(mended.asked.sort(), ['2.mp4', '4.mp4'])
})

test('too many failures end the run; what was done is kept', async () => {
  for (const [maxFailures, most] of [
    [0, 0],
    [3, 3],
    ['10%', 4]
  ]) {
    const { input, output } = write(fresh(), names(40))
    const captioner = namingCaptioner((name) => (Number.parseInt(name, 10) % 2 ? failure() : undefined))
    await assert.rejects(run(input, output, { captioner, maxFailures }), {
      code: 'too_many_failures',
      exitCode: 75,
      message: new RegExp(`^${most + 1} rows? failed, the last with unreadable: it is broken`)
    })
    const done = captioner.asked.length
    const { rows } = await run(input, output, { captioner })
    assert.equal(rows, 40)
    assert.ok(captioner.asked.length <= 40 + 8, `${done} before, ${captioner.asked.length} in all`)
  }
})

test('rows that a lost engine failed are captioned by the next run', async () => {
  const { input, output } = write(fresh(), names(30))
  const lost = namingCaptioner((name) => (Number.parseInt(name, 10) >= 10 ? failure('engine_error') : undefined))
  await assert.rejects(run(input, output, { captioner: lost }), { code: 'engine_lost' })
  const { statuses } = await run(input, output, { captioner: namingCaptioner() })
  assert.deepEqual(statuses, { ok: 30 })
})

test('an abort lets the captions under way finish within the grace, begins no other, and keeps them', async () => {
  const { input, output } = write(fresh(), names(100))
  const controller = new AbortController()
  const captioner = namingCaptioner(async (name) => {
    if (name === '20.mp4') controller.abort()
    await new Promise((resolve) => setTimeout(resolve, 20))
  })
  await assert.rejects(run(input, output, { captioner, signal: controller.signal, grace: 5 }), { code: 'aborted' })
  const begun = captioner.asked.length
  assert.ok(begun <= 20 + 1 + captioner.info.window, `${begun} begun`)
  await run(input, output, { captioner })
  assert.equal(captioner.asked.length, 100)
})

test("one writer: a second run is refused with its holder's process, and goes on when that was killed", async () => {
  const { input, output } = write(fresh(), names(5))
  const script = `
    import { run } from ${JSON.stringify(path.join(root, 'dist', 'index.js'))}
    const settings = { model: 'naming' }
    const info = { name: 'n', summary: '', digest: '', settings, warnings: [], window: 1, concurrency: 1 }
    const captionRow = () => {
      process.send('captioning')
      return new Promise(() => setInterval(() => undefined, 1000))
    }
    const captioner = { info, captionRow, close: async () => undefined }
    await run(${JSON.stringify(input)}, ${JSON.stringify(output)}, { captioner })`
  const holder = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc']
  })
  await new Promise((resolve) => holder.once('message', resolve))
  await assert.rejects(run(input, output, { captioner: namingCaptioner() }), {
    code: 'run_locked',
    exitCode: 2,
    message: new RegExp(`process ${holder.pid} on `)
  })
  holder.kill('SIGKILL')
  await new Promise((resolve) => holder.once('exit', resolve))
  const { rows } = await run(input, output, { captioner: namingCaptioner() })
  assert.equal(rows, 5)
})

test('a journal that cannot be read any more is told and captioned again, never guessed', async () => {
  const { input, output } = write(fresh(), names(12))
  await run(input, output, { captioner: namingCaptioner() })
  const log = path.join(`${output}.vcap`, 'rows.log')
  const bytes = fs.readFileSync(log)
  bytes[200] ^= 1
  fs.writeFileSync(log, bytes)
  const captioner = namingCaptioner()
  const warnings = []
  await run(input, output, { captioner, onEvent: (event) => event.type === 'warning' && warnings.push(event.message) })
  assert.equal(captioner.asked.length, 1)
  assert.match(warnings.join(), /1 record of the journal is damaged: captioned again/)
})

const pause = () => new Promise((resolve) => setTimeout(resolve, 20))

test('status: a run that nothing disturbed began before it was finished', async () => {
  const { input, output } = write(fresh(), names(3))
  await run(input, output, { captioner: namingCaptioner(pause) })
  const { started, finished } = await readStatus(output)
  assert.ok(started < finished, `${started} ${finished}`)
})

test('status: a run that was stopped, one that goes on, one that is finished', async () => {
  const { input, output } = write(fresh(), names(30))
  await assert.rejects(readStatus(output), { code: 'usage', message: /^No run of .* is known/ })
  await stopped(input, output, 12)
  const first = await readStatus(output)
  assert.deepEqual([first.state, first.rows, first.holder], ['stopped', 30, null])
  assert.equal(first.done, first.statuses.ok)
  const began = first.started
  let during
  const captioner = namingCaptioner(async (name) => {
    if (name === '29.mp4') during = await readStatus(output)
    return name === '20.mp4' ? failure() : undefined
  })
  await run(input, output, { captioner })
  assert.deepEqual([during.state, during.holder.pid], ['running', process.pid])
  const last = await readStatus(output)
  assert.equal(last.started, began)
  assert.ok(last.finished > began)
  assert.deepEqual([last.state, last.done, last.failed, last.statuses], ['finished', 30, 1, { ok: 29, unreadable: 1 }])
  assert.deepEqual(
    last.lastFailures.map(({ path: name, error }) => [name, error]),
    [['20.mp4', 'it is broken']]
  )
  assert.equal(last.lastCaptions.length, 5)
  await run(input, output, { captioner: namingCaptioner(), retryFailed: ['all'] })
  assert.deepEqual((await readStatus(output)).statuses, { ok: 30 })
  const { status, stdout } = await cli(['status', output])
  assert.equal(status, 0)
  assert.match(
    stdout,
    /out\.csv: finished .*, 30 of 30 rows \(30 ok\)\n.*last captions:\n( {2}\d+\.mp4: \d+\.mp4\n){5}/s
  )
  assert.equal(JSON.parse((await cli(['status', output, '--json'])).stdout).done, 30)
})
