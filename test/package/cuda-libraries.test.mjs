/** cuBLAS and NCCL as the addon looks for them at run time: where, which, and what is said where they are not. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { before, describe, test } from 'node:test'
import { llamaCppDir } from '../../vendor/fetch.mjs'
import { root } from '../helpers/cli.mjs'
import { temporaryFolder } from '../helpers/media.mjs'

const folder = temporaryFolder()
const at = (...names) => path.join(folder, ...names)
const native = path.join(root, 'native')
const source = (name) => fs.readFileSync(path.join(native, 'cuda', name), 'utf8')

/** Compiles a program or a library of these sources; the file's path. */
function compile(input, output, ...args) {
  fs.mkdirSync(path.dirname(at(output)), { recursive: true })
  execFileSync('c++', ['-std=c++17', `-I${native}`, '-x', 'c++', '-', ...args, '-o', at(output)], { input })
  return at(output)
}

/** A library of a soname, in a folder below the temporary one. */
const buildLibrary = (file, soname, text, ...args) =>
  compile(text, file, '-shared', '-fPIC', `-Wl,-soname,${soname}`, ...args)

/** A copy of a library, as an installation has it. */
function install(library, ...names) {
  fs.mkdirSync(path.dirname(at(...names)), { recursive: true })
  fs.copyFileSync(library, at(...names))
  return at(...names)
}

/** The environment without what leads to libraries, and with these variables. */
function environment(variables) {
  const env = { ...process.env }
  for (const name of ['VCAP_CUDA_WHEELS', 'LD_LIBRARY_PATH', 'CUDA_HOME', 'CUDA_PATH', 'CONDA_PREFIX', 'VIRTUAL_ENV'])
    delete env[name]
  return { ...env, HOME: at('nobody'), ...variables }
}

describe('a library that nothing is linked to', { skip: process.platform !== 'linux' && 'CUDA is for Linux' }, () => {
  // Names of our own: CUDA's may be installed here.
  const [file, beside] = ['libvcapthing.so.13', 'libvcapthingLt.so.13']
  let built

  before(() => {
    const lt = buildLibrary(`made/${beside}`, beside, 'extern "C" int thing_lt() { return 1; }')
    const build = (name, version, ...args) =>
      buildLibrary(`made/${name}`, file, `extern "C" int thing_version() { return ${version}; }`, ...args)
    // It needs the other one, and does not say where that is.
    const needs = ['-Wl,--no-as-needed', `-L${at('made')}`, `-l:${beside}`]
    built = { lt, thing: build('thing', 13, ...needs), older: build('older', 12) }
    const program = `#include "cuda/library.h"
      #include <cstdio>
      #include <dlfcn.h>
      using vcap::cuda::Library;
      int main() {
        const auto inspect = [](void * handle, std::string & version) {
          version = std::to_string(reinterpret_cast<int (*)()>(dlsym(handle, "thing_version"))());
          return version == "13" ? std::string() : "is of version " + version;
        };
        const Library library = vcap::cuda::open_library({"Thing 13", "${file}", {"${beside}"}, "get it", inspect});
        const bool called = library.function("thing_version") != nullptr;
        printf("%d|%s|%s|%s", called, library.path.c_str(), library.version.c_str(), library.problem.c_str());
      }`
    built.program = compile(program, 'look', '-x', 'c++', path.join(native, 'cuda', 'library.cpp'), '-ldl')
  })

  /** What is found with these variables set. */
  function look(variables, cwd = folder) {
    const output = execFileSync(built.program, { encoding: 'utf8', cwd, env: environment(variables) })
    const [called, found, version, problem] = output.split('|')
    return { called: called === '1', path: found, version, problem }
  }

  const installThing = (...names) => {
    install(built.lt, ...names, beside)
    return install(built.thing, ...names, file)
  }

  /** Where it may lie, and the variable that leads there. */
  const places = {
    VCAP_CUDA_WHEELS: ['', 'cu13/lib'],
    LD_LIBRARY_PATH: ['', ''],
    CUDA_HOME: ['', 'lib64'],
    CUDA_PATH: ['', 'targets/x86_64-linux/lib'],
    CONDA_PREFIX: ['', 'lib'],
    VIRTUAL_ENV: ['', 'lib/python3.11/site-packages/nvidia/cublas/lib'],
    HOME: ['', '.local/lib/python3.12/site-packages/nvidia/nccl/lib']
  }
  for (const [variable, [, below]] of Object.entries(places)) {
    test(`is found by ${variable}, with what it needs from the same folder`, () => {
      const expected = installThing(variable, below)
      const found = { called: true, path: expected, version: '13', problem: '' }
      assert.deepEqual(look({ [variable]: at(variable) }), found)
    })
  }

  test('wheels that are named come first, then the loader, toolkits, conda, wheels', () => {
    const [wheels, loader, conda] = ['order/w', 'order/l', 'order/c']
    const inWheels = installThing(wheels, 'cu13/lib')
    const inLoader = installThing(loader)
    const inConda = installThing(conda, 'lib')
    const env = { VCAP_CUDA_WHEELS: at(wheels), LD_LIBRARY_PATH: at(loader), CONDA_PREFIX: at(conda) }
    assert.equal(look(env).path, inWheels)
    assert.equal(look({ ...env, VCAP_CUDA_WHEELS: at('nowhere') }).path, inLoader)
    assert.equal(look({ CONDA_PREFIX: at(conda) }).path, inConda)
  })

  test('missing: what, where it was looked for, and the remedy; the current directory is not searched', () => {
    const problem =
      `Thing 13 (${file}) is missing where the system's loader looks, in CUDA toolkits, conda and NVIDIA's wheels ` +
      'for Python: get it'
    installThing('current')
    assert.deepEqual(look({}, at('current')), { called: false, path: '', version: '', problem })
  })

  test('another major version is named and not opened', () => {
    const older = install(built.older, 'toolkit12', 'lib64', 'libvcapthing.so.12')
    assert.match(look({ CUDA_HOME: at('toolkit12') }).problem, new RegExp(`; there is ${older}: get it$`))
  })

  test('another version under its name is refused, and the search goes on', () => {
    const older = install(built.older, 'disguised', file)
    const env = { LD_LIBRARY_PATH: at('disguised') }
    assert.equal(look(env).problem, `Thing 13 cannot be used, ${older} is of version 12: get it`)
    const whole = installThing('whole', 'lib')
    assert.equal(look({ ...env, CONDA_PREFIX: at('whole') }).path, whole)
  })

  test('without what it needs, or no library at all: the reason, and the search goes on', () => {
    const half = install(built.thing, 'half', 'lib64', file)
    const { problem, called } = look({ CUDA_HOME: at('half') })
    assert.equal(called, false)
    assert.ok(problem.startsWith(`Thing 13 cannot be used, ${half} does not load (${beside}: `), problem)
    fs.mkdirSync(at('text'))
    fs.writeFileSync(at('text', file), 'no library')
    assert.match(look({ LD_LIBRARY_PATH: at('text') }).problem, /^Thing 13 cannot be used, .*text.*: get it$/)
    const whole = installThing('all', 'lib')
    const env = { CUDA_HOME: at('half'), LD_LIBRARY_PATH: at('text'), CONDA_PREFIX: at('all') }
    assert.equal(look(env).path, whole)
  })
})

/** `{ name: [type, …] }`: the functions of a file that are passed on, and what each takes. */
function forwarded(file) {
  const list = source(file).matchAll(/^VCAP_\w+\((?:find, [^,]+(?:\(\)[^,]*)?, const char \*, )?(\w+),\s*\(([^)]*)\)/gm)
  return Object.fromEntries(
    [...list].map(([, name, parameters]) => [
      name,
      parameters
        .split(/,\s*/)
        .filter(Boolean)
        .map((text) => text.replace(/\w+(\[\])?$/, (_, array) => (array ? '*' : '')).trim())
    ])
  )
}

test("all functions of cuBLAS and NCCL that ggml's CUDA backend calls are passed on", () => {
  const folderOfCuda = path.join(llamaCppDir(), 'ggml', 'src', 'ggml-cuda')
  const called = new Set()
  for (const name of fs.readdirSync(folderOfCuda, { recursive: true })) {
    if (!/\.(cu|cuh)$/.test(name)) continue
    const text = fs.readFileSync(path.join(folderOfCuda, name), 'utf8').replace(/\/\/.*$/gm, '')
    for (const [, word] of text.matchAll(/\b((?:cublas|nccl)[A-Z]\w*)\b(?!\s*\w)/g))
      if (!/_t$|^nccl(Success|Float|Bfloat16|Sum)$/.test(word)) called.add(word)
  }
  const defined = { ...forwarded('cublas.cpp'), ...forwarded('nccl.cpp') }
  assert.deepEqual(Object.keys(defined).sort(), [...called].sort())
})

// The headers that declare the functions: of a toolkit, or of NVIDIA's wheels.
const toolkit = process.env.CUDAToolkit_ROOT ?? '/usr/local/cuda'
const wheels = process.env.VCAP_CUDA_WHEELS
const headerFolders = [
  path.join(toolkit, 'include'),
  ...(wheels ? ['cu13', 'cublas', 'nccl'].map((name) => path.join(wheels, name, 'include')) : []),
  '/usr/include'
]
const missing = ['cuda_runtime_api.h', 'cublas_v2.h', 'nccl.h'].filter(
  (name) => !headerFolders.some((each) => fs.existsSync(path.join(each, name)))
)
const skip = missing.length > 0 && `no ${missing.join(', ')}: no CUDA toolkit with cuBLAS and NCCL, or VCAP_CUDA_WHEELS`

describe('cuBLAS and NCCL', { skip }, () => {
  // As the headers' macros name them.
  const later = new Set(['cublasCreate', 'cublasDestroy', 'cublasSetStream', 'cublasSetWorkspace', 'cublasSgemm'])
  const isText = (name) => /String$/.test(name)
  const all = { ...forwarded('cublas.cpp'), ...forwarded('nccl.cpp') }
  let majors

  /** Arguments 1, 2, …, each weighted by its place: two that change places change the sum. */
  const sum = (count) => Array.from({ length: count }, (_, i) => (i + 1) ** 2).reduce((a, b) => a + b, 0)

  before(() => {
    const calls = Object.entries(all).map(([name, types]) => {
      const call = `${name}(${types.map((type, i) => `(${type})${i + 1}`).join(', ')})`
      return isText(name) ? `printf("${name} %s\\n", ${call});` : `printf("${name} %d\\n", (int)${call});`
    })
    const program = `#include <cublas_v2.h>
      #include <nccl.h>
      #include <cstdio>
      #include "cuda/libraries.h"
      int main() {
        printf("majors %d %d\\n", CUBLAS_VER_MAJOR, NCCL_MAJOR);
        ${calls.join('\n')}
        for (const auto * library : {&vcap::cuda::cublas(), &vcap::cuda::nccl()})
          printf("%s|%s|%s\\n", library->path.c_str(), library->version.c_str(), library->problem.c_str());
      }`
    const sources = ['library', 'cublas', 'nccl'].map((name) => path.join(native, 'cuda', `${name}.cpp`))
    const includes = headerFolders.slice(0, -1).flatMap((each) => ['-isystem', each])
    compile(program, 'caller', ...includes, '-w', '-x', 'c++', ...sources, '-ldl')
    const [cublas, nccl] = /^majors (\d+) (\d+)/.exec(run({ LD_LIBRARY_PATH: at('nothing') })).slice(1)
    majors = { cublas: Number(cublas), nccl: Number(nccl) }
  })

  const run = (variables) => execFileSync(at('caller'), { encoding: 'utf8', env: environment(variables) })

  /** Libraries whose functions return the weighted sum of their arguments, in a folder. */
  function buildFakes(name, cublasVersion, ncclVersion) {
    const functions = (kind) =>
      Object.entries(all)
        .filter(([each]) => each.startsWith(kind))
        .map(([each, types]) => {
          const parameters = types.map((_, i) => `unsigned long long a${i}`).join(', ')
          const body = types.map((_, i) => `static_cast<int>(a${i}) * ${i + 1}`).join(' + ') || '0'
          const exported = later.has(each) ? `${each}_v2` : each
          return isText(each)
            ? `const char * ${each}(int) { return "from the library"; }`
            : `int ${exported}(${parameters}) { return ${body}; }`
        })
        .join('\n')
    const { cublas, nccl } = majors
    buildLibrary(`${name}/libcublasLt.so.${cublas}`, `libcublasLt.so.${cublas}`, '')
    buildLibrary(
      `${name}/libcublas.so.${cublas}`,
      `libcublas.so.${cublas}`,
      `extern "C" { ${functions('cublas')}
        int cublasGetProperty(int type, int * value) { *value = type == 0 ? ${cublasVersion} : 7; return 0; } }`,
      ...['-Wl,--no-as-needed', `-L${at(name)}`, `-l:libcublasLt.so.${cublas}`]
    )
    buildLibrary(
      `${name}/libnccl.so.${nccl}`,
      `libnccl.so.${nccl}`,
      `extern "C" { ${functions('nccl')} int ncclGetVersion(int * version) { *version = ${ncclVersion}; return 0; } }`
    )
  }

  test('found: each function gets its arguments, and path and version are told', () => {
    const { cublas, nccl } = majors
    buildFakes('right', cublas, nccl * 10000 + 2511)
    const lines = run({ LD_LIBRARY_PATH: at('right') }).split('\n')
    for (const [name, types] of Object.entries(all))
      assert.ok(lines.includes(`${name} ${isText(name) ? 'from the library' : sum(types.length)}`), name)
    assert.ok(lines.includes(`${at('right', `libcublas.so.${cublas}`)}|${cublas}.7.7|`), lines.join('\n'))
    assert.ok(lines.includes(`${at('right', `libnccl.so.${nccl}`)}|${nccl}.25.11|`), lines.join('\n'))
  })

  test('of another version: refused, every function answers, and where each comes from is told', () => {
    const { cublas, nccl } = majors
    buildFakes('wrong', cublas - 1, nccl * 1000 + 800)
    const lines = run({ LD_LIBRARY_PATH: at('wrong') }).split('\n')
    const problems = lines.filter((line) => line.startsWith('||')).map((line) => line.slice(2))
    const found = lines.filter((line) => /^\//.test(line))
    // Others may be installed here, which are then taken.
    assert.equal(problems.length + found.length, 2)
    const [ofCublas] = problems.filter((text) => text.startsWith('cuBLAS'))
    const [ofNccl] = problems.filter((text) => text.startsWith('NCCL'))
    if (ofCublas) {
      assert.match(
        ofCublas,
        /^cuBLAS \d+ cannot be used, .* is of version \d+\.7\.7: install libcublas-\d+-\d+ from .*/
      )
      assert.match(ofCublas, /pip install 'nvidia-cublas.*LD_LIBRARY_PATH$/)
      assert.ok(lines.includes('cublasCreate 1') && lines.includes(`cublasGetStatusString ${ofCublas}`))
    }
    if (ofNccl) {
      assert.match(ofNccl, /^NCCL 2 cannot be used, .* is of version .*: install libnccl2 .*nvidia-nccl-cu\d\d; .*/)
      assert.ok(lines.includes('ncclCommInitAll 2') && lines.includes(`ncclGetErrorString ${ofNccl}`))
    }
  })
})
