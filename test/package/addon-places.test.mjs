/** Which addon is loaded, of a clone's and of packages, and what is said where none is: real files in their places. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import { whyNoLibrary } from '../../dist/native/library-file.js'
import {
  builtAddon,
  builtCpuLevel,
  compiled,
  cutTo,
  makeApplication,
  sayingLevel,
  smallAddon,
  version,
  withBytes,
  working
} from '../helpers/addon-packages.mjs'
import { temporaryFolder } from '../helpers/media.mjs'
import { demoSamples } from '../helpers/samples.mjs'

const folder = temporaryFolder()
fs.chmodSync(folder, 0o755)
const at = (...names) => path.join(folder, ...names)
const application = makeApplication(at('app'))
const isRoot = process.getuid?.() === 0
const report = process.report.getReport()
const glibc = report.header.glibcVersionRuntime
const here = process.platform === 'linux' && process.arch === 'x64' && glibc !== undefined
/** The packages of one system serve for all: what chooses among them is the same. */
const options = { skip: !here && 'it tries the packages of linux-x64 with glibc' }

test.beforeEach(() => {
  application.clear()
  fs.rmSync(path.join(application.self, 'build'), { recursive: true, force: true })
})

const file = (...names) => path.join(application.modules, '@vcap-native', ...names)
/** A package with an addon for each level; without `level` the processor itself is asked. */
const leveled = (level, more = {}) => ({
  'cpu-level.node': level ? sayingLevel(level) : (to) => fs.copyFileSync(builtCpuLevel, to),
  'x86-64-v2/vcap_native.node': working,
  'x86-64-v3/vcap_native.node': working,
  'x86-64-v4/vcap_native.node': working,
  ...more
})

/** The lines of the message where none loads: its attempts, and its remedies as they stand. */
function refused(options) {
  const { code, message } = application.load(options)
  assert.equal(code, 'addon_missing')
  const [head, tried, ...lines] = message.split('\n')
  assert.equal(head, `No native addon loads here (linux-x64, glibc ${glibc}, Node ${process.versions.node})`)
  assert.equal(tried, 'Tried:')
  const end = lines.findIndex((line) => line.startsWith('Remed'))
  assert.ok(lines.slice(0, end).every((line) => line.startsWith('  ')))
  return { attempts: lines.slice(0, end).map((line) => line.trim()), remedies: lines.slice(end).join('\n') }
}

/** The one attempt and remedy where linux-x64 has this in the place of its addon. */
function refusedAddon(make, options) {
  application.clear()
  application.add('linux-x64', leveled(3, { 'x86-64-v3/vcap_native.node': make }))
  const { attempts, remedies } = refused(options)
  assert.equal(attempts.length, 2)
  const place = `@vcap-native/linux-x64: ${file('linux-x64', 'x86-64-v3', 'vcap_native.node')}: `
  assert.ok(attempts[1].startsWith(place), attempts[1])
  return [attempts[1].slice(place.length), remedies]
}

const install = `\`npm install @vcap-native/linux-x64@${version}\``
const again = `Remedy: remove that package's folder, and ${install}`

test('of the levels the highest that the processor has; a local build first, VCAP_ADDON before all', options, () => {
  for (const level of [2, 3, 4]) {
    application.clear()
    application.add('linux-x64', leveled(level))
    assert.deepEqual(application.load(), {
      origin: '@vcap-native/linux-x64',
      file: file('linux-x64', `x86-64-v${level}`, 'vcap_native.node'),
      variant: `x86-64-v${level}`
    })
  }
  // What asks this processor itself.
  application.clear()
  application.add('linux-x64', leveled(undefined))
  const { status, addon: first } = application.doctor()
  assert.deepEqual([status, first.state, first.origin], [0, 'ok', '@vcap-native/linux-x64'])
  assert.match(first.variant, /^x86-64-v[234]$/)
  assert.equal(first.detail.split('\n')[1], `${first.origin} for ${first.variant}: ${first.file}`)
  const local = path.join(application.self, 'build', 'Release', 'vcap_native.node')
  fs.mkdirSync(path.dirname(local), { recursive: true })
  working(local)
  assert.deepEqual(application.load(), { origin: 'local build', file: local })
  const env = { VCAP_ADDON: path.relative(folder, builtAddon) }
  assert.deepEqual(application.load({ cwd: folder, env }), { origin: 'VCAP_ADDON', file: builtAddon })
  // One that does not load is passed over, and told.
  cutTo(5000)(local)
  const { addon, ...found } = application.doctor()
  assert.equal(addon.origin, '@vcap-native/linux-x64')
  assert.match(
    found['local build'].detail,
    /vcap_native\.node: it was cut short, to 5000 of \d+ bytes\nremove that file/
  )
})

test('a package without levels has one addon', options, () => {
  application.add('linux-x64', { 'vcap_native.node': working })
  const flat = file('linux-x64', 'vcap_native.node')
  assert.deepEqual(application.load(), { origin: '@vcap-native/linux-x64', file: flat })
})

test('a processor below the lowest level: a sentence, and the addon is not opened', options, () => {
  application.add('linux-x64', leveled(1, { 'x86-64-v2/vcap_native.node': compiled(abortsWhenLoaded) }))
  const { attempts, remedies } = refused()
  assert.match(attempts[1], /linux-x64: this CPU has x86-64-v1, and at least x86-64-v2 is needed \(SSE4\.2/)
  assert.match(remedies, /^Remedy: a virtual machine may hide .*-cpu host.*npm run setup/)
})

const abortsWhenLoaded = '#include <stdlib.h>\n__attribute__((constructor)) static void start(void) { abort(); }'

const qemu = spawnSync('qemu-x86_64', ['--version']).status === 0
const emulated = options.skip ? options : { skip: !qemu && 'there is no qemu-x86_64 (Debian: qemu-user)' }

test('emulated processors: one below x86-64-v2 gets the sentence, others the addon of their level', emulated, () => {
  const none = compiled(abortsWhenLoaded)
  const load = (cpu) => application.load({ before: ['qemu-x86_64', '-cpu', cpu] })
  application.add('linux-x64', leveled(undefined, { 'x86-64-v2/vcap_native.node': none }))
  const { code, message } = load('Conroe')
  assert.equal(code, 'addon_missing')
  assert.match(message, /this CPU has x86-64-v1, and at least x86-64-v2 is needed/)
  application.clear()
  // No code of the addon runs but that which Node calls when it is loaded: one that is built for this machine may.
  application.add('linux-x64', leveled(undefined, { 'x86-64-v2/vcap_native.node': smallAddon('small', 1) }))
  assert.equal(load('Nehalem').variant, 'x86-64-v2')
})

test('a file that is no addon for this system: what it is, and no signal', options, () => {
  const size = fs.statSync(builtAddon).size
  for (const [make, reason] of [
    [cutTo(size / 2), `it was cut short, to ${Math.floor(size / 2)} of ${size} bytes`],
    [cutTo(1000), `it was cut short, to 1000 of ${size} bytes`],
    [cutTo(20), 'it is no library'],
    ['', 'it is empty'],
    ['<html>404</html>', 'it is no library'],
    [withBytes(18, 0xb7), 'it is for linux-arm64; this is Node for linux-x64'],
    [withBytes(18, 0x03), 'it is for linux-ia32; this is Node for linux-x64'],
    [(to) => fs.writeFileSync(to, machO(0x0100000c)), 'it is for darwin-arm64; this is Node for linux-x64'],
    ['MZ and more', 'it is for win32'],
    [() => {}, 'it is missing'],
    [compiled('int nothing;'), 'Module did not self-register']
  ])
    assert.deepEqual(refusedAddon(make), [reason, again])
  application.clear()
  application.add('linux-x64', leveled(undefined, { 'cpu-level.node': '' }))
  const { attempts, remedies } = refused()
  assert.ok(attempts[1].endsWith('linux-x64/cpu-level.node: it is empty'))
  assert.equal(remedies, again)
})

/** A header of Apple's format for a processor, with one segment of 1000 bytes. */
function machO(processor) {
  const head = Buffer.alloc(32 + 72)
  for (const [place, value] of [
    [0, 0xfeedfacf],
    [4, processor],
    [16, 1],
    [32, 0x19],
    [36, 72],
    [32 + 48, 1000]
  ])
    head.writeUInt32LE(value, place)
  return Buffer.concat([head, Buffer.alloc(1000 - head.length)])
}

test("files of Apple's format: for which processor, and whether they are whole", () => {
  const write = (...parts) => {
    fs.writeFileSync(at('apple.node'), Buffer.concat(parts))
    return at('apple.node')
  }
  const [x64, arm64] = [0x01000007, 0x0100000c]
  const mac = (arch) => ({ platform: 'darwin', arch })
  assert.equal(whyNoLibrary(write(machO(arm64)), mac('arm64')), undefined)
  assert.equal(whyNoLibrary(write(machO(arm64)), mac('x64')), 'it is for darwin-arm64; this is Node for darwin-x64')
  assert.equal(whyNoLibrary(write(machO(x64).subarray(0, 700)), mac('x64')), 'it was cut short, to 700 of 1000 bytes')
  const both = Buffer.alloc(48)
  for (const [i, value] of [0xcafebabe, 2, x64, 3, 48, 1000, 12, arm64, 0, 1048, 1000, 12].entries())
    both.writeUInt32BE(value, 4 * i)
  for (const arch of ['x64', 'arm64'])
    assert.equal(whyNoLibrary(write(both, machO(x64), machO(arm64)), mac(arch)), undefined)
  assert.match(whyNoLibrary(write(both, machO(x64)), mac('arm64')), /^it was cut short, to 1048 of 2048 bytes$/)
})

/** A library that needs `symbol` of `version` of the library `name`. */
const needing = (name, symbol, symbolVersion) => (to) => {
  const place = fs.mkdtempSync(at('needs-'))
  fs.writeFileSync(
    path.join(place, 'map'),
    symbolVersion ? `${symbolVersion} { global: ${symbol}; };` : '{ global: *; };'
  )
  const stub = path.join(place, name)
  compiled(`int ${symbol}(void) { return 0; }`, `-Wl,-soname,${name}`, `-Wl,--version-script=${place}/map`)(stub)
  compiled(`int ${symbol}(void); int call(void) { return ${symbol}(); }`, '-x', 'none', '-nostdlib', stub)(to)
  fs.rmSync(stub)
}

test('what the system lacks: its name, and what brings it', options, () => {
  for (const [make, reason, remedy] of [
    [
      needing('libgomp.so.99', 'f'),
      /^libgomp\.so\.99: cannot open/,
      /libgomp\.so\.99 is missing .*apt install libgomp1/
    ],
    [needing('libother.so.9', 'f'), /^libother\.so\.9: cannot/, /install the package that has libother\.so\.9$/],
    [
      needing('libc.so.6', 'f', 'GLIBC_2.99'),
      /version `GLIBC_2\.99' not found/,
      new RegExp(`needs a newer system, with glibc 2\\.99, and this one has ${glibc}: .* or build the addon on this`)
    ],
    [
      needing('libc.musl-x86_64.so.1', 'f'),
      /^libc\.musl-x86_64\.so\.1: cannot/,
      /is for musl, and this Node for glibc/
    ],
    [
      compiled('__thread char big[100000] __attribute__((tls_model("initial-exec"))); char * f(void) { return big; }'),
      /static TLS block/,
      /GLIBC_TUNABLES=glibc\.rtld\.optional_static_tls=16384$/
    ],
    [compiled('extern int f(void); int (*p)(void) = f;'), /^undefined symbol: f$/, /npm install .*take another$/]
  ]) {
    const [told, remedies] = refusedAddon(make)
    assert.match(told, reason)
    assert.match(remedies, remedy)
  }
})

test('the remedy for thread-local storage is one', options, () => {
  const storage = '__thread char big[8000] __attribute__((tls_model("initial-exec"))); char * use(void) { return big; }'
  application.add('linux-x64', leveled(3, { 'x86-64-v3/vcap_native.node': smallAddon('small', 1, storage) }))
  const [, tunable] = /start Node with (\S+)$/.exec(application.load().message)
  const [name, value] = tunable.split(/=(.*)/)
  assert.equal(application.load({ env: { [name]: value } }).variant, 'x86-64-v3')
})

test('what this process may not do: read the file, load any addon', options, () => {
  const closed = (to) => fs.writeFileSync(to, '', { mode: 0 })
  const user = isRoot ? { uid: 54321, gid: 54321 } : {}
  const [reason, remedy] = refusedAddon(closed, user)
  assert.equal(reason, 'this user may not read it (EACCES)')
  assert.equal(remedy, 'Remedy: let this user read that file and search the folders above it')
  application.clear()
  application.add('linux-x64', leveled(undefined))
  const { message } = application.load({ env: { NODE_OPTIONS: '--no-addons' } })
  assert.match(message, /loading addons is disabled\.\nRemedy: start Node without --no-addons/)
})

test('no package: how to install it, and what may have kept it away', options, () => {
  const { status, addon } = application.doctor()
  assert.deepEqual([status, addon.state, addon.detail], [2, 'broken', application.load().message])
  const none = refused()
  assert.match(none.attempts[0], /^local build: none in build\/Release, .* of .*node_modules\/vcap-native$/)
  assert.equal(none.attempts[1], '@vcap-native/linux-x64: not installed')
  assert.ok(none.remedies.startsWith(`Remedy: ${install}. npm leaves it out after --omit=optional`), none.remedies)
  for (const [name, system] of [
    ['linux-x64-musl', 'linux-x64 with musl'],
    ['darwin-arm64', 'darwin-arm64']
  ]) {
    application.clear()
    application.add(name, {})
    const { attempts, remedies } = refused()
    assert.equal(attempts[1], `@vcap-native/linux-x64: not installed; here is @vcap-native/${name}, for ${system}`)
    assert.match(remedies, /^Remedy: node_modules came from another system: install anew on this one, or /)
  }
  application.clear()
  application.add('linux-x64', leveled(3), { version: '99.0.0' })
  const other = refused()
  assert.equal(other.attempts[1], `@vcap-native/linux-x64: its version is 99.0.0, and this is vcap-native ${version}`)
  assert.equal(other.remedies, `Remedy: ${install}`)
  application.clear()
  application.add('linux-x64', leveled(3), '{ "version"')
  const damaged = refused()
  assert.match(damaged.attempts[1], /^@vcap-native\/linux-x64: its package\.json cannot be read: /)
  assert.equal(damaged.remedies, again)
})

/** Node that takes itself for another: what `code` sets before anything else runs. */
function disguised(code) {
  fs.writeFileSync(at('disguise.cjs'), code)
  return { env: { NODE_OPTIONS: `--require ${at('disguise.cjs')}` } }
}

test("where Node's own file asks for musl's linker its package counts, and glibc's is told", options, () => {
  const program = at('musl-program')
  const linker = '-Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1'
  execFileSync('cc', ['-x', 'c', '-', '-o', program, linker], { input: 'int main(void) { return 0; }' })
  const musl = disguised(`process.execPath = ${JSON.stringify(program)}`)
  application.add('linux-x64', leveled(3))
  const { message } = application.load(musl)
  assert.match(message, /^No native addon loads here \(linux-x64, musl, Node /)
  assert.match(message, /linux-x64-musl: not installed; here is @vcap-native\/linux-x64, for linux-x64 with glibc\n/)
  assert.match(message, /npm install @vcap-native\/linux-x64-musl@/)
  application.add('linux-x64-musl', leveled(2))
  assert.equal(application.load(musl).origin, '@vcap-native/linux-x64-musl')
})

test('a system without packages: which there are, and how to build', options, () => {
  const { message } = application.load(disguised(`Object.defineProperty(process, 'arch', { value: 'riscv64' })`))
  assert.match(
    message,
    /: there is none for linux-riscv64 with glibc, only for linux-x64 with glibc, linux-x64 with musl/
  )
  assert.match(message, /\nRemedy: build the addon on this machine: `npm run setup` in a clone of vcap-native$/)
  const mac = disguised(`Object.defineProperty(process, 'platform', { value: 'darwin' })`)
  assert.match(application.load(mac).message, /none for darwin-x64, only for /)
})

test('VCAP_ADDON that names nothing, or no addon', options, () => {
  application.add('linux-x64', leveled(3))
  fs.writeFileSync(at('addon.so'), '')
  for (const [name, reason] of [
    ['nothing.node', 'it is missing'],
    ['addon.so', 'its name does not end in .node, by which Node knows an addon']
  ]) {
    const { attempts, remedies } = refused({ env: { VCAP_ADDON: at(name) } })
    assert.deepEqual(attempts, [`VCAP_ADDON: ${at(name)}: ${reason}`])
    assert.equal(remedies, 'Remedy: name another file in VCAP_ADDON, or unset it')
  }
})

const cuda = (make, level = 3) => ({ 'cpu-level.node': sayingLevel(level), 'x86-64-v3/vcap_native.node': make })

test(
  'the package with CUDA comes first; one that does not load is told by doctor, --gpus and each run',
  options,
  async () => {
    const asked = ['plan', '--model', 'demo', '--gpus', '0']
    application.add('linux-x64', leveled(3))
    const without = application.run(asked)
    assert.equal(without.status, 2)
    assert.match(
      without.stderr,
      /This build has no CUDA\. `npm install @vcap-native\/linux-x64-cuda@\S+` brings one that/
    )

    application.add('linux-x64-cuda', cuda(working))
    assert.deepEqual(application.load(), {
      origin: '@vcap-native/linux-x64-cuda',
      file: file('linux-x64-cuda', 'x86-64-v3', 'vcap_native.node'),
      variant: 'x86-64-v3'
    })

    fs.rmSync(file('linux-x64-cuda'), { recursive: true })
    application.add('linux-x64-cuda', cuda(working, 2))
    const slow = application.doctor()
    assert.deepEqual([slow.status, slow.addon.origin], [0, '@vcap-native/linux-x64'])
    assert.match(
      slow['linux-x64-cuda'].detail,
      /^this CPU has x86-64-v2, and at least x86-64-v3 is needed .*\n.*VCAP_CUDA=1/
    )

    fs.rmSync(file('linux-x64-cuda'), { recursive: true })
    application.add('linux-x64-cuda', cuda(cutTo(9000)))
    const failing = application.run(asked)
    assert.match(
      failing.stderr,
      /no CUDA\. What is installed for it does not load: .*cuda: .*it was cut short.* Remedy: remove/
    )
    const { csv } = await demoSamples({ clips: 1, images: 0 })
    const run = application.run(['run', csv, at('passed-over.csv'), '--model', 'demo', '--num-frames', '1'])
    assert.equal(run.status, 0, run.stderr)
    assert.match(
      run.stderr,
      /linux-x64-cuda: .*it was cut short.*\. @vcap-native\/linux-x64 is used instead\. Remedy: /
    )
  }
)

test("processes that are started take the parent's addon", options, async () => {
  const { csv } = await demoSamples({ clips: 2, images: 0 })
  const asked = ['--model', 'demo', '--gpus', 'none', '--dp-size', '2', '--num-frames', '1', '--resize', '64']
  // No other place has one, and a relative name is the parent's to resolve.
  const env = { VCAP_ADDON: path.relative(folder, builtAddon) }
  const named = application.run(['run', csv, at('named.csv'), ...asked], { cwd: folder, env })
  assert.equal(named.status, 0, named.stderr)
  application.add('linux-x64', leveled(undefined))
  const packaged = application.run(['run', csv, at('packaged.csv'), ...asked])
  assert.equal(packaged.status, 0, packaged.stderr)
  assert.equal(fs.readFileSync(at('named.csv'), 'utf8'), fs.readFileSync(at('packaged.csv'), 'utf8'))
})
