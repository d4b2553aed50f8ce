/** Our preprocessing against the reference's, on the images of test/fixtures/parity. */
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { listExpected, readExpected } from './expected.mjs'
import { checkPixels, pixelFaults } from './pixels.mjs'

const fixtures = fileURLToPath(new URL('../fixtures/parity', import.meta.url))
const require = createRequire(import.meta.url)
const addon = require('../../dist/native/load.js').loadAddon()

for (const name of listExpected(fixtures)) {
  test(`${name}: tiles are the reference's`, () => {
    const expected = readExpected(path.join(fixtures, name))
    assert.deepEqual(pixelFaults(checkPixels(addon, expected)), [])
  })
}
