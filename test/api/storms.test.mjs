/** A server that limits, fails, cuts, stalls and babbles: each row gets its status, in bounded time. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { apiServer, chat, refuse } from '../helpers/api-server.mjs'
import { gpt4On, testKey } from '../helpers/gpt4.mjs'

const { gpt4 } = await gpt4On({ clips: 2, images: 10 })
const rows = 12
const limited = (headers) => ({ ...refuse(429, 'Rate limit reached'), headers })
const server = async (t, options) => {
  const made = await apiServer(options)
  t.after(made.close)
  return made
}
const captioned = (made) => made.rows.filter(({ status }) => status === 'ok').length

test('429, as seconds, as a date, in milliseconds, without a time: every row is captioned, once', async (t) => {
  const headers = [
    { 'retry-after': '0.05' },
    { 'retry-after': new Date(Date.now() - 1000).toUTCString() },
    { 'retry-after-ms': '20' },
    {},
    { 'retry-after': 'soon' }
  ]
  const storm = await server(t, {
    behave: (number) => (number % 2 === 1 ? limited(headers[(number >> 1) % 5]) : undefined)
  })
  const made = await gpt4(storm, ['--concurrency', '8'])
  assert.equal(made.status, 0, made.stderr)
  assert.equal(captioned(made), rows)
  assert.deepEqual(storm.twice, [])
})

test('Retry-After is honoured by all rows: nothing is asked before', async (t) => {
  const times = []
  const storm = await server(t, {
    behave: (number) => {
      times.push(performance.now())
      return number === 0 ? limited({ 'retry-after': '1' }) : undefined
    }
  })
  const made = await gpt4(storm, ['--concurrency', '1'])
  assert.equal(captioned(made), rows)
  assert.ok(times[1] - times[0] >= 990, `${times[1] - times[0]}`)
})

test('a long storm of 429 is waited out', async (t) => {
  const storm = await server(t, { behave: (number) => (number < 24 ? limited({ 'retry-after-ms': '1' }) : undefined) })
  const made = await gpt4(storm, ['--concurrency', '8'])
  assert.equal(made.status, 0, made.stderr)
  assert.equal(captioned(made), rows)
})

test('fewer at once after 429: half of them, and then slowly more', async (t) => {
  let most = 0
  let under = 0
  const storm = await server(t, {
    behave: async (number) => {
      if (number < 8) return limited({ 'retry-after-ms': '10' })
      most = Math.max(most, ++under)
      await new Promise((done) => setTimeout(done, 30))
      under--
      return undefined
    }
  })
  const made = await gpt4(storm, ['--concurrency', '8'])
  assert.equal(captioned(made), rows)
  assert.ok(most < 8, `${most} at once`)
})

test('500s, cut connections, cut bodies, no JSON, no choices, a gateway’s page: tried again', async (t) => {
  const faults = [
    refuse(500, 'The server had an error'),
    { cut: true },
    { json: chat({ content: 'half' }), cut: 'body' },
    { text: '{"choices": [', headers: { 'content-type': 'application/json' } },
    { text: 'not even json', headers: { 'content-type': 'application/json' } },
    { json: { choices: [] } },
    { json: null },
    { json: { choices: 'none' } },
    { status: 502, text: '<html>Bad gateway</html>' },
    { status: 503, text: '', headers: { 'retry-after': '0' } },
    { text: 'plain' },
    { status: 409, json: {} }
  ]
  const storm = await server(t, { behave: (number, _body, seen) => (seen === 0 ? faults[number % 12] : undefined) })
  const made = await gpt4(storm, ['--concurrency', '12'])
  assert.equal(made.status, 0, made.stderr)
  assert.equal(captioned(made), rows)
  assert.deepEqual(storm.twice, [])
})

test('bodies that stall or drip are given up in time', async (t) => {
  const slow = [
    { json: chat({ content: 'late' }), delay: 5000 },
    { json: chat({ content: 'drip' }), drip: 200 }
  ]
  const storm = await server(t, { behave: (number) => slow[number] })
  const made = await gpt4(storm, ['--request-timeout', '1'])
  assert.equal(made.status, 0, made.stderr)
  assert.equal(captioned(made), rows)
})

test('a row that always fails is engine_error with the reason, and the others go on', async (t) => {
  let poisoned
  const storm = await server(t, {
    behave: (_number, { messages }) => {
      const [picture] = messages[0].content
      poisoned ??= picture.image_url.url
      return picture.image_url.url === poisoned ? refuse(500, 'It crashed here') : undefined
    }
  })
  const made = await gpt4(storm)
  assert.equal(made.status, 3)
  assert.equal(captioned(made), rows - 1)
  const [failed] = made.rows.filter(({ status }) => status !== 'ok')
  assert.equal(failed.status, 'engine_error')
  assert.match(failed.error, /failed 6 times, at last with: 500 It crashed here/)
})

test('every request refused: the run ends with 75, and no row is done', async (t) => {
  const storm = await server(t, { behave: () => refuse(400, 'No images here') })
  const made = await gpt4(storm, ['--concurrency', '2'])
  assert.equal(made.status, 75)
  assert.equal(made.last.code, 'engine_lost')
  assert.match(made.last.message, /No images here/)
  const well = await server(t)
  assert.equal(captioned(await gpt4(well, [], { output: made.output })), rows)
})

test('a server that is not there: the run ends with 75, and no row is blamed', async () => {
  const gone = await apiServer()
  await gone.close()
  const made = await gpt4(gone, ['--concurrency', '2'])
  assert.equal(made.status, 75)
  assert.equal(made.last.code, 'engine_lost')
  assert.ok(made.events.every(({ type }) => type !== 'row'))
  assert.match(made.last.message, /ECONNREFUSED/)
})

test('a key that expires in mid-run ends it at once; what is done stays', async (t) => {
  let answered = 0
  const storm = await server(t, {
    behave: () =>
      answered++ < 4 ? undefined : refuse(401, `Incorrect API key provided: ${testKey}`, { code: 'invalid_api_key' })
  })
  const made = await gpt4(storm, ['--concurrency', '2'])
  assert.equal(made.status, 75)
  assert.equal(made.last.code, 'key_expired')
  assert.match(made.last.message, /The key is not accepted any more: 401 Incorrect API key provided: \[key\]/)
  assert.ok(!made.stderr.includes(testKey))
  assert.ok(storm.bodies.length <= 6, `${storm.bodies.length} requests`)
  const well = await server(t)
  const done = await gpt4(well, [], { output: made.output })
  assert.equal(captioned(done), rows)
  assert.equal(well.bodies.length, rows - 4)
})

for (const [what, response, status, code] of [
  ['a key that was never good', refuse(401, 'Incorrect API key', { code: 'invalid_api_key' }), 2, 'key_refused'],
  ['a country or project that may not', refuse(403, 'Not supported here'), 2, 'key_refused'],
  [
    'no model of that name',
    refuse(404, 'The model `x` does not exist', { code: 'model_not_found' }),
    2,
    'model_not_found'
  ],
  ['an address without the API', { status: 404, text: 'Not Found' }, 2, 'usage'],
  ['a redirect', { status: 307, text: '', headers: { location: 'http://127.0.0.1:1/v1' } }, 2, 'usage'],
  ['no money left', refuse(429, 'You exceeded your quota', { code: 'insufficient_quota' }), 75, 'quota_exhausted'],
  ['come back tomorrow', limited({ 'retry-after': '86400' }), 75, 'quota_exhausted']
]) {
  test(`${what}: ${code}, at once`, async (t) => {
    const storm = await server(t, { behave: () => response })
    const made = await gpt4(storm, ['--concurrency', '2'])
    assert.equal(made.status, status, made.stderr)
    assert.equal(made.last.code, code)
    assert.ok(storm.bodies.length <= 2)
  })
}
