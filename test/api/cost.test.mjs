/** What a run may cost, and what a kill does not make it ask again. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import { priceOf } from '../../dist/api/prices.js'
import { apiServer, chat } from '../helpers/api-server.mjs'
import { batchApi } from '../helpers/batch-server.mjs'
import { gpt4On } from '../helpers/gpt4.mjs'
import { killApi } from '../helpers/kill-api.mjs'
import { randomOf } from '../helpers/random.mjs'

const { csv, folder, gpt4 } = await gpt4On({ clips: 2, images: 8 })
const rows = 10
/** What one caption costs: 100 tokens at $100 and 20 at $200 a million. */
const each = 0.014
const priced = ['--price', '100,200', '--max-tokens', '20', '--concurrency', '4']

test('--max-cost stops before it is exceeded; what was spent counts when it goes on with more', async (t) => {
  const server = await apiServer()
  t.after(server.close)
  const most = 5.5 * each
  // Pictures of this size are guessed at no more than ten times what the server says; the first goes alone.
  const first = await gpt4(server, [...priced, '--max-cost', String(most), '--detail', 'low'])
  assert.equal(first.status, 75, first.stderr)
  assert.equal(first.last.code, 'cost_limit')
  assert.match(first.last.message, /\$0\.0700* are spent .* higher --max-cost goes on/)
  assert.equal(server.bodies.length, 5)
  assert.ok(!fs.existsSync(first.output))
  const same = await gpt4(server, [...priced, '--max-cost', String(most), '--detail', 'low'], { output: first.output })
  assert.equal(same.last.code, 'cost_limit')
  assert.equal(server.bodies.length, 5)
  const more = [...priced, '--max-cost', String(10.5 * each), '--detail', 'low']
  const { status, last } = await gpt4(server, more, { output: first.output })
  assert.equal(status, 0)
  assert.equal(server.bodies.length, rows)
  assert.deepEqual(server.twice, [])
  assert.ok(Math.abs(last.cost - rows * each) < 1e-9)
})

test('--restart begins with nothing spent, and with nothing done', async (t) => {
  const server = await apiServer()
  t.after(server.close)
  const first = await gpt4(server, priced)
  const again = await gpt4(server, [...priced, '--restart', '--max-cost', String(10.5 * each), '--detail', 'low'], {
    output: first.output
  })
  assert.equal(again.status, 0, again.stderr)
  assert.equal(server.bodies.length, 2 * rows)
})

test('with batches too: a part has no more than may be spent', async (t) => {
  const batches = batchApi()
  const server = await apiServer({ batches })
  t.after(server.close)
  // Guessed before an answer: up to 3 pictures of 85 tokens, a prompt, 50 more, and 20 of the answer.
  const more = [...priced, '--batch', '--batch-poll', '0.1', '--max-cost', '0.04', '--detail', 'low']
  const { status, last, output } = await gpt4(server, more)
  assert.equal(status, 75)
  assert.equal(last.code, 'cost_limit')
  const captions = [...server.log.captioned.values()].length
  assert.ok(captions > 0 && captions * (each / 2) <= 0.04, `${captions} captions`)
  const rest = await gpt4(server, [...priced, '--batch', '--batch-poll', '0.1', '--detail', 'low'], { output })
  assert.equal(rest.status, 0, rest.stderr)
  assert.deepEqual(server.twice, [])
  assert.ok(Math.abs(rest.last.cost - (rows * each) / 2) < 1e-9)
})

test('a server that does not tell its tokens: what was feared counts, and rows have no cost', async (t) => {
  const server = await apiServer({
    behave: () => ({ json: chat({ content: 'A caption.' }, 'stop', { usage: undefined }) })
  })
  t.after(server.close)
  const { status, last } = await gpt4(server, [...priced, '--max-cost', '0.2', '--detail', 'low'])
  assert.equal(status, 75)
  assert.equal(last.code, 'cost_limit')
  assert.ok(server.bodies.length >= 1 && server.bodies.length <= 10)
})

test('a price that nobody knows, a budget of nothing, prices that are none', async (t) => {
  const server = await apiServer()
  t.after(server.close)
  const unknown = await gpt4(server, ['--api-model', 'mine', '--max-cost', '1'])
  assert.equal(unknown.status, 2)
  assert.match(unknown.last.message, /price of mine is not known: give it with --price/)
  const free = await gpt4(server, ['--api-model', 'mine'])
  assert.equal(free.status, 0)
  assert.equal(free.last.cost, null)
  assert.equal((await gpt4(server, [...priced, '--max-cost', '0'])).status, 75)
  assert.equal(server.bodies.length, rows)
  for (const price of ['1', '1,2,3', '-1,2', 'a,b']) assert.equal((await gpt4(server, ['--price', price])).status, 2)
})

test('prices by name, with a date in it or without', () => {
  assert.deepEqual(priceOf('gpt-4o-2024-08-06'), priceOf('gpt-4o'))
  assert.equal(priceOf('GPT-4o-mini').input, 0.15)
  assert.equal(priceOf('gpt-4-vision-preview').output, 30)
  for (const name of ['constructor', 'gpt-4o-x', '']) assert.equal(priceOf(name), undefined)
})

test('SIGKILL again and again: no row is asked for again after its record', async () => {
  const output = path.join(folder, 'killed.csv')
  const { rows: made } = await killApi({ csv, output, kills: 3, random: randomOf(5) })
  assert.equal(made, rows)
})
