/** Which GPUs a replica's process sees. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { namedDevices } from '../../dist/devices/find.js'
import { ownGpus } from '../../dist/replicas/own-gpus.js'

for (const [what, devices, visible, own, names] of [
  ['the first ones', ['CUDA0', 'CUDA1'], undefined, '0,1', ['CUDA0', 'CUDA1']],
  ['others, in their order', ['CUDA6', 'CUDA4'], undefined, '6,4', ['CUDA0', 'CUDA1']],
  ['of those that are visible', ['CUDA1', 'CUDA3'], '2, 3,5,7', '3,7', ['CUDA0', 'CUDA1']],
  ['by their UUIDs', ['CUDA1'], 'GPU-8932f937,MIG-GPU-8932f937/1/2', 'MIG-GPU-8932f937/1/2', ['CUDA0']],
  ['none', [], undefined, '', []],
  ['none of those that are visible', [], '0,1', '', []]
]) {
  test(`${what}: a replica sees no others`, () => {
    const set = { devices, rpc: ['a:1'], splitMode: 'layer', tensorSplit: [1, 2] }
    const env = { HOME: '/home', ...(visible !== undefined && { CUDA_VISIBLE_DEVICES: visible }) }
    assert.deepEqual(ownGpus(set, env), {
      set: { ...set, devices: names },
      env: { HOME: '/home', CUDA_VISIBLE_DEVICES: own }
    })
  })
}

test('GPUs of another kind, and what cannot be, leave everything as it is', () => {
  for (const [devices, env] of [
    [['Vulkan0'], {}],
    [['CUDA0', 'Vulkan1'], {}],
    [['CUDA2'], { CUDA_VISIBLE_DEVICES: '0,1' }]
  ]) {
    const set = { devices, rpc: [], splitMode: 'layer' }
    assert.deepEqual(ownGpus(set, env), { set, env })
  }
})

test('a GPU that is not there any more is an error: the CPU is no stand-in for it', () => {
  const there = ['CPU', 'CUDA0'].map((name) => ({ name, type: name === 'CPU' ? 'cpu' : 'gpu', memoryTotal: 1e9 }))
  const set = { devices: ['CUDA0', 'CUDA1'], rpc: [], splitMode: 'layer' }
  assert.throws(() => namedDevices(set, there), {
    code: 'device_unavailable',
    message: 'There is no device CUDA1 here (any more); there are: CPU, CUDA0'
  })
  assert.deepEqual(namedDevices({ ...set, devices: ['CUDA0'] }, there).names, ['CUDA0'])
})
