/** `run` with a captioner that is there already: rows, order and counts without a model. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { run } from '../../dist/index.js'
import { nullCaptioner } from '../../bench/null-captioner.mjs'
import { readRows } from '../helpers/cli.mjs'
import { temporaryFolder } from '../helpers/media.mjs'

test('thousands of rows through a captioner that answers at once, out of order', async () => {
  const folder = temporaryFolder()
  const input = path.join(folder, 'in.csv')
  const output = path.join(folder, 'out.csv')
  fs.writeFileSync(
    input,
    `id,path,text\n${Array.from({ length: 3000 }, (_, i) => `${i},"clip ""${i}"".mp4",old\n`).join('')}`
  )
  const engine = nullCaptioner()
  let closed = false
  const captioner = {
    ...engine,
    captionOrError: async (file) => {
      if (Math.random() < 0.01) await new Promise((resolve) => setTimeout(resolve, 2))
      return { ...(await engine.captionOrError(file)), text: path.basename(file) }
    },
    close: async () => {
      closed = true
    }
  }
  let total
  const { rows, failed, statuses } = await run(input, output, {
    captioner,
    onEvent: (event) => {
      if (event.type === 'total') total = event.rows
    }
  })
  assert.deepEqual({ rows, failed, statuses }, { rows: 3000, failed: 0, statuses: { ok: 3000 } })
  assert.equal(total, 3000)
  assert.ok(!closed, 'who loads it closes it')
  const written = readRows(output)
  assert.deepEqual(
    written.map(({ id }) => Number(id)),
    Array.from({ length: 3000 }, (_, i) => i)
  )
  assert.ok(written.every(({ id, path: name, text }) => name === `clip "${id}".mp4` && text === name))
})

test('what is no captioner is refused', async () => {
  await assert.rejects(run('in.csv', 'out.csv', { captioner: {} }), {
    code: 'usage',
    message: /Expected captioner made by loadCaptioner/
  })
})
