import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const build = path.join(root, 'build')

/**
 * An addon from a copy of native/ in `folder`, with `patches` applied: `{ file, find, put }`,
 * each of which must match exactly once. Only the files patched (and `files`) are compiled;
 * everything else is linked from build/, which must be up to date. Returns the addon's path.
 */
export function buildPatchedAddon(folder, patches, files = []) {
  const cache = readCache()
  const llama = cache('VCAP_LLAMA_CPP_DIR')
  cpSync(path.join(root, 'native'), path.join(folder, 'native'), { recursive: true })
  for (const { file, find, put } of patches) {
    const name = path.join(folder, 'native', file)
    const text = readFileSync(name, 'utf8')
    const matches = text.split(find).length - 1
    if (matches !== 1) throw new Error(`${file}: expected one match of ${JSON.stringify(find)}, found ${matches}`)
    writeFileSync(
      name,
      text.replace(find, () => put)
    )
  }
  const objects = [...new Set([...patches.map((patch) => patch.file), ...files])].map((file) => {
    const object = path.join(folder, `${path.basename(file)}.o`)
    const include = [path.join(folder, 'native'), path.join(llama, 'include'), path.join(llama, 'ggml', 'include')].map(
      (dir) => `-I${dir}`
    )
    run('c++', [
      '-std=c++17',
      '-O1',
      '-w',
      '-fPIC',
      '-fvisibility=hidden',
      ...include,
      '-c',
      path.join(folder, 'native', file),
      '-o',
      object
    ])
    return object
  })
  const addon = path.join(folder, 'vcap_native.node')
  const bindings = path.join(build, 'CMakeFiles', 'vcap_native.dir', 'native', 'binding')
  const binding = readdirSync(bindings)
    .filter((name) => name.endsWith('.o'))
    .map((name) => path.join(bindings, name))
  // Patched objects stand before the archive: the linker then never takes the archive's own version of them.
  const libraries = [
    path.join(build, 'libvcap_core.a'),
    path.join(build, 'libvcap_kernels.a'),
    ...findArchives(path.join(build, 'llama.cpp'))
  ]
  run('c++', [
    '-shared',
    '-o',
    addon,
    ...binding,
    ...objects,
    '-Wl,--exclude-libs,ALL',
    '-Wl,-Bsymbolic',
    '-Wl,--start-group',
    ...libraries,
    '-Wl,--end-group',
    ...(cache('GGML_OPENMP') === 'ON' ? ['-fopenmp'] : []),
    '-ldl',
    '-lm',
    '-lpthread'
  ])
  return addon
}

/** Returns the settings with which build/ was configured, from its CMake cache. */
function readCache() {
  const file = path.join(build, 'CMakeCache.txt')
  if (!existsSync(file)) throw new Error('There is no native build. Make one: npm run build:native')
  const text = readFileSync(file, 'utf8')
  return (name) => new RegExp(`^${name}:[A-Z]+=(.*)$`, 'm').exec(text)?.[1]
}

function findArchives(folder) {
  return readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith('.a'))
    .map((name) => path.join(folder, name))
}

function run(command, args) {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} failed: ${error?.message ?? stderr}`)
}
