/** Tables as people's tools write them, from end to end: every row is there, or the table is refused with its line. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { run } from '../../dist/index.js'
import { readCells, root } from '../helpers/cli.mjs'
import { temporaryFolder } from '../helpers/media.mjs'
import { nullCaptioner } from '../helpers/null-captioner.mjs'
import { ownColumns } from '../helpers/random-tables.mjs'

const folder = temporaryFolder()
const output = path.join(folder, 'out.csv')

/** The output's cells without ours, the warnings, and how many rows were captioned before the run ended. */
async function captionTable(input) {
  const warnings = []
  const captioner = nullCaptioner()
  let captioned = 0
  const captionRow = async (...args) => {
    captioned++
    return captioner.captionRow(...args)
  }
  const onEvent = (event) => {
    if (event.type === 'warning') warnings.push(event.message)
    if (event.type === 'warning') assert.equal(captioned, 0, 'before the first caption')
  }
  fs.rmSync(output, { force: true })
  try {
    await run(input, output, { captioner: { ...captioner, captionRow }, restart: true, onEvent })
  } catch (error) {
    assert.ok(!fs.existsSync(output))
    return { error, captioned }
  }
  const [columns, ...rows] = readCells(output)
  assert.deepEqual(columns.slice(-ownColumns.length), ownColumns)
  assert.ok(rows.every((cells) => cells.length === columns.length && cells[columns.indexOf('status')] === 'ok'))
  return { cells: [columns, ...rows].map((cells) => cells.slice(0, -ownColumns.length)), warnings, captioned }
}

const fixture = (name) => path.join(root, 'test/fixtures/tables', name)

for (const [name, expected, warning] of [
  ['header-crlf-rows-lf.csv', ['path,id', 'a.mp4,1', 'b.png,2', 'c.mp4,3']],
  ['crlf-part-then-lf-part.csv', ['path,id', 'a.mp4,1', 'b.png,2', 'c.mp4,3', 'd.mp4,4', 'e.mp4,5']],
  ['header-lf-rows-crlf.csv', ['id,path', '1,a.mp4', '2,b.png']],
  ['sep-line.csv', ['path,id', 'a.mp4,1']],
  ['semicolon.csv', ['path,id', 'a.mp4,1'], /: cells stand between ";"; in the output between ","$/],
  ['extra-cell.csv', ['path,id,extra_cells', 'a.mp4,1,extra', 'b.png,2,'], /1 row \(line 2\) has more cells/],
  ['own-columns.csv', ['path', 'a.mp4'], /^The input's columns text, num_frames, status, error will be replaced/]
]) {
  test(`${name}: each row is there`, async () => {
    const { cells, warnings, captioned } = await captionTable(fixture(name))
    assert.deepEqual(cells.map(String), expected)
    assert.equal(captioned, expected.length - 1)
    assert.equal(warnings.length, warning ? 1 : 0, warnings.join('\n'))
    if (warning) assert.match(warnings[0], warning)
  })
}

for (const [name, message] of [
  ['latin1.csv', /latin1\.csv, line 2: the byte 0xe9 is not UTF-8\. Convert it first, as by iconv -f LATIN1 -t UTF-8 /],
  [
    'unclosed-quote.csv',
    /unclosed-quote\.csv, line 2: a quote opens a cell that the next quote, on line 4, does not end/
  ]
]) {
  test(`${name}: refused with its line before the first caption`, async () => {
    const { error, captioned } = await captionTable(fixture(name))
    assert.equal(error.code, 'csv_invalid')
    assert.match(error.message, message)
    assert.equal(captioned, 0)
  })
}

test('our own output as input: the run replaces its own columns, says so, and keeps all others', async () => {
  const input = path.join(folder, 'first.csv')
  fs.writeFileSync(input, 'path,note,id\na.mp4,"x, ""y""",1\nb.mp4,"1\r\n2",2,3\n')
  await captionTable(input)
  fs.copyFileSync(output, input)
  const { cells, warnings } = await captionTable(input)
  assert.deepEqual(cells, [
    ['path', 'note', 'id', 'extra_cells'],
    ['a.mp4', 'x, "y"', '1', ''],
    ['b.mp4', '1\r\n2', '2', '3']
  ])
  assert.match(
    warnings.join(),
    /^The input's columns text, num_frames, status, error, flags will be replaced by this run's own;/
  )
})

test('a table that is refused late was not captioned in part', async () => {
  const input = path.join(folder, 'late.csv')
  fs.writeFileSync(input, `path,a\n${'x.mp4,1\n'.repeat(100_000)}y.mp4,"2\n`)
  const { error, captioned } = await captionTable(input)
  assert.match(error.message, /late\.csv, line 100002: the quote that opens a cell here is never closed/)
  assert.equal(captioned, 0)
})
