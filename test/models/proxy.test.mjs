/** Downloads through the proxy of the environment, which alone knows the way to the hub. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { afterEach, test } from 'node:test'
import { proxyFor } from '../../dist/proxy.js'
import { apiServer } from '../helpers/api-server.mjs'
import { main, root } from '../helpers/cli.mjs'
import { gpt4On } from '../helpers/gpt4.mjs'
import { startHub } from '../helpers/hub-server.mjs'
import { temporaryFolder } from '../helpers/media.mjs'
import { startProxy } from '../helpers/proxy-server.mjs'

const demo = (name) => fs.readFileSync(path.join(root, 'models', 'demo', name))
const files = { 'a/b/x.Q4_K_M.gguf': demo('vcap-demo.gguf'), 'a/b/mmproj-f16.gguf': demo('vcap-demo-mmproj.gguf') }
const names = { hub: 'hub.test', store: 'store.test' }

let hub
let proxy
afterEach(() => {
  hub?.close()
  proxy?.close()
})

/** `pull` with these variables and no other of a proxy or a hub. */
function pull(env) {
  const clean = Object.entries(process.env).filter(([name]) => !/^(HF_|HUGGING)|_proxy$/i.test(name))
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [main, 'pull', 'hf:a/b'], {
      env: { ...Object.fromEntries(clean), HF_HUB_CACHE: temporaryFolder(), HF_ENDPOINT: hub.endpoint, ...env }
    })
    let said = ''
    child.stderr.on('data', (text) => (said += text))
    child.on('close', (status) => resolve({ status, said }))
  })
}

/** The hosts that the proxy was asked for. */
const hostsAsked = () => [...new Set(proxy.tunnels.map((target) => target.split(':')[0]))].sort()

test('hub and store by a proxy with a password, over TLS, whose certificate Node is told of', async (t) => {
  const folder = temporaryFolder()
  const [key, cert] = ['key.pem', 'cert.pem'].map((name) => path.join(folder, name))
  const made = spawnSync('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...['-keyout', key, '-out', cert, '-subj', '/CN=hub.test', '-addext', 'subjectAltName=DNS:hub.test,DNS:store.test']
  ])
  if (made.status !== 0) return t.skip('no openssl here')
  hub = await startHub(files, { names, tls: { key: fs.readFileSync(key), cert: fs.readFileSync(cert) } })
  proxy = await startProxy({ credentials: 'me:s3cret' })
  const way = { HTTPS_PROXY: `http://me:s3cret@${proxy.host}` }
  const { status, said } = await pull({ ...way, NODE_EXTRA_CA_CERTS: cert })
  assert.equal(status, 0, said)
  assert.deepEqual(hostsAsked(), ['hub.test', 'store.test'])
  assert.doesNotMatch(said, /s3cret|xperimental/)

  const unknown = await pull(way)
  assert.equal(unknown.status, 75)
  assert.match(unknown.said, /cannot be reached through the proxy 127\.0\.0\.1:\d+: .*self.signed certificate/)
  assert.doesNotMatch(unknown.said, /s3cret/)
})

test('a proxy that refuses, one that is not there, one that is none', async () => {
  hub = await startHub(files, { names })
  proxy = await startProxy({ credentials: 'me:s3cret' })
  const { host } = proxy
  const refused = await pull({ http_proxy: `http://me:wrong@${host}` })
  assert.equal(refused.status, 75)
  assert.match(refused.said, /through the proxy 127\.0\.0\.1:\d+: .*407/)
  const none = await pull({ http_proxy: 'socks5://127.0.0.1:1' })
  assert.equal(none.status, 2)
  assert.match(none.said, /Expected an address such as http:\/\/proxy:3128/)
})

test('gpt4 goes by the proxy too', async () => {
  const server = await apiServer()
  proxy = await startProxy()
  const { command } = await gpt4On({ clips: 2, images: 0, largest: 96 })
  const url = server.url.replace(/127\.0\.0\.1|localhost/, 'api.test')
  const { status, rows, stderr } = await command({ url }, [], { env: { HTTP_PROXY: `http://${proxy.host}` } })
  assert.equal(status, 0, stderr)
  assert.ok(rows.length === 2 && rows.every(({ text }) => text !== ''))
  assert.deepEqual(hostsAsked(), ['api.test'])
  await server.close()
})

test('this machine is reached without the proxy', async () => {
  hub = await startHub(files)
  proxy = await startProxy()
  const { status, said } = await pull({ ALL_PROXY: proxy.host })
  assert.equal(status, 0, said)
  assert.deepEqual(proxy.tunnels, [])
})

test('which addresses go by which proxy', () => {
  const env = { HTTPS_PROXY: 'proxy:3128', no_proxy: 'inside.org, .lab.eu:8443,10.0.0.0/8 192.168.1.7' }
  const goes = (address, more = {}) => proxyFor(new URL(address), { ...env, ...more })?.host
  for (const address of ['https://huggingface.co/a', 'https://x-inside.org', 'https://a.lab.eu', 'https://11.0.0.1'])
    assert.equal(goes(address), 'proxy:3128', address)
  for (const address of [
    ...['http://huggingface.co', 'https://inside.org', 'https://a.b.inside.org', 'https://lab.eu:8443/x'],
    ...['https://10.1.2.3', 'https://192.168.1.7', 'https://localhost:8000', 'https://127.0.0.1', 'https://[::1]:9']
  ])
    assert.equal(goes(address), undefined, address)
  assert.equal(goes('http://huggingface.co', { all_proxy: 'http://other:1' }), 'other:1')
  assert.equal(goes('https://huggingface.co', { https_proxy: 'http://lower:1' }), 'lower:1')
  assert.equal(goes('https://huggingface.co', { no_proxy: '*' }), undefined)
})
