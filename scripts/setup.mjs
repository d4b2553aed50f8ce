/**
 * Makes a clone ready to run: tools, dependencies, addon, TypeScript. Does only what is
 * missing, so it costs about a second when nothing is. Needs nothing but Node.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { accessSync, constants, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const at = (...parts) => path.join(root, ...parts)

checkNode()
step('tools', missingPackages().length > 0, installTools)
step('dependencies', !isFresh(at('node_modules', '.vcap-setup'), hashOf('package-lock.json')), installDependencies)
buildAddon()
step('TypeScript', !isFresh(at('dist', '.vcap-setup'), sourcesHash()), compile)

function checkNode() {
  const needed = JSON.parse(readFileSync(at('package.json'), 'utf8')).engines.node.replace('>=', '')
  const [have, least] = [process.versions.node, needed].map((text) => text.split('.').map(Number))
  const differs = least.findIndex((part, i) => part !== have[i])
  if (differs >= 0 && have[differs] < least[differs])
    fail(1, `Node ${needed} or newer is needed; this is ${process.versions.node}`)
}

/** Commands that are not there, as Debian packages. */
function missingPackages() {
  const missing = []
  if (!onPath('c++') && !onPath('g++') && !onPath('clang++')) missing.push('g++')
  if (!onPath('make') && !onPath('ninja')) missing.push('make')
  if (!hasCmake()) missing.push('cmake')
  if (!onPath('git')) missing.push('git')
  if (!onPath('ffmpeg') && !process.env.VCAP_FFMPEG) missing.push('ffmpeg')
  return missing
}

function hasCmake() {
  const [, major, minor] =
    /version (\d+)\.(\d+)/.exec(spawnSync('cmake', ['--version'], { encoding: 'utf8' }).stdout ?? '') ?? []
  return Number(major) > 3 || (Number(major) === 3 && Number(minor) >= 21)
}

function installTools() {
  const packages = missingPackages()
  // They make the native build quicker; it works without them.
  for (const [command, name] of [
    ['ninja', 'ninja-build'],
    ['ccache', 'ccache']
  ])
    if (!onPath(command)) packages.push(name)
  const command = `apt-get install -y --no-install-recommends ${packages.join(' ')}`
  if (process.getuid?.() !== 0 || !onPath('apt-get')) {
    const asUser = onPath('apt-get')
      ? `sudo apt-get update && sudo ${command}`
      : `install ${packages.join(', ')} with this system's package manager`
    fail(2, `These tools are missing: ${missingPackages().join(', ')}. Then run this again:\n  ${asUser}`)
  }
  console.log(`setup: ${command}`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  for (const line of ['apt-get update -qq', command]) {
    const { status, stdout, stderr } = spawnSync('sh', ['-c', line], { encoding: 'utf8', env, maxBuffer: 1 << 28 })
    if (status !== 0) fail(2, `${line} failed:\n${`${stdout}${stderr}`.trim().split('\n').slice(-15).join('\n')}`)
  }
  if (!hasCmake()) fail(2, 'cmake 3.21 or newer is needed; the one installed is older')
}

function installDependencies() {
  // No install scripts: nothing of ours depends on one.
  run(
    npm(),
    ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'],
    'npm ci failed: the message is above'
  )
  writeFileSync(at('node_modules', '.vcap-setup'), hashOf('package-lock.json'))
}

/** Says itself what it does, and is quick when the addon is up to date. */
function buildAddon() {
  const started = Date.now()
  run(process.execPath, [at('scripts', 'build-native.mjs')], 'the addon could not be built: the message is above')
  if (Date.now() - started > 5000) report('addon', started)
}

function compile() {
  run(process.execPath, [at('scripts', 'build-ts.mjs')], 'TypeScript could not be compiled: the message is above')
  writeFileSync(at('dist', '.vcap-setup'), sourcesHash())
}

function step(name, needed, work) {
  if (!needed) return
  const started = Date.now()
  console.log(`setup: ${name} ...`)
  work()
  report(name, started)
}

function report(name, started) {
  console.log(`setup: ${name} done in ${((Date.now() - started) / 1000).toFixed(1)} s`)
}

function isFresh(stamp, hash) {
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === hash
}

function sourcesHash() {
  const sources = readdirSync(at('src'), { recursive: true })
    .map((name) => path.join('src', name))
    .filter((name) => statSync(at(name)).isFile())
  return hashOf(...sources.sort(), 'tsconfig.json', 'package-lock.json')
}

function hashOf(...files) {
  const hash = createHash('sha256')
  for (const file of files)
    hash
      .update(file)
      .update('\0')
      .update(readFileSync(at(file)))
      .update('\0')
  return hash.digest('hex')
}

function onPath(command) {
  return (process.env.PATH ?? '').split(path.delimiter).some((folder) => {
    try {
      accessSync(path.join(folder, command), constants.X_OK)
      return true
    } catch {
      return false // accessSync has no other way to say no
    }
  })
}

function npm() {
  return process.platform === 'win32' ? 'npm.cmd' : 'npm'
}

function run(command, args, failure) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  if (error || status !== 0) fail(1, error ? `${failure} (${error.message})` : failure)
}

function fail(code, message) {
  console.error(`setup: ${message}`)
  process.exit(code)
}
