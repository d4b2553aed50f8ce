/** Journals with anything wrong in them: what is whole is kept, what is not is told, and nothing is guessed. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { readStatus, run } from '../../dist/index.js'
import { temporaryFolder } from '../helpers/media.mjs'
import { randomOf } from '../helpers/random.mjs'

const base = temporaryFolder()
const rows = ['a.mp4', 'b.mp4', 'c.mp4', 'b.mp4', 'd.mp4', 'é.mp4']
const input = path.join(base, 'in.csv')
fs.writeFileSync(input, `path\n${rows.join('\n')}\n`)

function naming(settings = { model: 'naming' }) {
  const asked = []
  const info = { name: 'naming', summary: '', digest: '', settings, warnings: [], window: 4, concurrency: 4 }
  const captionRow = async ({ path: file }) => {
    asked.push(path.basename(file))
    return { status: 'ok', text: `It is ${path.basename(file)}`, numFrames: 1, error: null, usage: null }
  }
  return { asked, info, captionRow, close: async () => undefined }
}

const whole = path.join(base, 'whole.csv')
await run(input, whole, { captioner: naming() })
const log = fs.readFileSync(path.join(`${whole}.vcap`, 'rows.log'))
const runFile = JSON.parse(fs.readFileSync(path.join(`${whole}.vcap`, 'run.json'), 'utf8'))
delete runFile.finished
const expected = fs.readFileSync(whole, 'utf8')
const lines = log.toString('latin1').split('\n').slice(0, -1)
let count = 0

/** A run that goes on from a journal with these bytes. */
async function goOn(bytes, file = JSON.stringify(runFile)) {
  const output = path.join(base, `${count++}.csv`)
  fs.mkdirSync(`${output}.vcap`)
  fs.writeFileSync(path.join(`${output}.vcap`, 'rows.log'), bytes)
  if (file !== undefined) fs.writeFileSync(path.join(`${output}.vcap`, 'run.json'), file)
  const captioner = naming()
  const warnings = []
  try {
    await run(input, output, {
      captioner,
      onEvent: ({ type, message }) => type === 'warning' && warnings.push(message)
    })
    return { asked: captioner.asked.length, warnings: warnings.join(), made: fs.readFileSync(output, 'utf8') }
  } finally {
    fs.rmSync(`${output}.vcap`, { recursive: true })
  }
}

test('any byte changed: at most two rows are captioned again, it is told, and the output is whole', async () => {
  const random = randomOf(3)
  for (let at = 0; at < log.length; at += 1 + random.below(4)) {
    const bytes = Buffer.from(log)
    bytes[at] ^= 1 << random.below(8)
    const { asked, warnings, made } = await goOn(bytes)
    assert.ok(asked >= 1 && asked <= 2, `byte ${at}: ${asked} rows`)
    assert.match(warnings, /damaged|ends within a record/, `byte ${at}`)
    assert.equal(made, expected, `byte ${at}`)
  }
})

test('cut at any length: each whole record is kept', async () => {
  for (let length = 0; length < log.length; length += 7) {
    const { asked, made } = await goOn(log.subarray(0, length))
    assert.equal(
      asked,
      rows.length - log.subarray(0, length).toString('latin1').split('\n').length + 1,
      `${length} bytes`
    )
    assert.equal(made, expected)
  }
})

test('lines in another order, doubled, of other rows, and between them what is no record', async () => {
  const random = randomOf(5)
  const others = ['', ' ', 'x'.repeat(5000), '00000000 ', '\0\0\0\0\0\0\0\0\0', '{"status":"ok"}']
  for (let round = 0; round < 60; round++) {
    const doubled = lines.filter(() => random.chance(0.3))
    const noise = others.filter(() => random.chance(0.3))
    const bytes = random.shuffle([...lines, ...doubled, ...noise]).map((line) => `${line}\n`)
    const { asked, warnings, made } = await goOn(Buffer.from(bytes.join(''), 'latin1'))
    assert.equal(asked, 0)
    assert.equal(made, expected)
    assert.equal(/damaged/.test(warnings), noise.length > 0)
  }
  const { asked, made } = await goOn(Buffer.concat([log, log]))
  assert.deepEqual([asked, made], [0, expected])
})

test('records with a checksum that is right and nothing of ours in them are damaged', async () => {
  const { default: crc32 } = await import('crc-32')
  const key = lines[0].split(' ')[1]
  for (const body of ['', 'null', '{}', '{"status":"splendid"}', '{"status":"ok"', 'x', '--', '[]']) {
    const record = `${key} ${body}`
    const sum = (crc32.str(record) >>> 0).toString(16).padStart(8, '0')
    const bytes = [...lines.slice(1), `${sum} ${record}`].map((line) => `${line}\n`).join('')
    const { asked, warnings, made } = await goOn(Buffer.from(bytes, 'latin1'))
    assert.deepEqual([asked, made], [1, expected], body)
    assert.match(warnings, /1 record of the journal is damaged/)
  }
})

test('an end that another version wrote is none: the output is made anew, and nobody is asked', async () => {
  const output = path.join(base, 'older.csv')
  await run(input, output, { captioner: naming() })
  const file = path.join(`${output}.vcap`, 'run.json')
  const { finished, ...rest } = JSON.parse(fs.readFileSync(file, 'utf8'))
  const { flags, ...summary } = finished.summary
  for (const end of [{ ...finished, edits: undefined }, { ...finished, summary }, {}, null, 'yes']) {
    fs.writeFileSync(file, JSON.stringify({ ...rest, finished: end }))
    assert.equal((await readStatus(output)).state, 'stopped')
    const captioner = naming()
    const { already, rows: written } = await run(input, output, { captioner })
    assert.deepEqual([already, written, captioner.asked.length], [false, rows.length, 0], JSON.stringify(end))
    assert.equal((await readStatus(output)).state, 'finished')
  }
})

test('a run.json that is gone, damaged or of a newer format: the run is refused, and nothing is lost', async () => {
  for (const file of ['', '{', 'null', '[]', '"x"', JSON.stringify({ ...runFile, format: 2 }), '{"format":1}'])
    await assert.rejects(goOn(log, file), { code: 'run_differs', exitCode: 2, message: /run\.json.*--restart/ }, file)
  const output = path.join(base, 'gone.csv')
  fs.mkdirSync(`${output}.vcap`)
  fs.writeFileSync(path.join(`${output}.vcap`, 'rows.log'), log)
  const captioner = naming({ model: 'another' })
  await assert.rejects(run(input, output, { captioner }), {
    code: 'run_differs',
    message: /run\.json beside it .* is gone/
  })
  assert.deepEqual(captioner.asked, [], "no caption is taken for another model's")
  assert.deepEqual(fs.readFileSync(path.join(`${output}.vcap`, 'rows.log')), log)
  await run(input, output, { captioner, restart: true })
  assert.equal(captioner.asked.length, rows.length)
})
