/** Each table of the cases through a run whose captioner answers at once. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { run } from '../../dist/index.js'
import { readCells } from '../helpers/cli.mjs'
import { temporaryFolder } from '../helpers/media.mjs'
import { nullCaptioner } from '../helpers/null-captioner.mjs'
import { ownColumns } from '../helpers/random-tables.mjs'
import { matches } from './says.mjs'
import { tableCases } from './tables.mjs'

const base = temporaryFolder()

for (const [i, { name, contents, file = 'in.csv', rows, warns, code, says }] of tableCases.entries()) {
  test(`table: ${name}`, async () => {
    const folder = path.join(base, `${i}.csv`) // ".csv" inside a directory's name
    fs.mkdirSync(folder)
    const input = path.join(folder, file)
    const output = path.join(folder, 'out.csv')
    fs.writeFileSync(input, contents)
    const warnings = []
    const onEvent = ({ type, message }) => type === 'warning' && warnings.push(message)
    const running = run(input, output, { captioner: nullCaptioner(), onEvent })
    if (code) {
      const error = await running.catch((thrown) => thrown)
      assert.deepEqual([error.code, error.exitCode], [code, 2], String(error.message))
      assert.ok(matches(says, error.message), error.message)
      assert.deepEqual(fs.readdirSync(folder), [file], 'nothing is left')
      return
    }
    await running
    const cells = readCells(output).map((row) => row.slice(0, -ownColumns.length))
    assert.deepEqual(cells, rows)
    assert.equal(warnings.length, warns.length, warnings.join('\n'))
    for (const [i, warning] of warnings.entries()) assert.ok(matches(warns[i], warning), warning)
  })
}
