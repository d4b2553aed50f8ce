/** `plan` on files with LLaVA-1.6-34B's real names, types and shapes, whose weights are holes. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { languageModel, llava34b, projector } from '../../tools/models/llava.mjs'
import { cli } from '../helpers/cli.mjs'

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
