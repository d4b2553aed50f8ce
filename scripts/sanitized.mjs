/** Builds under AddressSanitizer and UndefinedBehaviorSanitizer, all of llama.cpp with it, in build-core/. */
import { execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { llamaCppDir } from '../vendor/fetch.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = path.join(root, 'build-core')

/** Runs a command to its end, and ends this process as it did where it failed. */
export function runOrExit(command, args, env = {}) {
  const { error, status } = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...env }
  })
  if (error) console.error(`${command} could not be run (${error.message}); npm run setup brings it`)
  if (error || status !== 0) process.exit(status || 1)
}

/** Builds `vcap_core_test`, or the addon as `vcap_native`. Returns the file. */
export function buildSanitized(target) {
  const generator = spawnSync('ninja', ['--version']).status === 0 ? ['-G', 'Ninja'] : []
  const headers = ['node-api-headers/include', 'node-addon-api'].map((name) => path.join(root, 'node_modules', name))
  const started = Date.now()
  runOrExit('cmake', [
    '-S',
    root,
    '-B',
    folder,
    ...generator,
    '-DVCAP_SANITIZE=ON',
    `-DCMAKE_JS_INC=${headers.join(';')}`,
    `-DVCAP_LLAMA_CPP_DIR=${llamaCppDir()}`,
    '--log-level=ERROR',
    '-Wno-dev'
  ])
  runOrExit('cmake', ['--build', folder, '--target', target, '--parallel'])
  console.log(`${target}: built in ${Math.round((Date.now() - started) / 1000)} s`)
  return path.join(folder, target === 'vcap_native' ? `${target}.node` : target)
}

// Apple's sanitizer has no leak check and refuses the option.
const leakCheck = process.platform === 'linux' ? 'detect_leaks=1:' : ''

/** Settings with which a program that was built so tells each fault and ends by it. */
export const sanitizerSettings = {
  ASAN_OPTIONS: `${leakCheck}allocator_may_return_null=0:max_allocation_size_mb=4096`,
  UBSAN_OPTIONS: 'print_stacktrace=1',
  GOMP_SPINCOUNT: '1000'
}

/** Settings with which Node loads the addon that was built so: its sanitizers come before all other libraries. */
export function addonSettings(addon) {
  const link = path.join(folder, 'addon', 'build', 'Release', 'vcap_native.node')
  fs.mkdirSync(path.dirname(link), { recursive: true })
  fs.rmSync(link, { force: true })
  fs.symlinkSync(addon, link)
  const libraries = ['libasan.so', 'libubsan.so', 'libstdc++.so.6'].map((name) =>
    execFileSync('g++', [`-print-file-name=${name}`], { encoding: 'utf8' }).trim()
  )
  return { ...sanitizerSettings, LD_PRELOAD: libraries.join(' '), VCAP_NATIVE_PREBUILD: path.join(folder, 'addon') }
}
