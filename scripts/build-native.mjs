/**
 * Builds the addon: llama.cpp's sources (vendor/fetch.mjs), then cmake-js.
 *
 *   node scripts/build-native.mjs                     this machine's CPU, into build/Release
 *   VCAP_CUDA=1 node scripts/build-native.mjs         with CUDA
 *   node scripts/build-native.mjs --package           for everybody's machines, as the packages carry it, into
 *                                                     build/packages/linux-arm64/vcap_native.node
 *   node scripts/build-native.mjs --package --cpu x86-64-v3
 *                                                     …/linux-x64/x86-64-v3/vcap_native.node, and beside that folder
 *                                                     cpu-level.node; with VCAP_CUDA=1 in …/linux-x64-cuda
 *
 * Every VCAP_… option of CMakeLists.txt may be set as an environment variable (1/0, ON/OFF); so may
 * CMAKE_CUDA_ARCHITECTURES. On Linux with glibc what is built for packages is built against an older one: the folder
 * VCAP_SYSROOT, which scripts/sysroot.mjs makes, or build/sysroot, made at need.
 * Where all is built and no input is newer, nothing runs.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { llamaCppDir } from '../vendor/fetch.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))

/** The CMake options of this build. */
export function cmakeOptions() {
  const options = { VCAP_LLAMA_CPP_DIR: llamaCppDir() }
  for (const name of ['VCAP_CUDA', 'VCAP_RPC', 'VCAP_NATIVE']) {
    const value = process.env[name]
    if (value !== undefined) options[name] = /^(1|on|true|yes)$/i.test(value) ? 'ON' : 'OFF'
  }
  for (const name of ['VCAP_CPU', 'VCAP_CUDA_WHEELS', 'CMAKE_CUDA_ARCHITECTURES']) {
    if (process.env[name]) options[name] = process.env[name]
  }
  return options
}

/** Names and contents of everything that the native build reads, as one hash. */
function inputsHash(options) {
  const hash = createHash('sha256').update(JSON.stringify(options)).update(process.version)
  const visit = (path) => {
    if (statSync(path).isDirectory()) for (const name of readdirSync(path).sort()) visit(join(path, name))
    else hash.update(path).update(readFileSync(path))
  }
  for (const path of ['native', 'CMakeLists.txt', 'vendor/llama.cpp.json', 'package-lock.json']) {
    if (existsSync(join(root, path))) visit(join(root, path))
  }
  return hash.digest('hex')
}

function findCmakeJs() {
  try {
    return createRequire(import.meta.url).resolve('cmake-js/bin/cmake-js')
  } catch (cause) {
    throw new Error('cmake-js is not installed here: npm install cmake-js node-addon-api', { cause })
  }
}

/** Whether this Node runs on glibc, as what it loads then does. */
const onGlibc = () => process.platform === 'linux' && !!process.report.getReport().header.glibcVersionRuntime

/** The name of the package that carries an addon of this platform: `linux-x64`, `linux-x64-musl`, `linux-x64-cuda` … */
function packageName({ VCAP_CUDA }) {
  const libc = process.platform === 'linux' && !onGlibc() ? '-musl' : ''
  return `${process.platform}-${process.arch}${libc}${VCAP_CUDA === 'ON' ? '-cuda' : ''}`
}

/**
 * Builds for a package; `cpu` is a level of x86-64 or undefined. Returns the folder of the package's files, which is
 * made if need be.
 */
export async function buildForPackage(cpu) {
  const options = { ...cmakeOptions(), VCAP_NATIVE: 'OFF' }
  delete options.VCAP_CPU
  if (cpu) options.VCAP_CPU = cpu
  if (process.arch === 'x64' && !cpu) throw new Error('which CPUs is it for? Name their level: --cpu x86-64-v3')
  if (onGlibc()) {
    const { sysroot } = await import('./sysroot.mjs') // which an installed package lacks
    options.VCAP_SYSROOT = sysroot(resolve(process.env.VCAP_SYSROOT ?? join(root, 'build', 'sysroot')))
    options.CMAKE_TOOLCHAIN_FILE = join(root, 'native', 'sysroot.cmake')
  }
  const name = packageName(options)
  const work = join(root, 'build', 'packages', 'work', cpu ? `${name}-${cpu}` : name)
  build(work, options)
  const folder = join(root, 'build', 'packages', name)
  const addon = join(folder, cpu ?? '', 'vcap_native.node')
  mkdirSync(dirname(addon), { recursive: true })
  copyFileSync(join(work, 'Release', 'vcap_native.node'), addon)
  if (cpu) copyFileSync(join(work, 'cpu-level.node'), join(folder, 'cpu-level.node'))
  // Symbols that nobody may use are a quarter of it.
  const args = process.platform === 'darwin' ? ['-x', addon] : ['--strip-unneeded', addon]
  if (spawnSync('strip', args, { stdio: 'inherit' }).status !== 0) throw new Error('strip failed')
  return folder
}

/** Builds in the folder `work`: `Release/vcap_native.node`, and for x86-64 `cpu-level.node`. */
function build(work, options) {
  const stamp = join(work, 'inputs.sha256')
  const inputs = inputsHash(options)
  const addon = join(work, 'Release', 'vcap_native.node')
  if (existsSync(addon) && existsSync(stamp) && readFileSync(stamp, 'utf8') === inputs) return
  const started = Date.now()
  const cmakeJs = findCmakeJs()
  const defines = Object.entries(options).map(([name, value]) => `--CD${name}=${value}`)
  const generator = spawnSync('ninja', ['--version']).status === 0 ? ['-G', 'Ninja'] : []
  for (const command of [['configure'], ['build', '-T', 'vcap_native']]) {
    const args = [cmakeJs, ...command, '--out', work, '--log-level', 'warn', ...generator, ...defines]
    if (spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' }).status !== 0)
      throw new Error("the native build failed; the compiler's message is above")
  }
  writeFileSync(stamp, inputs)
  console.log(`build: native addon in ${Math.round((Date.now() - started) / 1000)} s`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    const { values } = parseArgs({ options: { package: { type: 'boolean' }, cpu: { type: 'string' } } })
    if (values.package || values.cpu) console.log(`build: ${await buildForPackage(values.cpu)}`)
    else build(join(root, 'build'), cmakeOptions())
  } catch (error) {
    console.error(`build: ${error.message}`)
    process.exit(1)
  }
}
