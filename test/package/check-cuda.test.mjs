/** `npm run check:cuda` where there is no GPU: on the CPU, on RPC servers, and refused. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import test, { after } from 'node:test'
import { gpuCode } from '../../bench/cuda/fatbin.mjs'
import { loadAddon } from '../../dist/native/load.js'
import { root } from '../helpers/cli.mjs'
import { temporaryFolder } from '../helpers/media.mjs'
import { realServer } from '../helpers/rpc.mjs'

const folder = temporaryFolder()

/** Runs the check; its exit code, report and sections by their names. */
function check(...args) {
  const out = path.join(folder, 'report')
  const file = path.join(root, 'bench', 'check-cuda.mjs')
  const { status, stderr } = spawnSync(process.execPath, [file, '--out', out, ...args], { encoding: 'utf8' })
  const { sections } = JSON.parse(fs.readFileSync(`${out}.json`, 'utf8'))
  const report = fs.readFileSync(`${out}.md`, 'utf8')
  return { status, stderr, report, ...Object.fromEntries(sections.map((section) => [section.name, section])) }
}

test('on the CPU: sections have results, and what does not fit the limit is left out', () => {
  const found = check('--device', 'none', '--short', '--only', 'devices,build,parity,tower,split')
  assert.equal(found.status, 0, found.stderr)
  for (const name of ['devices', 'build', 'parity']) assert.equal(found[name].right, true, name)
  assert.ok(found.tower.data.measured.every(({ perSecond }) => perSecond > 0))
  assert.match(found.split.skipped, /one device/)
  assert.match(found.report, /^## parity: right \(\d+ s\)$/m)
  assert.match(found.report, /^## split: skipped/m)
  const brief = check('--device', 'none', '--short', '--only', 'devices', '--limit', '1')
  assert.match(brief.devices.skipped, /takes about 3 s, and 1 s were left/)
})

test('two RPC servers: layers and tensors split over them', async () => {
  const servers = [await realServer(), await realServer()]
  after(() => Promise.all(servers.map(({ kill }) => kill())))
  const list = servers.map(({ endpoint }) => endpoint).join(',')
  const { status, stderr, split } = check('--device', list, '--short', '--only', 'split')
  assert.equal(status, 0, stderr)
  assert.deepEqual([...new Set(split.data.measured.map(({ splitMode }) => splitMode))], ['layer', 'tensor'])
})

const gpus = loadAddon()
  .devices([])
  .some(({ type }) => type === 'gpu')

test('without a GPU the check fails and says how to try it', { skip: gpus && 'there is a GPU here' }, () => {
  const { status, devices, report } = check('--only', 'devices')
  assert.equal(status, 1)
  assert.match(devices.failed, /There is no GPU here .*--device none --short/)
  assert.match(report, /^## devices: FAILED/m)
})

const nvcc = spawnSync('nvcc', ['--version']).status === 0

test('the GPU code in a file is told by architecture', { skip: !nvcc && 'there is no nvcc' }, () => {
  const [source, object] = ['kernel.cu', 'kernel.o'].map((name) => path.join(folder, name))
  fs.writeFileSync(source, '__global__ void twice(float * x) { x[threadIdx.x] *= 2; }')
  const code = ['arch=compute_80,code=[compute_80,sm_80]', 'arch=compute_89,code=sm_89']
  code.push('arch=compute_90a,code=sm_90a')
  const { status, stderr } = spawnSync('nvcc', [
    '-c',
    source,
    '-o',
    object,
    ...code.map((each) => `--generate-code=${each}`)
  ])
  assert.equal(status, 0, String(stderr))
  assert.deepEqual(gpuCode(object), { compute_80: 1, sm_80: 1, sm_89: 1, sm_90a: 1 })
  assert.deepEqual(gpuCode(source), {})
})
