/** What is no table of its format, cut short or damaged: each is refused in one line, and nothing is left. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import zlib from 'node:zlib'
import { run } from '../../dist/index.js'
import { openTable } from '../../dist/rows/table.js'
import { root } from '../helpers/cli.mjs'
import { temporaryFolder } from '../helpers/media.mjs'
import { nullCaptioner } from '../helpers/null-captioner.mjs'
import { Random } from '../helpers/random-tables.mjs'

const folder = temporaryFolder()
const fixture = (name) => fs.readFileSync(path.join(root, 'test/fixtures/tables', name))
const parquet = fixture('types-snappy.parquet')
const csv = 'path,a\nx.mp4,1\n'
const gzip = zlib.gzipSync(`path\n${'clip.mp4\n'.repeat(100_000)}`)
const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`

/** With the first bytes of the magic kept, others in the place of some. */
function damaged(bytes, at, byte) {
  const copy = Buffer.from(bytes)
  copy[at] = byte
  return copy
}

const cases = [
  ['a gzip file that is cut short', 'a.csv.gz', gzip.subarray(0, gzip.length - 20), /damaged or cut short: unexp/],
  [
    'a gzip file with a wrong checksum',
    'a.csv.gz',
    damaged(gzip, gzip.length - 6, 1),
    /damaged or cut short: incorrect/
  ],
  ['a CSV that is named as one by gzip', 'a.csv.gz', csv, /is not compressed by gzip, as its name or --format says$/],
  ['a CSV that is named as one by zstd', 'a.csv.zst', csv, /is not compressed by zstd, as its name or --format says$/],
  ['zstd cut short', 'a.csv.zst', Buffer.from('28b52ffd0058510000706174', 'hex'), /damaged or cut short: /],
  [
    '10 GB of zeros by gzip, of which 17 MB are read',
    'a.csv.gz',
    bomb(),
    /a row is longer than 16777216 bytes/,
    'csv_invalid'
  ],
  ['a line that swallows the memory', 'a.jsonl.gz', bomb('"'), /line 1: a line is longer than 16777216 bytes$/],
  [
    'a line that is no JSON',
    'a.jsonl',
    '{"path":"x"}\n\n{"path":\n',
    /line 3: "\{\\"path\\":" is no JSON: expected one/
  ],
  ['a CSV that is named JSONL', 'a.jsonl', csv, /line 1: "path,a" is no JSON: expected one object a line/],
  ['a list of objects', 'a.ndjson', '[{"path":"x"}]', /line 1: expected a JSON object.*written one a line by jq -c/],
  ['a number', 'a.jsonl', '{"path":"x"}\n7', /line 2: expected a JSON object, such as .*, but found "7"$/],
  ['a key twice', 'a.jsonl', '{"path":"x","a":1,"a":2}', /line 1: the key "a" stands there twice$/],
  ['no key path', 'a.jsonl', '{"file":"x"}', /has no column named path: its columns are "file"\. Rename the column/],
  ['an empty JSONL', 'a.jsonl', '\n\n', /is empty: expected one JSON object a line$/],
  ['JSONL that is no UTF-8', 'a.jsonl', Buffer.from('{"path":"\xe9"}', 'latin1'), /line 1: the byte 0xe9 is not UTF-8/],
  ['a zero byte', 'a.jsonl', '{"path":"\0"}', /line 1: a zero byte/],
  ['different keys in every line', 'a.jsonl', manyKeys(), /line 10000: more than 10000 different keys so far: are/],
  ['Parquet by gzip', 'a.jsonl', parquet, /line 1: a Parquet file: let its name end with \.parquet/],
  ['a CSV that is named Parquet', 'a.parquet', csv, /is no Parquet file, as its name or --format says$/],
  ['an empty file that is named Parquet', 'a.parquet', '', /is empty: expected a Parquet file$/],
  ['Parquet cut short', 'a.parquet', parquet.subarray(0, 3000), /is cut short: a Parquet file ends with its table/],
  ['Parquet with nothing between its ends', 'a.parquet', 'PAR1PAR1', /is cut short/],
  ['an encrypted Parquet', 'a.parquet', 'PARE....PARE', /is an encrypted Parquet file: decrypt it first$/],
  ['Parquet without its schema', 'a.parquet', noSchema(), /cannot be read as Parquet: /],
  ['Parquet in a CSV', 'a.csv', parquet, /a Parquet file: let its name end with \.parquet/, 'csv_invalid'],
  ['JSON in a CSV', 'a.csv', '{"path":"x","b":1}\n', /line 1: JSON and no CSV: let its name end with/, 'csv_invalid'],
  ['gzip in a TSV', 'a.tsv', gzip, /compressed by gzip: let its name end with \.gz/, 'csv_invalid']
]

/** A gzip file of 10 GB of zero digits, a member of 16 MB many times. */
function bomb(start = '') {
  return Buffer.concat([zlib.gzipSync(start), ...Array(640).fill(zlib.gzipSync('0'.repeat(2 ** 24)))])
}

function manyKeys() {
  return Array.from({ length: 10_002 }, (_, i) => `{"path":"x","k${i}":1}\n`).join('')
}

function noSchema() {
  const copy = Buffer.from(parquet)
  copy.fill(0xff, copy.length - 2000, copy.length - 8)
  return copy
}

for (const [what, name, content, message, code = 'table_invalid'] of cases) {
  test(what, async () => {
    const base = fs.mkdtempSync(path.join(folder, 'case-'))
    const input = path.join(base, name)
    fs.writeFileSync(input, content)
    const error = await run(input, path.join(base, 'out.csv'), { captioner: nullCaptioner() }).catch((thrown) => thrown)
    assert.deepEqual([error.code, error.exitCode], [code, 2], String(error.message))
    assert.match(error.message, message)
    assert.ok(error.message.startsWith(input) && !error.message.includes('\n') && !error.message.endsWith('.'))
    assert.deepEqual(fs.readdirSync(base), [name])
  })
}

test('JSON as deep as it likes passes as it stands', async () => {
  fs.writeFileSync(path.join(folder, 'deep.jsonl'), `{"path":"x","deep":${deep}}\n`)
  const output = path.join(folder, 'deep-out.jsonl')
  await run(path.join(folder, 'deep.jsonl'), output, { captioner: nullCaptioner() })
  assert.ok(fs.readFileSync(output, 'utf8').startsWith(`{"path":"x","deep":${deep},"text":`))
})

test('damaged Parquet: read, or refused in a line; never more', async () => {
  const file = path.join(folder, 'damaged.parquet')
  const random = new Random(3)
  const counts = { read: 0, refused: 0 }
  for (let i = 0; i < 60; i++) {
    const bytes = Buffer.from(fixture(random.pick(['types-snappy.parquet', 'types-gzip-pages-v2.parquet'])))
    // Half of the changes are in the table of contents, which is most of the file's second half.
    const from = random.chance(0.5) ? bytes.length >> 1 : 4
    for (let changes = 1 + random.below(3); changes > 0; changes--) {
      bytes[from + random.below(bytes.length - 4 - from)] = random.below(256)
    }
    fs.writeFileSync(file, bytes)
    try {
      const table = await openTable(file)
      for await (const _ of table.records());
      table.close()
      counts.read++
    } catch (error) {
      assert.equal(error.code, 'table_invalid', error.stack)
      assert.ok(!error.message.includes('\n'), error.message)
      counts.refused++
    }
  }
  assert.ok(counts.read > 3 && counts.refused > 3, JSON.stringify(counts))
})
