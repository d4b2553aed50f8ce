/** docs/api.md says what the sources say. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { test } from 'node:test'
import { root } from '../helpers/cli.mjs'

test('the page of the library is what the docstrings give', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [path.join(root, 'scripts', 'api.mjs'), '--check'], {
    cwd: root,
    encoding: 'utf8'
  })
  assert.equal(status, 0, `${stdout}${stderr}`)
})
