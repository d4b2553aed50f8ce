/** Devices × devices a replica × replicas: who gets which. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { modelNeeds } from '../../dist/devices/memory.js'
import { chooseDeviceSets } from '../../dist/devices/sets.js'
import { parseRunOptions } from '../../dist/options/index.js'

const build = { llamaCpp: '', backends: ['CPU', 'CUDA'], sanitized: false }
const cpu = { name: 'CPU', description: '', type: 'cpu', memoryFree: 64e9, memoryTotal: 64e9 }
const gpu = (number, memory = 80e9) => ({
  name: `CUDA${number}`,
  description: '',
  type: 'gpu',
  memoryFree: memory,
  memoryTotal: memory
})
const server = (endpoint, devices = 1) => ({
  endpoint,
  devices: Array.from({ length: devices }, (_, i) => ({ ...gpu(i, 24e9), name: i ? `${endpoint}/${i}` : endpoint }))
})
const gpus = (count, memory) => Array.from({ length: count }, (_, i) => gpu(i, memory))
/** LLaVA-1.6-34B in so many bytes. */
const needs = (modelBytes = 68.8e9, sequences) =>
  modelNeeds(
    { modelBytes, mmprojBytes: 0.7e9, kvBytesPerPosition: 245_760, contextTrained: 4096 },
    { kvType: 'f16', contextPerSequence: 0, sequences }
  )
const choose = (local, wishes = {}, { servers = [], asks = needs() } = {}) =>
  chooseDeviceSets(build, { local: [...local, cpu], servers }, { splitMode: 'layer', ...wishes }, asks)
const names = (sets) => sets.map(({ devices, rpc }) => [...devices, ...rpc].join(' '))

test('the reference: eight GPUs, two a replica, four replicas', () => {
  const four = ['CUDA0 CUDA1', 'CUDA2 CUDA3', 'CUDA4 CUDA5', 'CUDA6 CUDA7']
  assert.deepEqual(names(choose(gpus(8), { gpus: '0-7', tpSize: 2, dpSize: 4 })), four)
  assert.deepEqual(names(choose(gpus(8), { tpSize: 2 })), four)
  assert.deepEqual(names(choose(gpus(8), { dpSize: 4 })), four)
  assert.deepEqual(names(choose(gpus(8))), four, 'F16 with 16 captions at once needs two')
  assert.deepEqual(names(choose(gpus(8), { gpus: '6,2', tpSize: 2 })), ['CUDA6 CUDA2'])
})

test('a GPU that this build has no code for is left out where others serve, and refused where it is named', () => {
  const old = { ...gpu(1), problem: 'CUDA1 has no code here' }
  assert.deepEqual(names(choose([gpu(0), old])), ['CUDA0'])
  assert.deepEqual(names(choose([gpu(0), old], { gpus: 'all' })), ['CUDA0'])
  const refused = { code: 'device_unavailable', message: old.problem }
  assert.throws(() => choose([gpu(0), old], { gpus: '1' }), refused)
  assert.throws(() => choose([old]), refused, 'the CPU is no stand-in for it')
  assert.deepEqual(names(choose([old], { gpus: 'none' })), [''])
})

test('the fewest devices that the model fits, and replicas of the rest', () => {
  const sizes = (count, memory, asks) => choose(gpus(count, memory), {}, { asks }).map(({ devices }) => devices.length)
  assert.deepEqual(sizes(8, 80e9, needs(20.7e9)), Array(8).fill(1))
  assert.deepEqual(sizes(8, 80e9, needs(68.8e9, 3)), Array(8).fill(1))
  assert.deepEqual(sizes(4, 24e9, needs(20.7e9)), [2, 2])
  assert.deepEqual(sizes(6, 24e9, needs(36.5e9)), [3, 3])
  assert.deepEqual(sizes(2, 24e9), [2], 'where it fits nowhere, all: loading says what is missing')
  assert.deepEqual(sizes(2, 0), [1, 1], 'devices that do not tell their memory are trusted')
})

test('replicas × devices that are not the devices there are: the choices', () => {
  const wrong = (local, wishes, message) => assert.throws(() => choose(local, wishes), { code: 'usage', message })
  wrong(
    gpus(8),
    { tpSize: 3, dpSize: 2 },
    /3 devices .* × 2 replicas .* are 6 devices, but there are 8: CUDA0, .*--tp-size 2 --dp-size 4, or --tp-size 4/
  )
  wrong(gpus(8), { tpSize: 3 }, /3 devices .* × 2 replicas .* are 6/)
  wrong(gpus(2), { tpSize: 4 }, /Choose --tp-size 1 --dp-size 2, or --tp-size 2 --dp-size 1/)
  wrong(gpus(8), { dpSize: 3 }, /2 devices .* × 3 replicas/)
  wrong(gpus(1), { dpSize: 2 }, /1 devices .* × 2 replicas/)
  wrong(gpus(17), { tpSize: 17 }, /16 devices at most/)
  wrong([], { tpSize: 2 }, /the CPU alone/)
  wrong(gpus(2), { tpSize: 2, tensorSplit: [1] }, /each of the 2 devices .* received 1: 1/)
})

test('the CPU is as many replicas as are asked for', () => {
  assert.deepEqual(choose([]), [{ devices: [], rpc: [], splitMode: 'layer' }])
  assert.deepEqual(names(choose(gpus(2), { gpus: 'none', dpSize: 3 })), ['', '', ''])
})

test('RPC servers come after the GPUs, and none is parted', () => {
  const servers = [server('a:1'), server('b:1')]
  assert.deepEqual(names(choose(gpus(2), { tpSize: 2 }, { servers })), ['CUDA0 CUDA1', 'a:1 b:1'])
  assert.deepEqual(names(choose([], { tpSize: 1 }, { servers })), ['a:1', 'b:1'])
  const large = [server('a:1', 2), server('b:1', 2)]
  assert.deepEqual(names(choose([], { tpSize: 2 }, { servers: large })), ['a:1', 'b:1'])
  assert.throws(() => choose([], { tpSize: 1 }, { servers: large }), {
    code: 'usage',
    message: /server at a:1 offers 2 devices to one client at a time/
  })
  assert.deepEqual(names(choose([], {}, { servers: large, asks: needs(1e9) })), ['a:1', 'b:1'])
})

test('devices share by their memory, the tower taken off the first, unless it is said how', () => {
  const [{ tensorSplit }] = choose([gpu(0, 80e9), gpu(1, 24e9)], { tpSize: 2 })
  assert.equal(tensorSplit.length, 2)
  assert.ok(Math.abs(tensorSplit[0] / tensorSplit[1] - (80 * 0.94 - 2 - 0.7) / (24 * 0.94 - 2)) < 0.1)
  assert.deepEqual(choose(gpus(2), { tpSize: 2 })[0].tensorSplit, [1, 1], 'what the tower takes of 80 GB is no matter')
  assert.deepEqual(choose(gpus(2), { tpSize: 2, tensorSplit: [3, 1] })[0].tensorSplit, [3, 1])
  assert.deepEqual(choose(gpus(2, 0), { tpSize: 2 })[0].tensorSplit, [1, 1])
  assert.equal(choose(gpus(1))[0].tensorSplit, undefined)
  assert.throws(() => parseRunOptions({ tensorSplit: [1, 0] }), { code: 'usage' })
})
