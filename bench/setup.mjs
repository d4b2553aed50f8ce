/**
 * Brings the peers into the cache: node bench/setup.mjs
 *
 * llama-server, llama-bench and llama-quantize are built from the pinned llama.cpp, for this machine's CPU; the npm
 * packages are installed as they ship, without running their scripts. Peers that are already there are left alone.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { llamaCppDir } from '../vendor/fetch.mjs'
import { inCache, root } from './cache.mjs'

const pin = JSON.parse(readFileSync(path.join(root, 'vendor', 'llama.cpp.json'), 'utf8'))

/** The npm packages measured beside ours, at exact versions. */
export const packages = { '@fugood/llama.node': '1.7.15' }

/** The path of one of llama.cpp's tools: `llama-server`, `llama-bench` or `llama-quantize`. */
export const llamaTool = (name) => inCache(`llama.cpp-${pin.tag}`, 'bin', name)

/** The file from which the npm packages in `packages` are resolved. */
export const packageHome = () => inCache('packages', 'package.json')

export function buildLlamaTools() {
  const tools = ['llama-server', 'llama-bench', 'llama-quantize']
  if (tools.every((name) => existsSync(llamaTool(name)))) return
  const build = path.dirname(path.dirname(llamaTool(tools[0])))
  console.log(`bench: building ${tools.join(', ')}, some minutes on two cores`)
  cmake('-S', llamaCppDir(), '-B', build, ...configuration())
  cmake('--build', build, '--parallel', String(os.availableParallelism()), '--target', ...tools)
}

function configuration() {
  const has = (command) => spawnSync(command, ['--version']).status === 0
  const options = {
    CMAKE_BUILD_TYPE: 'Release',
    BUILD_SHARED_LIBS: 'OFF',
    GGML_NATIVE: 'ON',
    LLAMA_CURL: 'OFF',
    LLAMA_OPENSSL: 'OFF',
    LLAMA_BUILD_UI: 'OFF',
    LLAMA_USE_PREBUILT_UI: 'OFF',
    LLAMA_BUILD_TESTS: 'OFF',
    LLAMA_BUILD_EXAMPLES: 'OFF',
    LLAMA_BUILD_APP: 'OFF'
  }
  if (has('ccache'))
    Object.assign(options, { CMAKE_C_COMPILER_LAUNCHER: 'ccache', CMAKE_CXX_COMPILER_LAUNCHER: 'ccache' })
  // GCC before 14 compiles ggml's AMX kernels wrongly; our CMakeLists.txt switches them off in the same case.
  if (gccVersion() < 14 && os.arch() === 'x64') {
    const flags = '-mno-amx-tile -mno-amx-int8 -mno-amx-bf16'
    Object.assign(options, { CMAKE_C_FLAGS: flags, CMAKE_CXX_FLAGS: flags })
  }
  return [
    ...(has('ninja') ? ['-G', 'Ninja'] : []),
    ...Object.entries(options).map(([name, value]) => `-D${name}=${value}`)
  ]
}

/** GCC's major version; infinite where the compiler is not GCC. */
function gccVersion() {
  const { stdout } = spawnSync(process.env.CXX ?? 'c++', ['-dumpfullversion', '-dumpversion'], { encoding: 'utf8' })
  const isGcc = /Free Software Foundation/.test(
    spawnSync(process.env.CXX ?? 'c++', ['--version'], { encoding: 'utf8' }).stdout ?? ''
  )
  return isGcc ? parseInt(stdout, 10) : Infinity
}

function cmake(...args) {
  const { status, error, stdout, stderr } = spawnSync('cmake', args, { encoding: 'utf8', maxBuffer: 1 << 28 })
  if (error || status !== 0)
    throw new Error(
      `cmake ${args[0]} failed: ${error?.message ?? `${stdout}${stderr}`.trim().split('\n').slice(-15).join('\n')}`
    )
}

export function installPackages() {
  const manifest = packageHome()
  const wanted = `${JSON.stringify({ private: true, dependencies: packages }, null, 2)}\n`
  const stamp = inCache('packages', '.installed')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  console.log(`bench: installing ${Object.keys(packages).join(' and ')}`)
  writeFileSync(manifest, wanted)
  const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  const { status } = spawnSync('npm', args, { cwd: path.dirname(manifest), stdio: 'inherit' })
  if (status !== 0) throw new Error('npm install of the peers failed: the message is above')
  writeFileSync(stamp, wanted)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  let failed = false
  for (const step of [buildLlamaTools, installPackages]) {
    try {
      step()
    } catch (error) {
      console.error(`bench: ${error.message}`)
      failed = true // the other peers can be measured without this one
    }
  }
  process.exitCode = failed ? 1 : 0
}
