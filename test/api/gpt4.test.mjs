/** `gpt4`: captions by a server, with the journal, resume and statuses of `run`. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import { apiServer, chat, refuse } from '../helpers/api-server.mjs'
import { gpt4On, testKey } from '../helpers/gpt4.mjs'

const { folder, gpt4, command } = await gpt4On({ clips: 5, images: 3 })
const rows = 8

test('a table is captioned: frames as JPEG in their order, the question, what was asked for', async (t) => {
  const server = await apiServer({ key: testKey })
  t.after(server.close)
  const more = ['--detail', 'low', '--num-frames', '2', '--prompt', 'video', '--max-tokens', '77', '--usage-columns']
  const { status, rows: made, last } = await gpt4(server, [...more, '--api-model', 'gpt-4o', '--concurrency', '3'])
  assert.equal(status, 0)
  assert.equal(made.length, rows)
  assert.ok(made.every((row) => row.status === 'ok' && row.text.startsWith('A caption of ')))
  assert.deepEqual(Object.keys(made[0]).slice(-3), ['prompt_tokens', 'completion_tokens', 'cost'])
  // 100 tokens at $2.5 and 20 at $10 a million.
  assert.ok(
    made.every((row) => row.prompt_tokens === '100' && row.completion_tokens === '20' && row.cost === '0.00045')
  )
  assert.ok(Math.abs(last.cost - rows * 0.00045) < 1e-12)
  assert.equal(last.tokens, rows * 20)
  assert.equal(server.bodies.length, rows)
  assert.ok(server.log.mostAtOnce <= 3)
  for (const { model, max_tokens, temperature, messages } of server.bodies) {
    assert.deepEqual({ model, max_tokens, temperature }, { model: 'gpt-4o', max_tokens: 77, temperature: 0 })
    const parts = messages[0].content
    assert.match(parts.at(-1).text, parts.length > 2 ? /frames of one video/ : /this image/)
    for (const { image_url } of parts.slice(0, -1)) {
      assert.equal(image_url.detail, 'low')
      const file = Buffer.from(image_url.url.replace('data:image/jpeg;base64,', ''), 'base64')
      assert.equal(file.toString('latin1', 0, 2), '\xff\xd8')
    }
  }
  const pictures = server.bodies.map(({ messages }) => messages[0].content.length - 1)
  assert.deepEqual(pictures.toSorted(), [1, 1, 1, 2, 2, 2, 2, 2])
})

test('a JSON Schema goes to the server, and what it answers into columns; a grammar goes nowhere', async (t) => {
  const answers = ['{"a": "A dog.", "n": 3}', '{"a": "A d', 'A dog.']
  const finish = ['stop', 'length', 'stop']
  const server = await apiServer({
    behave: (i) => ({ json: chat({ content: answers[i % 3] }, finish[i % 3]) })
  })
  t.after(server.close)
  const schema = { type: 'object', properties: { a: { type: 'string' }, n: { type: 'integer' } }, required: ['a', 'n'] }
  const file = path.join(folder, 'schema.json')
  fs.writeFileSync(file, JSON.stringify(schema))
  const { status, rows: made } = await command(server, ['--json-schema', file, '--json-columns', '--concurrency', '1'])
  assert.equal(status, 0)
  for (const { response_format } of server.bodies) {
    assert.deepEqual(response_format, { type: 'json_schema', json_schema: { name: 'answer', strict: true, schema } })
  }
  const kinds = made.map(({ text, flags, a, n }) => [text, flags, a, n].join('|')).toSorted()
  assert.deepEqual([...new Set(kinds)], ['A dog.|||', `${answers[0]}||A dog.|3`, `${answers[1]}|cut;unfinished||`])
  const refused = await command(server, ['--grammar', file])
  assert.equal(refused.status, 2)
})

test('a JSON Schema: rows that fail or are cut are asked again, and another schema is refused', async (t) => {
  const whole = { json: chat({ content: '{"a": "A dog."}' }) }
  const behave = (number) => {
    if (number === 0) return refuse(400, 'bad image')
    return number === 1 ? { json: chat({ content: '{"a": "A d' }, 'length') } : whole
  }
  const server = await apiServer({ behave })
  t.after(server.close)
  const file = path.join(folder, 'again.schema.json')
  const write = (properties) => fs.writeFileSync(file, JSON.stringify({ type: 'object', properties }))
  write({ a: { type: 'string' } })
  const flags = ['--json-schema-file', file, '--json-columns', '--concurrency', '1']
  const first = await gpt4(server, flags)
  assert.equal(first.status, 3)
  assert.equal(first.rows.filter(({ a }) => a === 'A dog.').length, rows - 2)
  const retries = ['--retry-failed', 'engine_error', '--retry-flagged', 'cut']
  const { rows: made } = await gpt4(server, [...flags, ...retries], { output: first.output })
  assert.deepEqual([...new Set(made.map(({ status, a }) => `${status} ${a}`))], ['ok A dog.'])
  assert.equal(server.bodies.length, rows + 2)
  write({ b: { type: 'string' } })
  const other = await gpt4(server, flags, { output: first.output })
  assert.deepEqual([other.status, other.last.code], [2, 'run_differs'])
  assert.equal(server.bodies.length, rows + 2)
})

test('once more: nothing is asked; other options are refused, another address is not', async (t) => {
  const server = await apiServer()
  t.after(server.close)
  const first = await gpt4(server)
  assert.equal(first.status, 0)
  const again = await gpt4(server, ['--concurrency', '2', '--price', '1,1'], { output: first.output })
  assert.equal(again.status, 0)
  assert.equal(again.last.already, true)
  assert.equal(server.bodies.length, rows)
  const moved = await apiServer()
  t.after(moved.close)
  assert.equal((await gpt4(moved, [], { output: first.output })).status, 0)
  for (const other of [
    ['--detail', 'high'],
    ['--api-model', 'other'],
    ['--max-tokens', '9'],
    ['--num-frames', '1']
  ]) {
    const { status, last } = await gpt4(server, other, { output: first.output })
    assert.equal(status, 2)
    assert.equal(last.code, 'run_differs')
  }
  assert.equal(server.bodies.length, rows)
})

test('what each row may be answered, and the status that it gets', async (t) => {
  const answers = [
    [{ content: 'A cut capt' }, 'length'],
    [{ refusal: 'I cannot help with that.' }, 'stop'],
    [{ content: 'A part of' }, 'content_filter'],
    [{ content: '' }, 'stop'],
    [{ content: '' }, 'length'],
    [{ content: [{ type: 'text', text: 'Two\n\nlines\u0000 in parts.' }] }, 'stop']
  ]
  const server = await apiServer({
    behave: (number) => {
      if (number < answers.length) return { json: chat(...answers[number]) }
      if (number === 6) return refuse(400, 'Your request was rejected', { code: 'content_policy_violation' })
      return refuse(400, 'This model has a maximum context length of 4096', { code: 'context_length_exceeded' })
    }
  })
  t.after(server.close)
  const { status, rows: made } = await gpt4(server, ['--concurrency', '1'])
  assert.equal(status, 3)
  const told = made.map((row) => [row.status, row.text, row.error, row.flags]).toSorted()
  assert.deepEqual(told, [
    ['context_overflow', '', 'The server refused it: 400 This model has a maximum context length of 4096', ''],
    ['empty', '', '', 'empty'],
    ['empty', '', 'All of its tokens went into thoughts before an answer: allow more tokens', 'empty'],
    ['empty', '', 'The model refused: I cannot help with that.', 'refusal;empty'],
    ['empty', '', 'The server refused: 400 Your request was rejected', 'refusal;empty'],
    ['empty', '', "The server's content filter ended the answer", 'refusal;empty'],
    ['ok', 'Two lines in parts.', '', ''],
    ['truncated', 'A cut capt', '', 'cut;unfinished']
  ])
})

test('files that cannot be read cost nothing; failed rows are tried again where that is asked for', async (t) => {
  const server = await apiServer({ behave: (number) => (number === 0 ? refuse(400, 'bad image') : undefined) })
  t.after(server.close)
  const input = path.join(folder, 'broken.csv')
  fs.writeFileSync(path.join(folder, 'text.mp4'), 'no video')
  fs.writeFileSync(input, 'path\nnot-there.mp4\ntext.mp4\nclip-001.mp4\n')
  fs.existsSync(path.join(folder, 'clip-001.mp4')) || assert.fail('clip-001.mp4')
  const first = await gpt4(server, [], { input })
  assert.equal(first.status, 3)
  assert.deepEqual(
    first.rows.map((row) => row.status),
    ['missing', 'unreadable', 'engine_error']
  )
  assert.match(first.rows[2].error, /bad image/)
  assert.equal(server.bodies.length, 1)
  const again = await gpt4(server, ['--retry-failed', 'engine_error'], { input, output: first.output })
  assert.deepEqual(
    again.rows.map((row) => row.status),
    ['missing', 'unreadable', 'ok']
  )
  assert.equal(server.bodies.length, 2)
})

test('flagged captions are asked for once more, with a seed and warmth; both answers are counted', async (t) => {
  const server = await apiServer({
    behave: (_number, body) =>
      body.seed === undefined ? { json: chat({ content: "I'm sorry, I can't help." }) } : undefined
  })
  t.after(server.close)
  const { rows: made, last } = await gpt4(server, ['--retry-flagged', '--price', '1,2', '--usage-columns'])
  assert.ok(made.every((row) => row.text.startsWith('A caption of')))
  assert.equal(server.bodies.length, 2 * rows)
  assert.ok(Math.abs(last.cost - 2 * rows * 0.00014) < 1e-12, String(last.cost))
  assert.equal(last.replaced, rows)
})

test('servers that know one name for the limit, or not every parameter', async (t) => {
  const server = await apiServer({
    behave: (_number, body) => {
      if ('max_tokens' in body) {
        const message =
          "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        return refuse(400, message, { param: 'max_tokens', code: 'unsupported_parameter' })
      }
      if ('temperature' in body)
        return refuse(400, "Unsupported value: 'temperature' does not support 0", { param: 'temperature' })
      return undefined
    }
  })
  t.after(server.close)
  const { status, rows: made, events } = await gpt4(server)
  assert.equal(status, 0)
  assert.ok(made.every((row) => row.status === 'ok'))
  assert.equal(events.filter(({ type, message }) => type === 'warning' && /temperature/.test(message)).length, 1)
  const good = server.bodies.filter((body) => 'max_completion_tokens' in body && !('temperature' in body))
  assert.equal(good.length, rows)
})

test('Ctrl-C and on again: what was captioned is kept', async (t) => {
  const server = await apiServer({ behave: async () => void (await new Promise((done) => setTimeout(done, 150))) })
  t.after(server.close)
  let sent = false
  const onStderr = (text, child) => {
    if (!sent && text.includes('"type":"row"')) sent = child.kill('SIGINT')
  }
  const output = path.join(folder, 'stopped.csv')
  const stopped = await command(server, ['--concurrency', '2'], { output, onStderr })
  assert.equal(stopped.status, 130)
  assert.ok(!fs.existsSync(output))
  const asked = server.bodies.length
  assert.ok(asked < rows)
  const { status, rows: made } = await gpt4(server, ['--concurrency', '2'], { output })
  assert.equal(status, 0)
  assert.ok(made.every((row) => row.status === 'ok'))
  assert.deepEqual(server.twice, [])
})
