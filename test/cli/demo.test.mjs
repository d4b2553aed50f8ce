import assert from 'node:assert/strict'
import path from 'node:path'
import test from 'node:test'
import { cli, readRows } from '../helpers/cli.mjs'
import { temporaryFolder } from '../helpers/media.mjs'

test('demo captions its own videos, rightly', async () => {
  const folder = temporaryFolder()
  const { status, stdout, stderr } = await cli(['demo', '--out', folder])
  assert.equal(status, 0, stderr)
  const rows = readRows(path.join(folder, 'captions.csv'))
  assert.equal(rows.length, 14)
  assert.ok(rows.every((row) => row.status === 'ok'))
  assert.ok(new Set(rows.map((row) => path.extname(row.path))).size >= 3, 'several containers')
  const right = rows.filter((row) => row.text === row.expected).length
  assert.match(stdout, new RegExp(`${right} of 14 captions are right\\. They are in ${folder}`))
  assert.ok(right >= 13, stdout)
})
