/** Worker threads that are ended at any moment, with native work in every state: the process goes on and captions. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import test from 'node:test'
import { root } from '../helpers/cli.mjs'

// Of each kind. `npm run stress:workers` asks for more.
const count = process.env.VCAP_ENDED_WORKERS ?? '6'

for (const what of ['loads', 'captions', 'aborts', 'features', 'resamples']) {
  test(`${count} workers ended amid ${what}, then a caption on the main thread`, () => {
    const args = [path.join(root, 'test/helpers/end-workers.mjs'), what, count]
    // A process of its own, since the fault would end it.
    const { status, signal, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 240_000 })
    assert.deepEqual({ status, signal, stderr }, { status: 0, signal: null, stderr: '' })
    const { before, after } = JSON.parse(stdout)
    assert.equal(before.length, 8)
    assert.deepEqual(after, before)
  })
}
