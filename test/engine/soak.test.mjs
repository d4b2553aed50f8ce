/** A short soak: `npm run soak` is the long one, with its limits. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { soakAddon } from '../helpers/soak-addon.mjs'

const linux = { skip: process.platform !== 'linux' && 'memory of its own is read from /proc' }

test(
  'models loaded, used in every way and closed leave no memory behind that a leaked model would take',
  linux,
  async () => {
    const memory = await soakAddon({ cycles: 8, captions: 2 })
    // What is kept of one model, 4 KV sequences of 4096 positions and the weights, is more than 10 MB.
    const growth = (memory.at(-1) - memory[4]) / 3
    assert.ok(growth < 5e6, `${memory.map((bytes) => (bytes / 1e6).toFixed(1)).join(', ')} MB`)
  }
)
