/** Tables of other formats through the command, with the demo model. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { openTable } from '../../dist/rows/table.js'
import { main, run } from '../helpers/cli.mjs'
import { demoSamples } from '../helpers/samples.mjs'

const { folder, samples } = await demoSamples({ clips: 1, images: 2, largest: 96 })
const at = (name) => path.join(folder, name)
const lines = samples.map(({ path }, i) => `{"path":"${path}","id":900719925474099${i},"tags":["a",${i}]}\n`)

test('JSONL in, Parquet out; Parquet in, CSV out', async () => {
  fs.writeFileSync(at('formats.jsonl'), lines.join(''))
  const { status, stderr } = await run(at('formats.jsonl'), at('formats.parquet'))
  assert.equal(status, 0, stderr)
  const table = await openTable(at('formats.parquet'))
  const records = []
  for await (const cells of table.records())
    records.push(Object.fromEntries(cells.map((cell, i) => [table.columns[i], cell])))
  table.close()
  assert.deepEqual(
    records.map(({ id, tags, status }) => [id, tags, status]),
    samples.map((_, i) => [9007199254740990n + BigInt(i), `["a",${i}]`, 'ok'])
  )
  assert.ok(records.every(({ text, num_frames }) => text.length > 10 && num_frames >= 1n))
  assert.equal((await run(at('formats.parquet'), at('formats.csv'))).status, 0)
  assert.match(fs.readFileSync(at('formats.csv'), 'utf8'), /^path,id,tags,text,.*\n.*,9007199254740990,"\[""a"",0\]",/)
})

test('from standard input to standard output: rows alone on the one, all else on stderr', () => {
  const ask = (...more) => {
    const args = [main, 'run', '-', '-', '--model', 'demo', '--gpus', 'none', '--root', folder, ...more]
    return spawnSync(process.execPath, args, { input: lines.join(''), encoding: 'utf8' })
  }
  const { status, stdout, stderr } = ask('--format', 'jsonl')
  assert.equal(status, 0, stderr)
  const rows = stdout.trimEnd().split('\n')
  for (const [i, row] of rows.entries()) assert.ok(row.startsWith(`${lines[i].slice(0, -2)},"text":"A`), row)
  assert.equal(rows.length, samples.length)
  assert.match(stderr, /Output - is a stream: what is captioned is lost if this run is stopped; --journal DIR keeps it/)
  const journal = at('formats.journal')
  const first = ask('--input-format', 'jsonl', '--format', 'tsv', '--journal', journal)
  assert.match(first.stdout, /^path\tid\ttags\ttext\t.*\n.*\t9007199254740990\t/)
  assert.doesNotMatch(first.stderr, /is a stream/)
  const again = ask('--format', 'jsonl', '--journal', journal)
  assert.deepEqual([again.status, again.stdout], [0, stdout])
  assert.match(again.stderr, /Going on: 3 rows are done/)
})

test('a name of no format', async () => {
  const { status, stderr } = await run(at('formats.jsonl'), at('never.csv'), '--format', 'xml')
  assert.equal(status, 2)
  assert.match(
    stderr,
    /Expected one of csv, tsv, jsonl, parquet, or with \.gz or \.zst, such as jsonl\.gz but received/
  )
})
