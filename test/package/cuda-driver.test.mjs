/** The functions of NVIDIA's driver that the addon looks up at run time: with a driver, and without one. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import { root } from '../helpers/cli.mjs'
import { temporaryFolder } from '../helpers/media.mjs'

const toolkit = process.env.CUDAToolkit_ROOT ?? '/usr/local/cuda'
const include = path.join(toolkit, 'include')
const native = path.join(root, 'native')
const skip = !fs.existsSync(path.join(include, 'cuda.h')) && 'no CUDA toolkit, whose cuda.h declares the functions'
const folder = temporaryFolder()
const at = (name) => path.join(folder, name)

const compile = (input, ...args) =>
  execFileSync('c++', ['-std=c++17', `-I${include}`, `-I${native}`, '-x', 'c++', '-', ...args], { input, cwd: folder })

/** All functions of driver.cpp, with numbers that tell their arguments apart: called as the driver has them. */
const calls = {
  cuDeviceGet: '(CUdevice *)1, 2',
  cuDeviceGetAttribute: '(int *)1, (CUdevice_attribute)2, 3',
  cuMemAddressReserve: '(CUdeviceptr *)1, 2, 3, 4, 5',
  cuMemAddressFree: '1, 2',
  cuMemCreate: '(CUmemGenericAllocationHandle *)1, 2, (const CUmemAllocationProp *)3, 4',
  cuMemRelease: '1',
  cuMemMap: '1, 2, 3, 4, 5',
  cuMemUnmap: '1, 2',
  cuMemSetAccess: '1, 2, (const CUmemAccessDesc *)3, 4',
  cuMemGetAllocationGranularity: '(size_t *)1, (const CUmemAllocationProp *)2, (CUmemAllocationGranularity_flags)3'
}
const count = (args) => args.split(/,(?![^(]*\))/).length

/** A program that prints what each function returns, and the text for an error. */
function buildCaller() {
  const printed = Object.entries(calls).map(([name, args]) => `printf("${name} %d\\n", (int)${name}(${args}));`)
  const program = `#include <cuda.h>
    #include <cstdio>
    int main() {
      ${printed.join('\n')}
      const char * text = nullptr;
      const int result = cuGetErrorString(CUDA_ERROR_OUT_OF_MEMORY, &text);
      printf("cuGetErrorString %d %s\\n", result, text);
    }`
  compile(program, '-x', 'c++', path.join(native, 'cuda', 'driver.cpp'), '-ldl', '-o', 'caller')
}

/** A library of the driver's name whose functions return the sum of their arguments plus a hundred for each. */
function buildDriver() {
  const functions = Object.entries(calls).map(([name, args]) => {
    const parameters = Array.from({ length: count(args) }, (_, i) => `unsigned long long a${i}`)
    const sum = parameters.map((_, i) => `static_cast<int>(a${i})`).join(' + ')
    return `int ${name}(${parameters.join(', ')}) { return ${sum} + ${100 * parameters.length}; }`
  })
  compile(
    `extern "C" { ${functions.join('\n')}
      int cuGetErrorString(int error, const char ** text) { *text = error == 2 ? "too little" : "?"; return 0; } }`,
    ...['-shared', '-fPIC', '-o', 'libcuda.so.1']
  )
}

const run = (env) => {
  const output = execFileSync(at('caller'), { encoding: 'utf8', env: { ...process.env, ...env } })
  return Object.fromEntries(
    output
      .trim()
      .split('\n')
      .map((line) => line.match(/^(\S+) (.*)$/).slice(1))
  )
}

test("the driver's functions get their arguments, and answer without a driver", { skip }, () => {
  const source = fs.readFileSync(path.join(native, 'cuda', 'driver.cpp'), 'utf8')
  const defined = [...source.matchAll(/^VCAP_DRIVER_FUNCTION\((\w+)/gm)].map(([, name]) => name)
  assert.deepEqual(defined, Object.keys(calls))
  buildCaller()
  buildDriver()
  const sums = Object.entries(calls).map(([name, args]) => {
    const n = count(args)
    return [name, String((n * (n + 1)) / 2 + 100 * n)]
  })
  assert.deepEqual(run({ LD_LIBRARY_PATH: folder }), { ...Object.fromEntries(sums), cuGetErrorString: '0 too little' })
  // A real driver would be found by its path: a name that cannot be loaded stands before it.
  fs.writeFileSync(at('libcuda.so.1'), 'no library')
  const without = run({ LD_LIBRARY_PATH: folder })
  for (const name of defined) assert.equal(without[name], '3', name)
  assert.equal(without.cuGetErrorString, '3 no NVIDIA driver (libcuda.so.1)')
})
