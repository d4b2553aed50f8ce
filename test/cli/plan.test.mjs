/** `plan` on files with LLaVA-1.6-34B's real names, types and shapes, whose weights are holes. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { languageModel, llava34b, projector } from '../../tools/models/llava.mjs'
import { plan } from '../../dist/index.js'
import { estimateSpeed } from '../../dist/devices/speed.js'
import { cli, root } from '../helpers/cli.mjs'

const folder = mkdtempSync(path.join(tmpdir(), 'vcap-plan-'))
after(() => rmSync(folder, { recursive: true }))
const model = path.join(folder, 'llava-34b-Q4_K.gguf')
const mmproj = path.join(folder, 'llava-34b-mmproj.gguf')
languageModel(llava34b.languageModel('Q4_K')).write(model)
projector(llava34b.projector('F16')).write(mmproj)

const planJson = async (...args) => {
  const { status: code, stdout, stderr } = await cli(['plan', '--model', model, '--mmproj', mmproj, '--json', ...args])
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout)
}

test('34B: parameters, bytes and keys and values a position are the real ones', async () => {
  const { model: facts, memory } = await planJson()
  assert.equal(facts.parameters, 34_388_917_248)
  assert.equal(memory.weights, facts.modelBytes + facts.mmprojBytes)
  assert.equal(memory.kvPerPosition, 245_760)
  assert.equal((await planJson('--kv-type', 'q8_0')).memory.kvPerPosition, 130_560)
  assert.equal(facts.chatTemplate, 'chatml_direct')
  assert.ok(statSync(model).blocks * 512 < 10e6, 'holes take no room')
})

test('34B: three frames of 720p do not fit 4,096 positions whole, and auto takes fewer tiles', async () => {
  const at = (made, frames) => made.frames.find((row) => row.width === 1280 && row.frames === frames)
  const auto = await planJson()
  assert.equal(at(auto, 1).imageTokens, 1948)
  assert.ok(at(auto, 3).positions <= 4096 && at(auto, 3).tiles < 15)
  assert.equal(at(await planJson('--anyres', 'full'), 3), undefined)
  assert.equal(at(await planJson('--anyres', 'full', '--ctx', '8192'), 3).imageTokens, 5844)
  assert.equal(at(await planJson('--anyres', 'off'), 3).imageTokens, 3 * 577)
})

test('for people: a table, the template and its reason', async () => {
  const { status: code, stdout } = await cli(['plan', '--model', model, '--mmproj', mmproj])
  assert.equal(code, 0)
  assert.match(stdout, /34\.39 B parameters/)
  assert.match(stdout, /prompt template chatml_direct: the vocabulary has/)
  assert.match(stdout, /1 of 1280 x 720 +│ +5 +│ +1948/)
})

test('a pair that is none is one line and exit 2', async () => {
  const { status: code, stderr } = await cli(['plan', '--model', mmproj, '--mmproj', model])
  assert.equal(code, 2)
  assert.match(stderr, /^vcap-native: .*llava-34b-Q4_K\.gguf: this is not a vision projector.*\n$/)
})

/** Within 3 %. */
function near(value, expected, what) {
  assert.ok(Math.abs(value / expected - 1) < 0.03, `${what}: ${value}, expected ${expected}`)
}

function nearAll(values, expected, what) {
  assert.equal(values.length, expected.length)
  for (const [i, value] of values.entries()) near(value, expected[i], `${what}, ${i}`)
}

/** Rows at once of one and of three frames of 720p, by the llava specification's arithmetic: 80 GB are 80e9 bytes. */
const sequences = {
  F16: { '1x80GB': [5, 2], '2x80GB': [118, 47], '8x80GB': [472, 188] },
  Q8_0: { '1x80GB': [55, 22], '2x80GB': [110, 44], '8x80GB': [440, 176] },
  Q4_K: { '1x80GB': [79, 32], '2x80GB': [158, 64], '8x80GB': [632, 256] }
}
const files = Object.fromEntries(Object.keys(sequences).map((type) => [type, path.join(folder, `34b-${type}.gguf`)]))
for (const [type, file] of Object.entries(files)) languageModel(llava34b.languageModel(type)).write(file)
const assumed = (type, assume, more = {}) =>
  plan({
    ...{ model: files[type], mmproj, assume: [assume], anyres: 'full', contextPerSequence: 8192 },
    ...{ sizes: ['1280x720', '597x336'], ...more }
  })

for (const [type, table] of Object.entries(sequences)) {
  test(`34B in ${type}: captions at once on 1, 2 and 8 devices of 80 GB are the specification's`, async () => {
    for (const [devices, expected] of Object.entries(table)) {
      const { frames } = await assumed(type, devices, devices === '1x80GB' ? {} : { sequences: 16 })
      const rows = frames.filter(({ width }) => width === 1280)
      nearAll(
        rows.map(({ sequencesInAll }) => sequencesInAll),
        expected,
        devices
      )
    }
  })
}

test('34B: devices a replica and replicas are chosen from memory', async () => {
  const chosen = async (type, devices) => {
    const { tpSize, dpSize, sequences: bs } = await assumed(type, devices, { contextPerSequence: 4096 })
    return [tpSize, dpSize, bs]
  }
  assert.deepEqual(await chosen('F16', '8x80GiB'), [2, 4, 16])
  assert.deepEqual(await chosen('F16', '8x80GB'), [2, 4, 16])
  assert.deepEqual(await chosen('Q4_K', '8x80GiB'), [1, 8, 16])
  assert.deepEqual(await chosen('Q4_K', '4x24GiB'), [2, 2, 16])
  assert.deepEqual(await chosen('F16', '8xH200'), [1, 8, 16])
})

test('34B: videos a second on eight H100, by the same arithmetic, and what limits them', async () => {
  const f16 = await assumed('F16', '8x80GB')
  assert.equal(f16.ratesOf, 'H100')
  const speeds = ({ frames }) => [frames[0], frames[1], frames[2]].map(({ speed }) => speed.videosPerSecond)
  nearAll(speeds(f16), [12.1, 5.8, 13.3], 'F16')
  const q4 = await assumed('Q4_K', '8x80GB')
  nearAll(speeds(q4), [8.3, 3.2, 9.6], 'Q4_K')
  assert.equal(f16.frames[0].speed.limit, 'prefill')
  // All of what an H100 does: the same arithmetic without guesses.
  const rates = { operations: 989.5e12, bandwidth: 3.35e12 }
  const whole = (row) =>
    estimateSpeed(
      f16.model,
      245_760,
      { tiles: row.tiles, prompt: row.imageTokens + 400, answer: 120 },
      { rates, devices: 2, replicas: 4, sequences: 16 },
      { operations: 1, bandwidth: 1 }
    ).videosPerSecond
  nearAll(f16.frames.slice(0, 3).map(whole), [23.5, 11.9, 25.6], 'all of it')
  near(f16.model.vision.tileOperations, 434e9, 'operations of a tile')
})

test('the memory of a process that has loaded the demo pair is as planned, within a tenth', async () => {
  const script = [
    "import { loadCaptioner } from './dist/index.js'",
    "const c = await loadCaptioner({ model: 'demo', gpus: 'none', sequences: Number(process.argv[1]) })",
    'console.log(process.memoryUsage.rss())',
    'await c.close()'
  ].join('\n')
  for (const count of [1, 16]) {
    const { processBytes } = await plan({ model: 'demo', gpus: 'none', sequences: count })
    const measured = Number(execFileSync(process.execPath, ['--input-type=module', '-e', script, count], { cwd: root }))
    assert.ok(Math.abs(processBytes / measured - 1) < 0.1, `${count}: ${processBytes} planned, ${measured} measured`)
  }
})

test('devices to assume that are none, and sizes that are none', async () => {
  await assert.rejects(assumed('F16', '8xABC'), { code: 'usage', message: /80GB or 80GiB, or one of H100/ })
  await assert.rejects(assumed('F16', 'many'), { code: 'usage' })
  await assert.rejects(assumed('F16', '1x80GB', { sizes: ['0x10'] }), { code: 'usage' })
  await assert.rejects(assumed('F16', '8x80GB', { tpSize: 3 }), { code: 'usage', message: /Choose --tp-size 1/ })
})
