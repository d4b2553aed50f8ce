/** How a model of the list fits devices that are assumed; the same as `plan` says of one that is here. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import vcap from '../../dist/index.js'
import { fitModel } from '../../dist/devices/fit.js'
import { assumeDevices } from '../../dist/devices/rates.js'
import { models, sizeOnHub } from '../../dist/models/list.js'

const build = { backends: ['CPU', 'CUDA'], whyNoCudaGpu: '' }
const cpu = (bytes) => ({ name: 'CPU', description: 'CPU', type: 'cpu', memoryFree: bytes, memoryTotal: bytes })

function fit(name, ...devices) {
  const listed = models.find((one) => one.name === name)
  const sizes = { modelBytes: sizeOnHub(listed).bytes, mmprojBytes: 0, ...listed.context }
  return fitModel(sizes, build, { local: [...devices, cpu(64e9)], servers: [] })
}

const gpus = (text) => assumeDevices([text])

test('GPUs that hold it, each or together, or how many would', () => {
  assert.deepEqual(fit('llava-v1.6-34b', ...gpus('8xH100')), {
    ...{ tpSize: 1, dpSize: 8, sequences: 16, missing: 0, gpusNeeded: 1 }
  })
  assert.deepEqual(fit('llava-v1.6-34b', ...gpus('4x24GB')), {
    ...{ tpSize: 2, dpSize: 2, sequences: 16, missing: 0, gpusNeeded: 2 }
  })
  const short = fit('llava-v1.6-34b-q8_0', ...gpus('1x24GB'))
  assert.equal(short.sequences, 0)
  assert.equal(short.gpusNeeded, 2)
  // Weights, and one caption of 4,096 positions, beside what a GPU of 24 GB has for them.
  assert.equal(
    Math.round(short.missing),
    Math.round(36_542_281_984 + 699_985_504 + 4096 * 245_760 - (24e9 * 0.94 - 2e9))
  )
})

test('the CPU: captions at once, or the memory that is missing', () => {
  const sizes = { modelBytes: 20e9, mmprojBytes: 1e9, kvBytesPerPosition: 245_760, contextTrained: 4096 }
  const on = (bytes) => fitModel(sizes, build, { local: [cpu(bytes)], servers: [] })
  assert.deepEqual(on(64e9), { tpSize: 1, dpSize: 1, sequences: 16, missing: 0 })
  assert.equal(on(26e9).sequences, 2)
  assert.equal(on(16e9).sequences, 0)
  assert.equal(Math.round(on(16e9).missing), Math.round(21e9 + 4096 * 245_760 - (16e9 * 0.94 - 1e9)))
  // Enough for the weights, and not for a caption.
  assert.equal(Math.round(on(23.9e9).missing), Math.round(21e9 + 4096 * 245_760 - (23.9e9 * 0.94 - 1e9)))
})

test('a model that is here: what plan says of it', async () => {
  const { model, tpSize, dpSize, sequences, devices } = await vcap.plan({ model: 'demo' })
  const { missing, gpusNeeded, ...found } = fitModel(model, build, { local: devices, servers: [] })
  assert.deepEqual(found, { tpSize, dpSize, sequences })
  assert.equal(missing, 0)
})

test('every name of the list: its files, a checksum each or none, and what its context takes', () => {
  for (const listed of models.filter(({ source }) => source)) {
    const { source, context } = listed
    assert.deepEqual(Object.keys(source.contents), [source.model, source.mmproj], listed.name)
    for (const { sha256, bytes } of Object.values(source.contents)) {
      assert.match(sha256 ?? 'a'.repeat(64), /^[0-9a-f]{64}$/)
      assert.ok(Number.isSafeInteger(bytes) && bytes > 5e8)
    }
    assert.ok(context.contextTrained >= 4096 && context.kvBytesPerPosition > 1e5)
  }
})
