/**
 * Builds native/core and its tests under AddressSanitizer and UndefinedBehaviorSanitizer, all of
 * llama.cpp with it, in build-core/, and runs them. Arguments go to the test program: part of a name.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { llamaCppDir } from '../vendor/fetch.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const build = join(root, 'build-core')

function run(command, args, env = {}) {
  const { error, status } = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...env }
  })
  if (error) console.error(`test-core: ${command} could not be run (${error.message}); npm run setup brings it`)
  if (error || status !== 0) process.exit(status || 1)
}

const generator = spawnSync('ninja', ['--version']).status === 0 ? ['-G', 'Ninja'] : []
const started = Date.now()
run('cmake', [
  '-S',
  root,
  '-B',
  build,
  ...generator,
  '-DVCAP_SANITIZE=ON',
  `-DVCAP_LLAMA_CPP_DIR=${llamaCppDir()}`,
  '--log-level=ERROR',
  '-Wno-dev'
])
run('cmake', ['--build', build, '--target', 'vcap_core_test', '--parallel'])
console.log(`test-core: built in ${Math.round((Date.now() - started) / 1000)} s`)
// Apple's sanitizer has no leak check and refuses the option.
const leakCheck = process.platform === 'linux' ? 'detect_leaks=1:' : ''
run(join(build, 'vcap_core_test'), process.argv.slice(2), {
  ASAN_OPTIONS: `${leakCheck}allocator_may_return_null=0:max_allocation_size_mb=4096`,
  UBSAN_OPTIONS: 'print_stacktrace=1',
  GOMP_SPINCOUNT: '1000'
})
