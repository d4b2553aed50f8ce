/**
 * The vision tower, the packing and the language model against Hugging Face transformers,
 * on the models in test/fixtures/parity. `npm run parity` does the same on fresh ones.
 */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { checkModel, loadPair } from './check.mjs'
import { compareRows } from './compare.mjs'
import { listExpected, readExpected } from './expected.mjs'
import { checkGeometry } from './geometry.mjs'
import { picture } from './picture.mjs'

const fixtures = fileURLToPath(new URL('../fixtures/parity', import.meta.url))
const require = createRequire(import.meta.url)
// tools/parity/mutants.mjs names addons that it has broken on purpose.
const addon = process.env.VCAP_PARITY_ADDON
  ? require(process.env.VCAP_PARITY_ADDON)
  : require('../../dist/native/load.js').loadAddon()

for (const name of listExpected(fixtures)) {
  test(`${name}: features, logits and greedy tokens are the reference's`, async () => {
    const { faults } = await checkModel(addon, readExpected(path.join(fixtures, name)))
    assert.deepEqual(faults, [])
  })
}

test('20,000 image sizes are laid out as the reference does it', () => {
  const geometry = JSON.parse(fs.readFileSync(path.join(fixtures, 'geometry.json'), 'utf8'))
  assert.deepEqual(checkGeometry(addon, geometry), [])
})

test('features do not depend on what shares their batch', async () => {
  const expected = readExpected(path.join(fixtures, 'plain'))
  const model = await loadPair(addon, expected)
  try {
    const pictures = expected.images.map(({ width, height, seed }) => picture(width, height, seed))
    const twice = [...pictures, ...pictures]
    const together = await model.embed(twice.toReversed(), 'full').promise
    let offset = together.data.length
    for (const each of twice) {
      const alone = await model.embed([each], 'full').promise
      const among = together.data.subarray(offset - alone.data.length, offset)
      offset -= alone.data.length
      assert.ok(compareRows(among, alone.data, alone.width).relative <= 1e-5)
    }
  } finally {
    await model.close()
  }
})
