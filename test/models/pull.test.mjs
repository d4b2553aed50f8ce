/** Downloads from a server that speaks as the Hugging Face Hub does, and fails in every way. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { main, readRows, root } from '../helpers/cli.mjs'
import { startHub } from '../helpers/hub-server.mjs'
import { temporaryFolder } from '../helpers/media.mjs'
import { demoSamples } from '../helpers/samples.mjs'
import { spawn, spawnSync } from 'node:child_process'

const repo = 'somebody/some-llava-gguf'
const demo = (name) => fs.readFileSync(path.join(root, 'models', 'demo', name))
const files = {
  [`${repo}/llava.Q4_K_M.gguf`]: demo('vcap-demo.gguf'),
  [`${repo}/mmproj-model-f16.gguf`]: demo('vcap-demo-mmproj.gguf')
}
const model = files[`${repo}/llava.Q4_K_M.gguf`]

let cache
let hub
beforeEach(() => (cache = temporaryFolder()))
afterEach(() => hub?.close())

/** `pull` in a process of its own, so that it can be killed; `env` on top of a clean home. */
function pull(what = `hf:${repo}`, { env = {}, command = ['pull', what], program, onStart, stallMs = 300 } = {}) {
  return new Promise((resolve) => {
    const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(HF_|HUGGING)/.test(name)))
    const child = spawn(process.execPath, [...(program ? ['-e', program] : [main]), ...command], {
      env: {
        ...clean,
        HF_HUB_CACHE: cache,
        HF_ENDPOINT: hub.endpoint,
        VCAP_DOWNLOAD_STALL_MS: String(stallMs),
        ...env
      }
    })
    let said = ''
    let stdout = ''
    child.stderr.on('data', (text) => (said += text))
    child.stdout.on('data', (text) => (stdout += text))
    child.on('close', (status, signal) => resolve({ status, signal, said, stdout }))
    onStart?.(child)
  })
}

const folder = () => path.join(cache, `models--${repo.replace('/', '--')}`)
const snapshot = (file) => path.join(folder(), 'snapshots', hub.commit, file)

/** Whatever a name leads to is whole; returns the names that are there. */
function requireWhole() {
  const there = Object.keys(files).filter((name) => fs.existsSync(snapshot(name.slice(repo.length + 1))))
  for (const name of there) {
    assert.ok(fs.readFileSync(snapshot(name.slice(repo.length + 1))).equals(files[name]), `${name} is not whole`)
  }
  return there
}

function requirePulled({ status, said }) {
  assert.equal(status, 0, said)
  assert.equal(requireWhole().length, 2)
}

test('a pair is downloaded into the cache of the hub, as its own tools lay it out, and then found', async () => {
  hub = await startHub(files)
  const first = await pull()
  requirePulled(first)
  assert.match(first.said, /Downloading somebody\/some-llava-gguf\/llava\.Q4_K_M\.gguf, 3\.1 MB, from http.* to \//)
  assert.deepEqual(first.stdout.trim().split('\n'), [snapshot('llava.Q4_K_M.gguf'), snapshot('mmproj-model-f16.gguf')])
  assert.equal(fs.readFileSync(path.join(folder(), 'refs', 'main'), 'utf8'), hub.commit)
  assert.match(fs.readlinkSync(snapshot('llava.Q4_K_M.gguf')), /^\.\.\/\.\.\/blobs\/[0-9a-f]{64}$/)
  assert.deepEqual(fs.readdirSync(path.join(folder(), 'blobs')).length, 2)
  const before = hub.asked.length
  requirePulled(await pull())
  assert.equal(hub.asked.length, before, 'nothing is asked for a second time')
  requirePulled(await pull(`hf:${repo}:llava.Q4_K_M.gguf`, { env: { HF_HUB_OFFLINE: '1' } }))
})

test('cut at every tenth of the file: it goes on where it was cut', async () => {
  const tenth = Math.floor(model.length / 10)
  hub = await startHub(files, {
    fault: (request, host) => (host === 'store' && request.url.includes('Q4_K_M') ? { cut: tenth } : undefined)
  })
  requirePulled(await pull())
  const ranges = hub.gets().filter(({ url }) => url.includes('Q4_K_M'))
  assert.ok(ranges.length >= 10, `${ranges.length} connections`)
  assert.ok(ranges.slice(1).every(({ range }) => /^bytes=\d+-$/.test(range)))
})

test('a server without ranges, and one that stalls', async () => {
  let cuts = 0
  hub = await startHub(files, {
    fault: (_request, host) =>
      host === 'store'
        ? { ignoreRange: true, ...(cuts++ < 3 && { [cuts === 2 ? 'stall' : 'cut']: 100_000 }) }
        : undefined
  })
  requirePulled(await pull())
})

test('busy answers are waited for, as long as the server asks', async () => {
  const answers = [{ status: 429, headers: { 'retry-after': '0' } }, { status: 503 }, { status: 500 }]
  hub = await startHub(files, { fault: (_request, _host, at) => (at === 1 ? answers.shift() : undefined) })
  requirePulled(await pull())
  assert.equal(answers.length <= 1, true)
})

test('a wrong checksum, a wrong length: nothing of it is ever there', async () => {
  const wrong = Buffer.from(model)
  wrong[1000] ^= 1
  for (const [content, said] of [
    [wrong, /its checksum is [0-9a-f]{64} and not [0-9a-f]{64}/],
    [Buffer.concat([model, randomBytes(10)]), /it has more than 3094560 bytes/],
    [model.subarray(0, -10), /it has 3094550 bytes, or fewer/]
  ]) {
    cache = temporaryFolder()
    hub = await startHub(files, {
      fault: (request, host) => (host === 'store' && request.url.includes('Q4_K_M') ? { content } : undefined)
    })
    const { status, said: text } = await pull()
    assert.equal(status, 75, text)
    assert.match(text, said)
    assert.deepEqual(
      requireWhole().filter((name) => name.includes('Q4')),
      []
    )
    const run = await pull('', { command: ['plan', '--model', `hf:${repo}`] })
    assert.equal(run.status, 2, 'what is not whole is not loaded')
    hub.close()
  }
})

test('a wrong content once: it is asked for again', async () => {
  hub = await startHub(files, {
    fault: (_request, host, at) => (host === 'store' && at === 1 ? { content: randomBytes(model.length) } : undefined)
  })
  requirePulled(await pull())
})

test('a token goes to the hub and nowhere else', async () => {
  hub = await startHub(files, { token: 'hf_secret' })
  const refused = await pull()
  assert.equal(refused.status, 2)
  assert.match(refused.said, /refuses .* \(401\): it is private or not there, and no token is given.*consent/)
  const done = await pull(`hf:${repo}`, { env: { HF_TOKEN: 'hf_secret' } })
  requirePulled(done)
  for (const { host, authorization } of hub.asked.filter((one) => one.host === 'store')) {
    assert.equal(authorization, undefined, host)
  }
  assert.doesNotMatch(done.said + done.stdout, /hf_secret/)
  cache = temporaryFolder()
  const home = temporaryFolder()
  fs.writeFileSync(path.join(home, 'token'), 'hf_secret\n')
  requirePulled(await pull(`hf:${repo}`, { env: { HF_HOME: home } }))
})

test('what is not there is said with its name', async () => {
  hub = await startHub(files)
  for (const [name, said] of [
    ['hf:nobody/nothing:a.gguf', /there is no repository nobody\/nothing/],
    [`hf:${repo}:other.gguf`, /has no file other\.gguf/],
    ['hf:nonsense', /Expected hf:OWNER\/REPO/],
    ['hf:../..:a.gguf', /Expected OWNER\/NAME|Expected hf:/],
    ['no-such-model', /Expected one of demo, /]
  ]) {
    const { status, said: text } = await pull(name)
    assert.equal(status, 2, text)
    assert.match(text, said)
    assert.equal(text.trim().split('\n').length, 1, text)
  }
  const offline = await pull('', { command: ['plan', '--model', `hf:${repo}`] })
  assert.match(offline.said, /`vcap-native pull hf:/)
})

test('several models in a repository: one has to be named; parts of one come together', async () => {
  const many = {
    'a/b/x.Q6_K.gguf': model,
    'a/b/x.Q2_K.gguf': model,
    'a/b/mmproj-x.gguf': files[`${repo}/mmproj-model-f16.gguf`],
    'c/d/y-00001-of-00003.gguf': randomBytes(1000),
    'c/d/y-00002-of-00003.gguf': randomBytes(1000),
    'c/d/y-00003-of-00003.gguf': randomBytes(1000),
    'c/d/mmproj-f16.gguf': randomBytes(500)
  }
  hub = await startHub(many, { small: ['mmproj-f16.gguf'] })
  const several = await pull('hf:a/b')
  assert.equal(several.status, 2)
  assert.match(several.said, /several models: name one as hf:a\/b:FILE, of x\.Q6_K\.gguf, x\.Q2_K\.gguf/)
  assert.equal((await pull('hf:a/b:x.Q6_K.gguf')).status, 0)
  assert.equal((await pull('hf:c/d')).status, 0)
  const parts = path.join(cache, 'models--c--d', 'snapshots', hub.commit)
  assert.deepEqual(
    fs.readdirSync(parts).sort(),
    Object.keys(many)
      .slice(3)
      .map((name) => name.slice(4))
      .sort()
  )
})

/** Ends a process so many milliseconds after it has begun to download, or to wait for one that does. */
const endAfter = (signal, milliseconds) => (child) => {
  let said = ''
  const look = (text) => {
    if (!/MB of/.test((said += text))) return
    child.stderr.off('data', look)
    setTimeout(() => child.kill(signal), milliseconds)
  }
  child.stderr.on('data', look)
}

test('a killed download goes on; an interrupted one says that it will', async () => {
  hub = await startHub(files, { fault: (_request, host) => (host === 'store' ? { slow: 40_000 } : undefined) })
  for (const [signal, after] of [
    ['SIGKILL', 100],
    ['SIGKILL', 600],
    ['SIGINT', 400]
  ]) {
    const { status, said } = await pull(`hf:${repo}`, { onStart: endAfter(signal, after) })
    if (signal === 'SIGINT') {
      assert.equal(status, 130)
      assert.match(said, /the same command goes on/)
    }
    requireWhole()
  }
  hub.close()
  const before = fs.readdirSync(path.join(folder(), 'blobs'))
  assert.ok(
    before.some((name) => name.endsWith('.vcap-part')),
    before.join()
  )
  hub = await startHub(files)
  requirePulled(await pull())
  assert.ok(
    hub.gets().some(({ range }) => /^bytes=[1-9]/.test(range ?? '')),
    'it went on where it was'
  )
  assert.deepEqual(
    fs.readdirSync(path.join(folder(), 'blobs')).filter((name) => name.includes('vcap')),
    []
  )
})

test('eight at once: each content is downloaded once', async () => {
  hub = await startHub(files, { fault: (_request, host) => (host === 'store' ? { slow: 400_000 } : undefined) })
  for (const result of await Promise.all(Array.from({ length: 8 }, () => pull()))) requirePulled(result)
  assert.equal(hub.gets().length, 2)
})

test('a server that is no hub, and none at all', async () => {
  hub = await startHub(files, { fault: (_request, host) => (host === 'hub' ? { status: 200 } : undefined) })
  const none = await pull(`hf:${repo}:llava.Q4_K_M.gguf`)
  assert.equal(none.status, 75)
  assert.match(none.said, /does not (say what|list)/)
})

test('run brings a model that is not here, tells what it brings, and captions; offline it says how', async () => {
  hub = await startHub(files)
  const { csv, samples } = await demoSamples({ clips: 2, images: 0, largest: 96 })
  const output = path.join(temporaryFolder(), 'out.csv')
  const run = (...more) =>
    pull('', { command: ['run', csv, output, '--model', `hf:${repo}`, '--gpus', 'none', '--bs', '2', ...more] })
  const offline = await run('--offline')
  assert.equal(offline.status, 2)
  assert.match(offline.said, /`vcap-native pull hf:.*` downloads it .*offline/)
  const missing = await pull('', { command: ['run', '/no/such.csv', output, '--model', `hf:${repo}`] })
  assert.equal(missing.status, 2)
  assert.equal(hub.asked.length, 0, 'a table that is not there costs no download')
  const first = await run()
  assert.equal(first.status, 0, first.said)
  assert.match(first.said, /Downloading somebody\/some-llava-gguf\/llava\.Q4_K_M\.gguf/)
  assert.deepEqual(
    readRows(output).map(({ text }) => text),
    samples.map(({ expected }) => expected)
  )
  const listed = await pull('', { command: ['models', '--json'] })
  assert.equal(JSON.parse(listed.stdout).find(({ name }) => name === 'demo').files !== null, true)
})

test('a disk without room is known before the first byte', { skip: process.getuid() !== 0 }, async (t) => {
  const disk = temporaryFolder()
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', disk]).status !== 0) return t.skip('no mount here')
  try {
    cache = disk
    hub = await startHub(files)
    const { status, said } = await pull()
    assert.equal(status, 75, said)
    assert.match(said, /needs \d\.\d MB more, and .* left: make room, or name another folder with HF_HUB_CACHE/)
    assert.equal(hub.gets().length, 0)
  } finally {
    spawnSync('umount', [disk])
  }
})

/** Lays contents into the cache as the hub's own tools do. */
function fillCache(from, contents) {
  const place = path.join(cache, `models--${from.replace('/', '--')}`)
  const commit = 'beef'.padEnd(40, '0')
  for (const name of ['blobs', 'refs', path.join('snapshots', commit)])
    fs.mkdirSync(path.join(place, name), { recursive: true })
  fs.writeFileSync(path.join(place, 'refs', 'main'), commit)
  for (const [name, content] of Object.entries(contents)) {
    const blob = createHash('sha256').update(content).digest('hex')
    fs.writeFileSync(path.join(place, 'blobs', blob), content)
    fs.symlinkSync(path.join('..', '..', 'blobs', blob), path.join(place, 'snapshots', commit, name))
  }
  return place
}

test('a model is taken away, and the projector that another one needs stays', async () => {
  hub = await startHub({})
  const place = fillCache('cjpais/llava-v1.6-34B-gguf', {
    'llava-v1.6-34b.Q4_K_M.gguf': model,
    'llava-v1.6-34b.Q5_K_M.gguf': Buffer.concat([model, Buffer.alloc(1)]),
    'mmproj-model-f16.gguf': files[`${repo}/mmproj-model-f16.gguf`]
  })
  const env = { VCAP_MODELS: temporaryFolder() }
  for (const name of ['llava-v1.6-34b', 'llava-v1.6-34b-q5_k_m'])
    requireHere(await pull(name, { env: { ...env, HF_HUB_OFFLINE: '1' } }))
  const remove = (name) => pull('', { env, command: ['models', '--remove', name] })
  const contents = () => fs.readdirSync(path.join(place, 'blobs')).length
  assert.match((await remove('llava-v1.6-34b')).stdout, /^llava-v1\.6-34b is removed: 3\.1 MB are free$/m)
  assert.equal(contents(), 2)
  assert.equal((await remove('llava-v1.6-34b')).status, 2, 'it is not there any more')
  assert.match((await remove('llava-v1.6-34b-q5_k_m')).stdout, /6\.8 MB are free/)
  assert.equal(contents(), 0)
  assert.match((await remove('demo')).said, /Expected one of llava-v1\.6-34b, .* to remove but received demo/)
})

function requireHere({ status, said, stdout }) {
  assert.equal(status, 0, said)
  assert.equal(stdout.trim().split('\n').length, 2)
  assert.equal(hub.asked.length, 0)
}

test('a name stands for certain contents: another is refused before its first byte, hf: takes it', async () => {
  const from = 'cjpais/llava-v1.6-34B-gguf'
  const projector = files[`${repo}/mmproj-model-f16.gguf`]
  hub = await startHub({
    [`${from}/llava-v1.6-34b.Q4_K_M.gguf`]: model,
    [`${from}/mmproj-model-f16.gguf`]: projector
  })
  const env = { VCAP_MODELS: temporaryFolder() }
  const { status, said } = await pull('llava-v1.6-34b', { env })
  assert.equal(status, 2, said)
  assert.match(
    said,
    /has another cjpais\/.* than this name stands for: its checksum is .* and not [0-9a-f]{64}\. hf:cjpais/
  )
  assert.equal(hub.gets().length, 0)
  assert.equal((await pull(`hf:${from}:llava-v1.6-34b.Q4_K_M.gguf`, { env })).status, 0)

  cache = temporaryFolder()
  const { pullFiles } = await import('../../dist/models/pull.js')
  const { Hub } = await import('../../dist/models/hub.js')
  const place = { repo: from, file: 'mmproj-model-f16.gguf', revision: 'main' }
  const sha256 = createHash('sha256').update(projector).digest('hex')
  process.env.HF_HUB_CACHE = cache
  const bring = (known) => pullFiles([{ ...place, known }], { hub: new Hub({ HF_ENDPOINT: hub.endpoint }) })
  await assert.rejects(bring({ bytes: 1, sha256 }), /it has \d+ bytes and not 1/)
  await bring({ bytes: 1, rounded: true, sha256 })
  delete process.env.HF_HUB_CACHE
})

test('403 is refused with a sentence, and once', async () => {
  hub = await startHub(files, { fault: (_request, host) => (host === 'hub' ? { status: 403 } : undefined) })
  const { status, said } = await pull(`hf:${repo}`, { env: { HF_TOKEN: 'hf_secret' } })
  assert.equal(status, 2)
  assert.match(said, /refuses .* \(403\): it is private or not there, and the token given does not open it/)
  assert.doesNotMatch(said, /hf_secret/)
  assert.equal(hub.asked.length, 1)
})

test('what a killed download left is loaded by nobody', async () => {
  hub = await startHub(files, {
    fault: (_request, host) => (host === 'store' ? { slow: 40_000 } : undefined)
  })
  await pull(`hf:${repo}:llava.Q4_K_M.gguf`, { onStart: endAfter('SIGKILL', 300) })
  assert.ok(fs.readdirSync(path.join(folder(), 'blobs')).some((name) => name.endsWith('.vcap-part')))
  const { csv } = await demoSamples({ clips: 1, images: 0, largest: 96 })
  const output = path.join(temporaryFolder(), 'out.csv')
  const arguments_ = ['run', csv, output, '--gpus', 'none', '--offline', '--model']
  for (const what of [`hf:${repo}`, `hf:${repo}:llava.Q4_K_M.gguf`]) {
    const { status, said } = await pull('', { command: [...arguments_, what] })
    assert.equal(status, 2, said)
    assert.match(said, /is not on this machine.*offline/)
  }
  assert.equal(fs.existsSync(output), false)
})

test('what was pulled by hf:, and what is left of a download, is taken away', async () => {
  hub = await startHub(files, { fault: (_request, host) => (host === 'store' ? { slow: 40_000 } : undefined) })
  const left = () => fs.readdirSync(path.join(folder(), 'blobs'))
  const remove = () => pull('', { command: ['models', '--remove', `hf:${repo}`] })
  const removing = []
  const onStart = (child) => {
    endAfter('SIGKILL', 3000)(child)
    child.stderr.once('data', () => setTimeout(() => removing.push(remove()), 300))
  }
  await pull(`hf:${repo}`, { onStart })
  assert.equal((await removing[0]).status, 2, 'what is under way stays')
  assert.ok(left().length >= 2)
  // As it stands a while after the kill.
  for (const name of left()) fs.utimesSync(path.join(folder(), 'blobs', name), new Date(0), new Date(0))
  assert.match((await remove()).stdout, /\d\.\d MB are free/)
  assert.deepEqual(
    left().filter((name) => name.includes('vcap')),
    []
  )

  hub.close()
  hub = await startHub(files)
  requirePulled(await pull())
  assert.match((await remove()).stdout, /^hf:.* is removed: 6\.8 MB are free$/m)
  assert.deepEqual(left(), [])
  assert.equal((await remove()).status, 2)
})

test('a disk that becomes full amid a download, and has room again', { skip: process.getuid() !== 0 }, async (t) => {
  const disk = temporaryFolder()
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=300m', 'tmpfs', disk]).status !== 0) return t.skip('no mount here')
  try {
    cache = disk
    hub = await startHub(files, { fault: (_request, host) => (host === 'store' ? { slow: 40_000 } : undefined) })
    const other = path.join(disk, 'other')
    const fill = () => spawnSync('sh', ['-c', `head -c 400M /dev/zero > ${other}`])
    const onStart = (child) => {
      let text = ''
      child.stderr.on('data', (more) => /Downloading .*Q4_K_M/.test((text += more)) && !fs.existsSync(other) && fill())
    }
    const { status, said } = await pull(`hf:${repo}:llava.Q4_K_M.gguf`, { onStart })
    assert.equal(status, 75, said)
    assert.match(said, /cannot be written: ENOSPC.*HF_HUB_CACHE names another folder/)
    fs.rmSync(other)
    hub.close()
    hub = await startHub(files)
    requirePulled(await pull())
  } finally {
    spawnSync('umount', [disk])
  }
})

test('a cache that cannot be written: a sentence, nothing asked', { skip: process.getuid() !== 0 }, async (t) => {
  const disk = temporaryFolder()
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'tmpfs', disk]).status !== 0) return t.skip('no mount here')
  try {
    cache = path.join(disk, 'hub')
    hub = await startHub(files)
    const { status, said } = await pull()
    assert.equal(status, 75, said)
    assert.match(said, /cannot be made: EROFS.*HF_HUB_CACHE names another folder/)
    assert.equal(hub.gets().length, 0)
  } finally {
    spawnSync('umount', [disk])
  }
})

test('a library is told of a download by onDownload and prints nothing then; else a line a file', async () => {
  hub = await startHub(files)
  const program = `
    const { captionVideo } = require(${JSON.stringify(root)})
    const events = []
    const onDownload = process.argv[2] === 'told' ? (event) => events.push(event.type) : undefined
    captionVideo(process.argv[1], { model: 'hf:${repo}', gpus: 'none', sequences: 1, onDownload })
      .then(({ text }) => console.log(JSON.stringify({ text, events: [...new Set(events)] })))`
  const { samples, paths } = await demoSamples({ clips: 1, images: 0, largest: 96 })
  const caption = (...more) => pull('', { command: [paths[0], ...more], program })
  const told = await caption('told')
  assert.equal(told.said, '')
  const { text, events } = JSON.parse(told.stdout)
  assert.equal(text, samples[0].expected)
  assert.deepEqual(events, ['download', 'downloading', 'downloaded'])
  assert.equal((await caption()).said, '', 'it is here')
  cache = temporaryFolder()
  const untold = await caption()
  assert.equal(untold.said.trim().split('\n').length, 2)
  assert.match(untold.said, /^Downloading .*mmproj-model-f16\.gguf.*\nDownloading .*Q4_K_M/)
})

test('models says what fits, also without the addon', async () => {
  hub = await startHub({})
  const { stdout } = await pull('', { command: ['models'] })
  assert.match(stdout, /│ demo +│ +6\.8 MB │ yes +│ 16 +│/)
  assert.match(stdout, /^at once: captions beside the weights, each with the whole context, on \S/m)
  assert.ok(stdout.split('\n').every((line) => line.length <= 100))
  const empty = temporaryFolder()
  const without = await pull('', { command: ['models'], env: { VCAP_NATIVE_PREBUILD: empty } })
  assert.equal(without.status, 0, without.said)
})
