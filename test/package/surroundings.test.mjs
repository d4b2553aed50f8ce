/** What a machine may lack or have in another way: folders, libraries, packages, a newer Node, a place of our own. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import test from 'node:test'
import { main, readRows, root } from '../helpers/cli.mjs'
import { temporaryFolder } from '../helpers/media.mjs'
import { demoSamples } from '../helpers/samples.mjs'

const folder = temporaryFolder()
fs.chmodSync(folder, 0o755)
const at = (...names) => path.join(folder, ...names)
const isRoot = process.getuid?.() === 0
/** A user for whom permissions count. */
const somebody = isRoot ? { uid: 54321, gid: 54321 } : {}

function node(args, { env = {}, ...options } = {}) {
  const all = { ...process.env, ...env }
  for (const [name, value] of Object.entries(env)) if (value === undefined) delete all[name]
  return spawnSync(process.execPath, args, { encoding: 'utf8', env: all, ...options })
}

const doctor = (options, command = main) => {
  const { stdout, stderr, status } = node([command, 'doctor', '--json'], options)
  assert.equal(stderr, '')
  return { status, ...Object.fromEntries(JSON.parse(stdout).map((finding) => [finding.name, finding])) }
}

test('a folder of PATH that this user may not search is passed over', () => {
  fs.mkdirSync(at('closed', 'below'), { recursive: true })
  fs.chmodSync(at('closed'), 0)
  for (const closed of [at('closed'), at('closed', 'below'), '/dev/null/x', `/${'x'.repeat(300)}`, '']) {
    const found = doctor({ ...somebody, env: { PATH: `${closed}:${process.env.PATH}` } })
    assert.equal(found.ffmpeg.state, 'ok', closed)
  }
  const { status, stderr } = node([main, 'plan', '--model', at('closed', 'a.gguf'), '--mmproj', at('b.gguf')], somebody)
  assert.equal(status, 2)
  assert.match(stderr, /^vcap-native: Model file .*a\.gguf cannot be reached: EACCES.*\n$/)
})

test('without a home doctor finds what there is, and says what to name', () => {
  for (const env of [{ HOME: '' }, ...(isRoot ? [{ HOME: undefined }] : [])]) {
    const options = { ...somebody, env: { XDG_CACHE_HOME: undefined, VCAP_MODELS: undefined, ...env } }
    const found = doctor(options)
    assert.deepEqual([found.status, found.demo.state, found.addon.state], [0, 'ok', 'ok'])
    assert.match(found['llava-v1.6-34b'].detail, /HOME is not set.*VCAP_MODELS/)
    const { status, stderr } = node([main, 'plan'], options)
    assert.equal(status, 2)
    assert.match(stderr, /^vcap-native: There is no folder for models, since HOME is not set.*\n$/)
  }
})

test('models below XDG_CACHE_HOME, unless VCAP_MODELS names their folder; a relative one does not count', () => {
  const expected = (env) => doctor({ env: { VCAP_MODELS: undefined, ...env } })['llava-v1.6-34b'].detail
  assert.match(expected({ XDG_CACHE_HOME: '/somewhere' }), / \/somewhere\/vcap-native\/models\/llava/)
  assert.match(expected({ XDG_CACHE_HOME: 'here', HOME: '/home/me' }), / \/home\/me\/\.cache\/vcap-native/)
  assert.match(expected({ XDG_CACHE_HOME: '/somewhere', VCAP_MODELS: '/models' }), / \/models\/llava/)
})

test('no place for temporary files: bench names it and TMPDIR, run does without', async () => {
  const { csv } = await demoSamples({ clips: 1, images: 1 })
  const env = { TMPDIR: at('none') }
  const bench = node([main, 'bench'], { env })
  assert.equal(bench.status, 2)
  assert.match(
    bench.stderr,
    /^vcap-native: Temporary files cannot be written into .*none: it does not exist.*TMPDIR\n$/
  )
  assert.equal(node([main, 'run', csv, at('no-tmp.csv'), '--model', 'demo'], { env }).status, 0)
})

test('the demo into a folder that cannot be written', () => {
  fs.writeFileSync(at('file'), '')
  const { status, stderr } = node([main, 'demo', '--out', at('file', 'out')])
  assert.equal(status, 2)
  assert.match(stderr, /vcap-native: Folder .*file\/out cannot be written: ENOTDIR/)
})

test('the current folder was removed', () => {
  fs.mkdirSync(at('removed'))
  const command = `cd ${at('removed')} && rmdir ${at('removed')} && "$0" "$@"`
  const { status, stderr } = spawnSync('sh', ['-c', command, process.execPath, main, 'doctor'], { encoding: 'utf8' })
  assert.equal(status, 2, stderr)
  assert.match(stderr, /^vcap-native: The current folder does not exist any more.*\n$/)
})

/** A copy of the package whose dependencies are the clone's, but for those in `without`. */
function copyPackage(name, without = []) {
  const copy = at(name)
  fs.mkdirSync(path.join(copy, 'node_modules'), { recursive: true })
  for (const part of ['dist', 'package.json'])
    fs.cpSync(path.join(root, part), path.join(copy, part), { recursive: true })
  for (const part of ['build', 'models']) fs.symlinkSync(path.join(root, part), path.join(copy, part))
  for (const part of fs.readdirSync(path.join(root, 'node_modules'))) {
    if (without.includes(part)) continue
    fs.symlinkSync(path.join(root, 'node_modules', part), path.join(copy, 'node_modules', part))
  }
  return copy
}

test("without sharp's binary only images fail, with the remedy", async () => {
  const copy = copyPackage('no-sharp', ['@img', 'sharp'])
  fs.cpSync(path.join(root, 'node_modules', 'sharp'), path.join(copy, 'node_modules', 'sharp'), { recursive: true })
  const command = path.join(copy, 'dist', 'cli', 'main.js')
  assert.equal(node([command, '--help']).status, 0)
  const found = doctor({}, command)
  assert.deepEqual([found.status, found.sharp.state, found.addon.state], [2, 'broken', 'ok'])
  assert.match(found.sharp.detail, /sharp does not load.*npm install --include=optional/)
  const { csv } = await demoSamples({ clips: 1, images: 1 })
  assert.equal(node([command, 'run', csv, at('videos.csv'), '--model', 'demo']).status, 3)
  const [video, image] = readRows(at('videos.csv'))
  assert.deepEqual([video.status, image.status], ['ok', 'unreadable'])
  assert.match(image.error, /npm install --include=optional/)
  assert.equal(doctor({}).sharp.state, 'ok')
})

test('an old Node is named, with the one that is needed', () => {
  fs.writeFileSync(at('old.cjs'), `Object.defineProperty(process.versions, 'node', { value: process.env.OLD_NODE })`)
  const ask = (version) => node(['--require', at('old.cjs'), main, '--version'], { env: { OLD_NODE: version } })
  for (const version of ['18.20.4', '20.2.0', '20.8.1']) {
    const { status, stderr } = ask(version)
    assert.equal(status, 2, version)
    assert.equal(stderr, `vcap-native: Node 20.9.0 or newer is needed; this is ${version}\n`)
  }
  for (const version of ['20.9.0', '20.10.0', '22.0.0']) assert.equal(ask(version).status, 0, version)
})

/** One file of all modules of dist/, each with the folder of the bundle as its own: what bundlers make of CommonJS. */
function bundle(file) {
  const dist = path.join(root, 'dist')
  const modules = fs
    .readdirSync(dist, { recursive: true })
    .filter((name) => /\.js(on)?$/.test(name))
    .map((name) => {
      const text = fs.readFileSync(path.join(dist, name), 'utf8').replace(/^#!.*/, '')
      const code = name.endsWith('.json') ? `module.exports = ${text}` : text
      return `${JSON.stringify(name)}(module, exports, require) {\n${code}\n}`
    })
  fs.mkdirSync(path.dirname(file), { recursive: true })
  fs.writeFileSync(
    file,
    `const path = require('node:path')
    const all = { ${modules.join(',\n')} }
    const outside = require('node:module').createRequire(${JSON.stringify(path.join(root, 'dist', 'index.js'))})
    const loaded = {}
    function load(name) {
      if (loaded[name]) return loaded[name].exports
      const module = (loaded[name] = { exports: {} })
      const find = (place) => load([place, place + '.js'].find((each) => all[each]) ?? path.join(place, 'index.js'))
      const inside = (wanted) =>
        wanted.startsWith('.') ? find(path.join(path.dirname(name), wanted)) : outside(wanted)
      all[name](module, module.exports, Object.assign(inside, { resolve: outside.resolve }))
      return module.exports
    }
    module.exports = load('index.js')`
  )
}

test('bundled into an application: says to mark it as external', async () => {
  fs.mkdirSync(at('app'))
  fs.writeFileSync(at('app', 'package.json'), '{ "name": "app", "version": "9.9.9" }')
  bundle(at('app', 'dist', 'app.js'))
  const { captionVideo, extractFrames } = createRequire(import.meta.url)(at('app', 'dist', 'app.js'))
  for (const asked of [captionVideo('x.mp4', { model: 'demo' }), extractFrames('x.mp4')]) {
    await assert.rejects(asked, {
      code: 'addon_missing',
      message: /was bundled into .*app\.js.*esbuild --external:vcap/
    })
  }
})
