/** How many captions at once fit beside a model's weights. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { loadCaptioner } from '../../dist/index.js'
import { fittingSequences, memoryBudget, requireMemory } from '../../dist/devices/memory.js'

const gpu = { name: 'CUDA0', description: '', type: 'gpu', memoryFree: 0, memoryTotal: 80e9 }
/** LLaVA-1.6-34B: 60 layers of 8 heads of 128 keys and values. */
const facts = (modelBytes) => ({ modelBytes, mmprojBytes: 0.7e9, kvBytesPerPosition: 245_760 })
const fit = (modelBytes, devices, kvType = 'f16', context = 4096) =>
  fittingSequences(memoryBudget(facts(modelBytes), devices, kvType), context)

test('34B on 80 GB: what fits beside the weights, and never more than 16', () => {
  assert.equal(fit(68.8e9, [gpu]), Math.floor((80e9 * 0.94 - 2e9 - 69.5e9) / (4096 * 245_760)))
  assert.equal(fit(68.8e9, [gpu, gpu]), 16)
  assert.equal(fit(68.8e9, [gpu], 'q8_0'), 6)
  assert.equal(fit(68.8e9, [gpu, { ...gpu, memoryTotal: 0 }]), fit(68.8e9, [gpu]))
  assert.equal(fit(20.7e9, [gpu]), 16)
  assert.equal(fit(36.5e9, [gpu], 'f16', 16_384), 8)
})

test('replicas that share a memory: a mapped language model is there once, all else for each', () => {
  const cpu = [{ ...gpu, name: 'CPU', type: 'cpu', memoryTotal: 200e9 }]
  const left = (replicas, mmap) => memoryBudget(facts(20e9), cpu, 'f16', { replicas, mmap }).left
  const near = (seen, expected) => assert.ok(Math.abs(seen - expected) < 1, `${seen}, not ${expected}`)
  assert.equal(left(1, true), memoryBudget(facts(20e9), cpu, 'f16').left)
  near(left(1, false), left(1, true))
  near(left(4, true), (200e9 * 0.94 - 4 * 1e9 - 20e9) / 4 - 0.7e9)
  near(left(4, false), (200e9 * 0.94 - 4 * 1e9) / 4 - 20.7e9)
  assert.equal(left(64, false), 0)
})

test('where not even one fits, one is chosen, and the check says so', () => {
  assert.equal(fit(68.8e9, [{ ...gpu, memoryTotal: 24e9 }]), 1)
  assert.equal(fit(1e9, [{ ...gpu, type: 'cpu', memoryTotal: 0 }]), 1)
})

test('captions at once and context asked for are held against the memory, and what fits is said', () => {
  const check = (sequences, context, devices = [gpu], kvType = 'f16') =>
    requireMemory(memoryBudget(facts(68.8e9), devices, kvType), devices, sequences, context)
  assert.doesNotThrow(() => check(3, 4096))
  assert.throws(() => check(4, 4096), {
    code: 'out_of_memory',
    message:
      /4 × 4096 positions .* need 4\.0 GB, but 3\.7 GB are left .* CUDA0\. What fits: 3 at once, or 3584 positions each/
  })
  assert.throws(() => check(1, 10_000_000), { message: /What fits: \d+ positions each$/ })
  assert.doesNotThrow(() => check(6, 4096, [gpu], 'q8_0'))
  assert.throws(() => check(1, 256, [{ ...gpu, memoryTotal: 24e9 }]), { message: /The weights take 69\.5 GB/ })
  assert.doesNotThrow(() => check(1024, 4096, [{ ...gpu, memoryTotal: 0 }]))
})

test('a model whose keys and values cannot fit is refused before it is loaded', async () => {
  const started = performance.now()
  await assert.rejects(loadCaptioner({ model: 'demo', sequences: 1024, contextPerSequence: 10_000_000 }), {
    code: 'out_of_memory'
  })
  await assert.rejects(loadCaptioner({ model: 'demo', contextPerSequence: 10_000_000, kvType: 'f32' }), {
    code: 'out_of_memory'
  })
  assert.ok(performance.now() - started < 5000, 'the headers alone were read')
})
