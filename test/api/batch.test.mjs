/** `gpt4 --batch`: parts, batches, their answers, and going on after a kill between any two steps. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import { apiServer, chat } from '../helpers/api-server.mjs'
import { batchApi } from '../helpers/batch-server.mjs'
import { gpt4On, testKey } from '../helpers/gpt4.mjs'

const { folder, gpt4, command } = await gpt4On({ clips: 2, images: 5 })
const rows = 7
const flags = ['--batch', '--batch-poll', '0.1', '--batch-rows', '3', '--api-model', 'gpt-4o']

async function serverWith(t, options) {
  const batches = batchApi(options)
  const server = await apiServer({ key: testKey, batches })
  t.after(server.close)
  return Object.assign(server, { batches })
}
const batchFolder = (output) => path.join(`${output}.vcap`, 'captioner', 'batches')
const captioned = (made) => made.rows.filter(({ status }) => status === 'ok').length

test('rows go in parts; each has its caption, at half the price; nothing is left behind', async (t) => {
  const server = await serverWith(t)
  const made = await gpt4(server, [...flags, '--usage-columns'])
  assert.equal(made.status, 0, made.stderr)
  assert.equal(captioned(made), rows)
  assert.equal(server.bodies.length, 0, 'nothing is asked one by one')
  assert.deepEqual(server.twice, [])
  const { batches, files } = server.batches
  assert.deepEqual([...batches.values()].map(({ batch }) => batch.request_counts.total).toSorted(), [1, 3, 3])
  for (const { batch } of batches.values()) {
    assert.deepEqual(Object.keys(batch.metadata).toSorted(), ['vcap_part', 'vcap_run', 'vcap_try'])
    assert.equal(batch.endpoint, '/v1/chat/completions')
  }
  assert.ok(made.rows.every(({ cost }) => cost === '0.000225'))
  assert.ok(Math.abs(made.last.cost - rows * 0.000225) < 1e-12)
  assert.equal(files.size, 0)
  assert.ok(!fs.existsSync(batchFolder(made.output)))
  assert.ok(made.events.some(({ type, batches: told }) => type === 'batches' && told[0].state === 'in_progress'))
  const again = await gpt4(server, [...flags, '--usage-columns'], { output: made.output })
  assert.equal(again.last.already, true)
})

test('a JSON Schema goes into each request of a batch, and what is answered into columns', async (t) => {
  const schema = { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] }
  const asked = []
  const outcome = (body) => {
    asked.push(body.response_format)
    return { json: chat({ content: '{"a": "A dog."}' }) }
  }
  const server = await serverWith(t, { outcome })
  const file = path.join(folder, 'schema.json')
  fs.writeFileSync(file, JSON.stringify(schema))
  const made = await gpt4(server, [...flags, '--json-schema-file', file, '--json-columns'])
  assert.equal(made.status, 0, made.stderr)
  assert.deepEqual(
    asked,
    Array(rows).fill({ type: 'json_schema', json_schema: { name: 'answer', strict: true, schema } })
  )
  assert.ok(made.rows.every(({ a }) => a === 'A dog.'))
})

test('rows that fail in a batch, and those that it did not come to', async (t) => {
  const said = [
    { json: chat({ refusal: 'No.' }) },
    { status: 400, error: { message: 'bad image' } },
    'expired',
    { status: 500, error: { message: 'oops' } },
    { status: 400, error: { message: "Unsupported value: 'temperature' does not support 0", param: 'temperature' } }
  ]
  const server = await serverWith(t, { outcome: (_body, number) => said[number] })
  const made = await gpt4(server, [...flags, '--batch-rows', '100'])
  assert.equal(made.status, 3, made.stderr)
  const told = made.rows.map(({ status, error }) => `${status} ${error}`).toSorted()
  assert.deepEqual(told, [
    'empty The model refused: No.',
    'engine_error The server refused it: 400 bad image',
    ...Array(5).fill('ok ')
  ])
  assert.equal(server.batches.batches.size, 2)
})

test('a batch for which there is no room is made again; one that is refused ends the run', async (t) => {
  const full = { status: 'failed', errors: { data: [{ code: 'token_limit_exceeded', message: 'Enqueued too many' }] } }
  let ended = 0
  const server = await serverWith(t, { looks: 1, endAs: () => (ended++ < 2 ? full : 'completed') })
  const made = await gpt4(server, flags)
  assert.equal(made.status, 0, made.stderr)
  assert.equal(captioned(made), rows)
  assert.equal(server.batches.batches.size, 5)
  const bad = { status: 'failed', errors: { data: [{ code: 'invalid_model', message: 'No such model' }] } }
  const never = await serverWith(t, { looks: 1, endAs: () => bad })
  const refused = await gpt4(never, flags)
  assert.equal(refused.status, 2)
  assert.match(refused.last.message, /refused the batch batch_\d+: No such model/)
})

test('a batch that somebody cancels: its answers are taken, the rest is asked anew by the same command', async (t) => {
  let ended = 0
  const server = await serverWith(t, {
    endAs: () => (ended++ === 0 ? 'cancelled' : 'completed'),
    outcome: (_body, number) => (number === 1 ? 'expired' : undefined)
  })
  const first = await gpt4(server, [...flags, '--batch-rows', '100'])
  assert.equal(first.status, 75, first.stderr)
  assert.match(first.last.message, /was cancelled/)
  const again = await gpt4(server, [...flags, '--batch-rows', '100'], { output: first.output })
  assert.equal(again.status, 0, again.stderr)
  assert.equal(captioned(again), rows)
  assert.deepEqual(server.twice, [])
})

test('Ctrl-C leaves batches under way and says so; the same command takes their answers', async (t) => {
  const server = await serverWith(t, { looks: 30 })
  let sent = false
  const onStderr = (text, child) => {
    if (!sent && text.includes('in_progress')) sent = child.kill('SIGINT')
  }
  const first = await command(server, [...flags, '--batch-rows', '100'], { onStderr })
  assert.equal(first.status, 130, first.stderr)
  assert.match(first.stderr, /Under way at the server, and left so: batch_\d+/)
  const again = await gpt4(server, [...flags, '--batch-rows', '100'], { output: first.output })
  assert.equal(again.status, 0, again.stderr)
  assert.equal(captioned(again), rows)
  assert.equal(server.batches.batches.size, 1)
  assert.deepEqual(server.twice, [])
})

const steps = [
  'POST /v1/files',
  'POST /v1/batches',
  'GET /v1/batches/:id',
  'GET /v1/files/:id/content',
  'DELETE /v1/files/:id'
]
for (const step of steps) {
  for (const when of ['before', 'after']) {
    test(`killed ${when} ${step}: the same command goes on, and nothing is asked twice`, async (t) => {
      let child
      let killed = false
      const onCall = (name, moment) => {
        if (killed || name !== step || moment !== when) return undefined
        killed = child.kill('SIGKILL')
        return { cut: true }
      }
      const server = await serverWith(t, { onCall, looks: 1 })
      const onStderr = (_text, process) => (child = process)
      const first = await command(server, flags, { onStderr })
      assert.equal(first.signal, 'SIGKILL')
      const again = await gpt4(server, flags, { output: first.output })
      assert.equal(again.status, 0, again.stderr)
      assert.equal(captioned(again), rows)
      assert.deepEqual(server.twice, [])
      const total = [...server.batches.batches.values()].reduce((sum, { batch }) => sum + batch.request_counts.total, 0)
      assert.equal(total, rows)
      assert.ok(Math.abs(again.last.cost - rows * 0.000225) < 1e-12)
    })
  }
}

test('answers that are lost on their way: what was begun is found again', async (t) => {
  const cut = new Set(steps.slice(0, 2))
  const onCall = (name, when) => (when === 'after' && cut.delete(name) ? { cut: true } : undefined)
  const server = await serverWith(t, { onCall })
  const made = await gpt4(server, [...flags, '--batch-rows', '100'])
  assert.equal(made.status, 0, made.stderr)
  assert.equal(server.batches.batches.size, 1)
  assert.deepEqual(server.twice, [])
})

test('a server without batches says so; flagged captions are not asked for again in one', async (t) => {
  const server = await apiServer()
  t.after(server.close)
  const none = await gpt4(server, flags)
  assert.equal(none.status, 2)
  assert.match(none.last.message, /does not do what it is asked/)
  const flagged = await gpt4(server, [...flags, '--retry-flagged'])
  assert.equal(flagged.status, 2)
  assert.match(flagged.last.message, /not asked for in batches/)
})

test('a stream as the output is refused, since nothing would be known of a batch any more', async (t) => {
  const server = await serverWith(t)
  const refused = await gpt4(server, flags, { output: '-' })
  assert.equal(refused.status, 2)
  assert.match(refused.last.message, /name a file as the output, or a folder for the journal/)
  assert.equal(server.batches.batches.size, 0)
})

test('a key that is refused ends a run of batches; with a valid one it goes on', async (t) => {
  let isValid = false
  const expired = { status: 401, json: { error: { message: `Incorrect API key provided: ${testKey}` } } }
  const onCall = (name) => (!isValid && name === 'GET /v1/files/:id/content' ? expired : undefined)
  const server = await serverWith(t, { onCall })
  const first = await gpt4(server, flags)
  assert.equal(first.status, 75, first.stderr)
  assert.equal(first.last.code, 'key_expired')
  assert.ok(!first.stderr.includes(testKey))
  isValid = true
  const again = await gpt4(server, flags, { output: first.output })
  assert.equal(again.status, 0, again.stderr)
  assert.deepEqual(server.twice, [])
})

test('the key is in no file of a batch that is under way', async (t) => {
  const server = await serverWith(t, {
    looks: 30,
    outcome: () => ({ json: chat({ content: `Caption for ${testKey}` }) })
  })
  let found
  const onStderr = (text, child) => {
    if (found || !text.includes('in_progress')) return
    found = fs
      .readdirSync(folder, { recursive: true })
      .map((name) => path.join(folder, name))
      .filter((file) => fs.statSync(file).isFile() && fs.readFileSync(file, 'latin1').includes(testKey))
    child.kill('SIGINT')
  }
  const { output } = await command(server, flags, { onStderr })
  assert.deepEqual(found, [])
  const made = await gpt4(server, flags, { output })
  assert.ok(
    made.rows.every(({ text }) => text === 'Caption for [key]'),
    made.stderr
  )
})
