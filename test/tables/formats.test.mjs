/** The tools for tables in every format: shards to the byte, types that stay, formats that meet. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { diffTables, joinTables, mergeTables, run, splitTable } from '../../dist/index.js'
import { temporaryFolder } from '../helpers/media.mjs'
import { nullCaptioner } from '../helpers/null-captioner.mjs'

const base = temporaryFolder()
let made = 0
function folder() {
  const name = path.join(base, String(made++))
  fs.mkdirSync(name)
  return (file) => path.join(name, file)
}

/** Values of every kind, with a key that some lines lack, and one in each that no other line has. */
const lines = Array.from({ length: 400 }, (_, i) =>
  [
    `"path":"clips/${i % 300}.mp4"`,
    `"id":${i}`,
    `"big":${i % 2 ? '9007199254740993' : '-0'}`,
    `"share":${i / 8}`,
    `"ok":${i % 3 === 0}`,
    `"nothing":null`,
    `"empty":""`,
    `"text":"say \\"${i % 5}\\",\\n圆"`,
    ...(i % 7 === 0 ? [`"list":[1,{"a":1.50},"x"]`] : []),
    ...(i > 396 ? [`"late":"${i}"`] : [])
  ].join()
).map((line) => `{${line}}\n`)

/** Most rows have a caption of their own; some fail. */
function captioner() {
  const captionRow = async ({ path: file }) => {
    const number = Number(/\d+/.exec(path.basename(file))[0])
    if (number % 9 === 0) return { status: 'unreadable', text: '', numFrames: null, error: 'broken', usage: null }
    const text = number % 4 === 0 ? 'The same on many clips.' : `Clip "${number}",\nand 圆.`
    return { status: 'ok', text, numFrames: number, error: null, usage: null }
  }
  return { ...nullCaptioner(), captionRow }
}

const endings = ['.jsonl', '.parquet', '.tsv', '.csv.gz', '.jsonl.gz']

for (const ending of endings) {
  test(`shards in ${ending} are the whole run's output, to the byte`, async () => {
    const at = folder()
    fs.writeFileSync(at('in.jsonl'), lines.join(''))
    await run(at('in.jsonl'), at(`whole${ending}`), { captioner: captioner() })
    for (const count of [2, 7]) {
      const parts = []
      for (let index = 0; index < count; index++) {
        const part = at(`out-${index}-of-${count}${ending}`)
        await run(at('in.jsonl'), part, { captioner: captioner(), shard: `${index}/${count}` })
        parts.push(part)
      }
      const { rows, flags } = await mergeTables(parts, at(`merged${ending}`))
      assert.equal(rows, 400)
      assert.ok(flags.duplicate > 10)
      assert.ok(fs.readFileSync(at(`merged${ending}`)).equals(fs.readFileSync(at(`whole${ending}`))), `${count} shards`)
    }
  })
}

test('a shard without rows in JSONL, which is an empty file', async () => {
  const at = folder()
  fs.writeFileSync(at('in.jsonl'), lines[0])
  await run(at('in.jsonl'), at('whole.jsonl'), { captioner: captioner() })
  for (const index of [0, 1, 2]) {
    await run(at('in.jsonl'), at('out.shard-{shard}.jsonl'), { captioner: captioner(), shard: `${index}/3` })
  }
  await mergeTables([at('out.jsonl')])
  assert.deepEqual(fs.readFileSync(at('out.jsonl')), fs.readFileSync(at('whole.jsonl')))
})

for (const ending of endings) {
  test(`split and merge in ${ending}: the table again, to the byte`, async () => {
    const at = folder()
    fs.writeFileSync(at('in.jsonl'), lines.join(''))
    await mergeTables([at('in.jsonl')], at(`table${ending}`))
    const { parts } = await splitTable(at(`table${ending}`), at(`part-{part}${ending}`), { parts: 3 })
    await mergeTables(
      parts.map(({ output }) => output),
      at(`out${ending}`)
    )
    assert.ok(fs.readFileSync(at(`out${ending}`)).equals(fs.readFileSync(at(`table${ending}`))))
    const { same, alike } = await diffTables(at('in.jsonl'), at(`out${ending}`), { on: ['id'] })
    assert.deepEqual([same, alike], [true, 400])
  })
}

test('join keeps the types of both', async () => {
  const at = folder()
  fs.writeFileSync(at('in.jsonl'), lines.join(''))
  await mergeTables([at('in.jsonl')], at('in.parquet'))
  fs.writeFileSync(
    at('captions.jsonl'),
    lines
      .map((_, i) => `{"id":${i},"score":${i / 4},"note":[${i}]}\n`)
      .reverse()
      .join('')
  )
  for (const input of ['in.jsonl', 'in.parquet']) {
    const { matched } = await joinTables(at(input), at('captions.jsonl'), at('out.jsonl'), { on: ['id'] })
    assert.equal(matched, 400)
    const joined = fs.readFileSync(at('out.jsonl'), 'utf8').trimEnd().split('\n')
    for (const [i, line] of joined.entries()) {
      const { score, note, id, big, ok } = JSON.parse(line)
      assert.deepEqual([score, note, id, ok], [i / 4, [i], i, i % 3 === 0])
      assert.ok(i % 2 === 0 || /"big":9007199254740993[,}]/.test(line), `beyond 2^53: ${line} ${big}`)
    }
  }
})

test('tables of several formats follow one another; types that differ become text', async () => {
  const at = folder()
  fs.writeFileSync(at('a.jsonl'), '{"path":"1","n":1}\n')
  await mergeTables([at('a.jsonl')], at('a.parquet'))
  fs.writeFileSync(at('b.csv'), 'n,path\n2,2\n')
  await mergeTables([at('a.parquet'), at('b.csv'), at('a.jsonl')], at('out.csv'))
  assert.equal(fs.readFileSync(at('out.csv'), 'utf8'), 'path,n\n1,1\n2,2\n1,1\n')
  await mergeTables([at('b.csv'), at('a.parquet')], at('out.parquet'))
  const { same } = await diffTables(at('out.parquet'), at('out.csv'), { on: ['path', 'n'] })
  assert.equal(same, false, 'the second row of path 1 is missing')
})

test('diff: JSON values are compared as such, nothing and an empty text where both formats tell them', async () => {
  const at = folder()
  fs.writeFileSync(at('a.jsonl'), '{"path":"1","n":1,"t":""}\n')
  fs.writeFileSync(at('b.jsonl'), '{"path":"1","n":"1","t":null}\n')
  fs.writeFileSync(at('c.csv'), 'path,n,t\n1,1,\n')
  const { changedCells, examples } = await diffTables(at('a.jsonl'), at('b.jsonl'))
  assert.deepEqual(changedCells, { n: 1, t: 1 })
  assert.deepEqual(examples.changed[0].cells[0], { column: 'n', a: '1', b: '"1"' })
  for (const file of ['a.jsonl', 'b.jsonl']) assert.ok((await diffTables(at(file), at('c.csv'))).same)
})

test('split: JSONL parts without a line are refused; --format names what names do not', async () => {
  const at = folder()
  fs.writeFileSync(at('in'), '{"path":"1"}\n{"path":"2"}\n')
  const options = { inputFormat: 'jsonl' }
  const split = (more) => splitTable(at('in'), at('part-{part}'), { ...options, ...more })
  await assert.rejects(split({ parts: 3 }), { code: 'usage', message: /has 2 rows: 3 parts would leave some without/ })
  await split({ parts: 2 })
  assert.equal(fs.readFileSync(at('part-1'), 'utf8'), '{"path":"2"}\n')
  await split({ parts: 2, format: 'csv' })
  assert.equal(fs.readFileSync(at('part-1'), 'utf8'), 'path\n2\n')
})
