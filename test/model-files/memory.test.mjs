/** How many captions at once fit beside a model's weights. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { fittingSequences, memoryBudget } from '../../dist/memory.js'

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

test('where not even one seems to fit, loading is what says so', () => {
  assert.equal(fit(68.8e9, [{ ...gpu, memoryTotal: 24e9 }]), 1)
  assert.equal(fit(1e9, [{ ...gpu, type: 'cpu', memoryTotal: 0 }]), 1)
})
