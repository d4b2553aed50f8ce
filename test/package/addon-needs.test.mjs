/** What addons ask of the system that loads them: its C library alone, and of glibc nothing newer than 2.28. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import test from 'node:test'
import { root } from '../helpers/cli.mjs'

const skip = process.platform !== 'linux' && 'not Linux'
const builtHere = path.join(root, 'build', 'Release', 'vcap_native.node')
const packages = path.join(root, 'build', 'packages')
const libcOnly = /^(lib(c|m|dl|pthread|rt)\.so\.\d|ld-linux[\w-]*\.so\.\d|libc\.musl-\w+\.so\.1)$/

const readelf = (file, ...args) => execFileSync('readelf', ['--wide', ...args, file], { encoding: 'utf8' })
const libraries = (file) => [...readelf(file, '--dynamic').matchAll(/\(NEEDED\).*\[(.+)\]/g)].map(([, name]) => name)

/** Symbols that others must give: `name`, `version` or undefined, `weak` where it may be missing. */
function wanted(file) {
  const lines = readelf(file, '--dyn-syms').matchAll(/ (GLOBAL|WEAK) +\w+ +UND (\S+)/g)
  return [...lines].map(([, binding, symbol]) => {
    const [name, version] = symbol.split('@')
    return { name, version, weak: binding === 'WEAK' }
  })
}

/** Whether glibc 2.28 has a version of a symbol. */
function isIn228(version) {
  const [, major, minor] = /^GLIBC_(\d+)\.(\d+)/.exec(version) ?? []
  return Number(major) === 2 && Number(minor) <= 28
}

const isNode = ({ name }) => /^(napi|node_api)_/.test(name)

/** Symbols that neither a library nor Node is known to give. */
const unexplained = (file) => wanted(file).filter((symbol) => !symbol.version && !symbol.weak && !isNode(symbol))

test("the addon built here has its C++ runtime in it, and nothing of it is left to other libraries' chance", {
  skip
}, () => {
  const file = builtHere
  const shared = libraries(file)
  // Most compilers have libgomp as a shared library alone; CUDA's libraries are too large to be part of it.
  const bearable = /^(libgomp|libcudart|libcublas|libcublasLt|libnccl)\.so\.\d+$/
  assert.deepEqual(
    shared.filter((name) => !libcOnly.test(name) && !bearable.test(name)),
    []
  )
  assert.ok(shared.some((name) => libcOnly.test(name)))
  if (wanted(file).some(({ version }) => version?.startsWith('GLIBC_'))) assert.deepEqual(unexplained(file), [])
})

const packaged = fs.existsSync(packages)
  ? fs
      .readdirSync(packages, { recursive: true })
      .filter((name) => name.endsWith('.node') && !name.startsWith('work'))
      .sort()
  : []

test('a packaged addon needs its C library alone, and of glibc nothing newer than 2.28', {
  skip: skip || (packaged.length === 0 && `no packaged addon was built in ${packages}`)
}, async (t) => {
  for (const name of packaged) {
    await t.test(name, () => {
      const file = path.join(packages, name)
      const isMusl = name.includes('musl')
      // Built by its distribution's own compiler, which has no libgomp that could be linked in.
      const others = libraries(file).filter((library) => !libcOnly.test(library))
      assert.deepEqual(isMusl ? others.filter((library) => library !== 'libgomp.so.1') : others, [])
      const symbols = wanted(file)
      assert.ok(symbols.some(isNode))
      const newer = symbols.filter(({ version }) => version && !isIn228(version))
      assert.deepEqual(isMusl ? [] : newer, [])
      if (!isMusl) assert.deepEqual(unexplained(file), [])
    })
  }
})

/** Whether this processor has what a packaged addon is compiled for: the level is in its folder's name. */
function runsHere(name) {
  const level = Number(/x86-64-v(\d)/.exec(name)?.[1] ?? 0)
  return createRequire(import.meta.url)(path.join(root, 'build', 'cpu-level.node')).level >= level
}

test("OpenMP takes the process's settings when an addon is loaded, linked in or not", { skip }, () => {
  const files = packaged.filter((name) => name.endsWith('vcap_native.node') && runsHere(name))
  for (const file of [builtHere, ...files.map((name) => path.join(packages, name))]) {
    const settings = { GOMP_SPINCOUNT: '1234', OMP_DISPLAY_ENV: 'verbose' }
    const program = `Object.assign(process.env, ${JSON.stringify(settings)}); require(${JSON.stringify(file)})`
    const { status, stderr } = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8' })
    assert.equal(status, 0, stderr)
    assert.match(stderr, /GOMP_SPINCOUNT = '1234'/, file)
  }
})
