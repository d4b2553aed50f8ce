/** docs/api.md and docs/events.md say what the sources say. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { test } from 'node:test'
import { root } from '../helpers/cli.mjs'

for (const [page, script] of [
  ['the page of the library', 'api.mjs'],
  ['the page of events, and their schema,', 'events.mjs']
]) {
  test(`${page} is what the docstrings give`, () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [path.join(root, 'scripts', script), '--check'], {
      cwd: root,
      encoding: 'utf8'
    })
    assert.equal(status, 0, `${stdout}${stderr}`)
  })
}
