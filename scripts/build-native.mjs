/**
 * Builds the addon: llama.cpp's sources (vendor/fetch.mjs), then cmake-js.
 *
 *   node scripts/build-native.mjs            this machine's CPU
 *   VCAP_CUDA=1 node scripts/build-native.mjs   with CUDA
 *   VCAP_CPU=x86-64-v3 node scripts/build-native.mjs   every CPU of that level
 *
 * Every VCAP_… option of CMakeLists.txt may be set as an environment variable (1/0, ON/OFF); so may
 * CMAKE_CUDA_ARCHITECTURES.
 * Where all is built and no input is newer, nothing runs.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { llamaCppDir } from '../vendor/fetch.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const addon = join(root, 'build', 'Release', 'vcap_native.node')
const stamp = join(root, 'build', 'inputs.sha256')

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

function build() {
  const options = cmakeOptions()
  const inputs = inputsHash(options)
  if (existsSync(addon) && existsSync(stamp) && readFileSync(stamp, 'utf8') === inputs) return
  const started = Date.now()
  const cmakeJs = findCmakeJs()
  const defines = Object.entries(options).map(([name, value]) => `--CD${name}=${value}`)
  const generator = spawnSync('ninja', ['--version']).status === 0 ? ['-G', 'Ninja'] : []
  for (const command of [['configure'], ['build', '-T', 'vcap_native']]) {
    const args = [cmakeJs, ...command, '--log-level', 'warn', ...generator, ...defines]
    if (spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' }).status !== 0) {
      console.error("build: the native build failed; the compiler's message is above")
      process.exit(1)
    }
  }
  mkdirSync(join(root, 'build'), { recursive: true })
  writeFileSync(stamp, inputs)
  console.log(`build: native addon in ${Math.round((Date.now() - started) / 1000)} s`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    build()
  } catch (error) {
    console.error(`build: ${error.message}`)
    process.exit(1)
  }
}
