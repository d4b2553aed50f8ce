/** The key: where it comes from, and that it is nowhere else. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import test from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { apiServer, chat, refuse } from '../helpers/api-server.mjs'
import { cli, root } from '../helpers/cli.mjs'
import { gpt4On, testKey } from '../helpers/gpt4.mjs'
import { descendants } from '../helpers/processes.mjs'

const { folder, csv, command } = await gpt4On({ clips: 3, images: 2 })
const forms = [testKey, encodeURIComponent(testKey), Buffer.from(testKey).toString('base64')]
const holdsKey = (text) => forms.some((form) => text.includes(form))

/** Every file below a folder that has the key in it. */
const filesWithKey = (place) =>
  fs
    .readdirSync(place, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name))
    .filter((file) => holdsKey(fs.readFileSync(file, 'latin1')))

/** A server that says the key back wherever it can. */
const babbler = () =>
  apiServer({
    behave: (number, _body, _seen, { headers }) => {
      const said = headers.authorization
      if (number === 0) return { ...refuse(500, `failed for ${said}`), headers: { 'x-request-id': testKey } }
      if (number === 1) return refuse(400, `no good: ${said}`)
      if (number === 2) return { json: chat({ refusal: `Not with ${said}` }) }
      if (number === 3) return { text: `<html>${said}` }
      return { json: chat({ content: `A caption for ${said}.` }) }
    }
  })

test('it is in no file and no output, whatever the server says back', async (t) => {
  const server = await babbler()
  t.after(server.close)
  const keyFile = path.join(os.tmpdir(), `vcap-key-${process.pid}`)
  fs.writeFileSync(keyFile, `${testKey}\n`, { mode: 0o600 })
  t.after(() => fs.rmSync(keyFile))
  for (const [more, env] of [
    [[], {}],
    [['--key', testKey], { OPENAI_API_KEY: '' }],
    [[`--key=${testKey}`], { OPENAI_API_KEY: 'sk-another-key', VCAP_DEBUG: '1' }],
    [['--key-file', keyFile], { OPENAI_API_KEY: '' }]
  ]) {
    const made = await command(server, [...more, '--concurrency', '1'], { env: { ...env, OPENAI_LOG: 'debug' } })
    assert.ok(made.rows.length > 0, made.stderr)
    assert.ok(!holdsKey(made.stdout + made.stderr), made.stderr)
    assert.equal(server.log.headers.at(-1).authorization, `Bearer ${testKey}`)
    const isGivenOpenly = more[0]?.startsWith('--key') && !more[0].startsWith('--key-file')
    assert.equal(/A key on the command line/.test(made.stderr), Boolean(isGivenOpenly))
  }
  assert.deepEqual(filesWithKey(folder), [])
})

test('it is in no error that ends a run, with its stack and its causes', async (t) => {
  for (const behave of [
    (_n, _b, _s, { headers }) => refuse(401, `Incorrect key ${headers.authorization}`),
    (_n, _b, _s, { headers }) => ({ status: 307, text: '', headers: { location: `http://x/${headers.authorization}` } })
  ]) {
    const server = await apiServer({ behave })
    t.after(server.close)
    for (const more of [['--json'], []]) {
      const args = ['gpt4', csv, path.join(folder, 'fails.csv'), '--base-url', server.url, '--key', testKey, ...more]
      const { status, stdout, stderr } = await cli(args, { env: { VCAP_DEBUG: '1' } })
      assert.equal(status, 2)
      assert.ok(!holdsKey(stdout + stderr), stderr)
    }
  }
  assert.deepEqual(filesWithKey(folder), [])
})

test('wrong usage does not repeat it', async () => {
  const out = path.join(folder, 'usage.csv')
  for (const args of [
    ['gpt4', csv, out, '--key', `${testKey} `],
    ['gpt4', csv, out, `--key=${testKey}\nx`],
    ['gpt4', csv, out, '--key', testKey, `--no-such=${testKey}`],
    ['gpt4', csv, out, '--key', testKey, '--base-url', `https://${testKey}@example.com/v1`],
    ['gpt4', csv, out, '--key', testKey, '--base-url', `https://example.com/v1?key=${testKey}`],
    ['run', csv, out, `--key=${testKey}`],
    ['gpt4', csv, out, '--key', testKey, '--detail', testKey]
  ]) {
    const { status, stdout, stderr } = await cli(args)
    assert.equal(status, 2, stderr)
    assert.ok(!holdsKey(stdout + stderr), stderr)
  }
  const { status, stderr } = await cli(['gpt4', csv, out], { env: { OPENAI_API_KEY: '' } })
  assert.equal(status, 2)
  assert.match(stderr, /A key is needed/)
})

test('a file that others may read is warned of; one that is none is refused', async (t) => {
  const server = await apiServer()
  t.after(server.close)
  const file = path.join(folder, 'open-key.txt')
  fs.writeFileSync(file, testKey)
  fs.chmodSync(file, 0o644)
  const { status, stderr } = await command(server, ['--key-file', file])
  assert.equal(status, 0)
  assert.match(stderr, /can be read or changed by others: chmod 600/)
  fs.rmSync(file)
  assert.match((await command(server, ['--key-file', file])).stderr, /cannot be read/)
  fs.writeFileSync(file, '\n')
  assert.match((await command(server, ['--key-file', file])).stderr, /there is nothing in it/)
  fs.rmSync(file)
})

test('processes show it in no title, and those that decode have it in no environment', async (t) => {
  if (process.platform !== 'linux') return t.skip('needs /proc')
  let asked
  const first = new Promise((resolve) => (asked = resolve))
  const server = await apiServer({
    behave: async () => {
      asked()
      await pause(300)
    }
  })
  t.after(server.close)
  const out = path.join(folder, 'processes.csv')
  const bin = path.join(root, 'bin', 'vcap-native')
  const args = ['gpt4', csv, out, '--base-url', server.url, '--key', testKey, '--concurrency', '1']
  const child = spawn(bin, args, { stdio: 'ignore', env: { ...process.env, OPENAI_API_KEY: testKey } })
  const ended = new Promise((resolve) => child.on('close', resolve))
  await first
  const below = descendants(child.pid)
  assert.ok(below.length > 0)
  for (const pid of [child.pid, ...below]) {
    assert.ok(!holdsKey(fs.readFileSync(`/proc/${pid}/cmdline`, 'latin1')), 'title')
    if (pid !== child.pid) assert.ok(!holdsKey(fs.readFileSync(`/proc/${pid}/environ`, 'latin1')), 'environment')
  }
  assert.equal(await ended, 0)
})

test('the library’s objects do not show it', async () => {
  const { ApiKey } = await import('../../dist/api/key.js')
  const { inspect } = await import('node:util')
  const key = new ApiKey(testKey)
  assert.ok(!holdsKey(`${key} ${JSON.stringify({ key })} ${inspect({ key }, { depth: 5, showHidden: true })}`))
  assert.equal(key.reveal(), testKey)
  assert.equal(key.hide(`a ${testKey} b`), 'a [key] b')
})
