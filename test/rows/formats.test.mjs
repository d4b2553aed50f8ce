/** Tables of every format through whole runs: each cell comes out as it went in, or the table is refused. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import zlib from 'node:zlib'
import { run } from '../../dist/index.js'
import { cellJson, JsonText } from '../../dist/rows/cell.js'
import { openRows } from '../../dist/rows/open.js'
import { openSink, openTable } from '../../dist/rows/table.js'
import { chooseFormat } from '../../dist/table-format.js'
import { root } from '../helpers/cli.mjs'
import { temporaryFolder } from '../helpers/media.mjs'
import { nullCaptioner } from '../helpers/null-captioner.mjs'

const folder = temporaryFolder()
const at = (name) => path.join(folder, name)
const rowCount = 10_000
const ours = 5

/** What tables hold that is lost on a careless way. */
const texts = [
  '',
  ' ',
  'a "quoted" text',
  '"',
  'two\nlines',
  'two\r\nlines\r',
  'a, b; c\td|e',
  'ünïcødé 影片 😀',
  '\ufeffmark',
  'NaN',
  'null',
  '007',
  '1e5',
  '-0',
  '12345678901234567890',
  '{} {text} %s \\n',
  '=1+1',
  '\u2028\u0001',
  'long '.repeat(1000),
  null
]

const cellsOf = (columns, rows = rowCount) =>
  Array.from({ length: rows }, (_, row) =>
    columns.map((values, column) => values[(row * (column + 1)) % values.length])
  )

/** A table's columns, types and records. */
async function read(file, options) {
  const table = await openTable(file, options)
  try {
    const records = []
    for await (const cells of table.records()) records.push(cells)
    assert.equal(table.total, records.length)
    return { columns: table.columns, types: table.types, records }
  } finally {
    table.close()
  }
}

async function write(file, columns, records, types) {
  const sink = openSink(file, columns, { types })
  sink.begin(folder)
  for (const cells of records) await sink.write(cells)
  await sink.commit()
}

async function caption(input, output, options = {}) {
  const warnings = []
  const onEvent = ({ type, message }) => type === 'warning' && warnings.push(message)
  await run(input, output, { captioner: nullCaptioner(), onEvent, ...options })
  return warnings
}

/** The records that `input` has are in those of `output`, under the same names. */
async function assertPassed(input, output) {
  const before = await read(input)
  const after = await read(output)
  const places = before.columns.map((name) => after.columns.indexOf(name))
  assert.equal(after.columns.length, before.columns.length + ours)
  assert.equal(after.records.length, before.records.length)
  const status = after.columns.indexOf('status')
  for (const [row, cells] of after.records.entries()) {
    const passed = places.map((place) => cells[place])
    if (!isDeepStrictEqual(passed, before.records[row])) assert.deepEqual(passed, before.records[row], `row ${row}`)
    assert.equal(cells[status], 'ok')
  }
  return { before, after }
}

const textColumns = ['path', 'note', 'other']
const paths = Array.from({ length: 97 }, (_, i) => `clips/${i} ä.mp4`)
const textRecords = cellsOf([paths, texts, [...texts].reverse()])

for (const format of ['csv', 'csv.gz', 'tsv', 'jsonl.gz', 'parquet']) {
  test(`${format}: 10,000 rows of awkward texts come out as they went in, nothing and empty apart`, async () => {
    const [input, output] = [at(`texts.${format}`), at(`texts-out.${format}`)]
    await write(input, textColumns, textRecords)
    assert.deepEqual(await caption(input, output), [])
    const { before } = await assertPassed(input, output)
    assert.deepEqual(before.records, textRecords)
  })
}

for (const [from, to] of [
  ['csv', 'jsonl.gz'],
  ['jsonl', 'parquet'],
  ['parquet', 'tsv.gz'],
  ['csv.gz', 'parquet']
]) {
  test(`${from} into ${to}: texts stay what they are`, async () => {
    const [input, output] = [at(`from.${from}`), at(`to.${to}`)]
    await write(input, textColumns, textRecords.slice(0, 500))
    await caption(input, output)
    await assertPassed(input, output)
  })
}

const raw = (text) => new JsonText(text)
/** Each as it stands in its line; undefined has no key there. */
const jsonValues = [
  '"text"',
  '""',
  'null',
  undefined,
  '12345678901234567890',
  '9007199254740993',
  '-0',
  '1.50',
  '1e400',
  '0.1000000000000000055511151231257827',
  'true',
  '{"a": [1, 2.0, {"b": null}], "n": 9007199254740993}',
  '[]',
  '"\\ud83d\\ude00 \\u00e9"'
]

test('jsonl: numbers to the last digit, nested values to the last blank, null, "" and no key apart', async () => {
  const line = (row) => {
    const value = jsonValues[row % jsonValues.length]
    const other = jsonValues[(row * 5) % jsonValues.length]
    const keys = [`"path": "${row}.mp4"`, value && `"v" : ${value}`, other && `"w":${other}`].filter(Boolean)
    return `{ ${keys.join(', ')}${row > rowCount / 2 ? ', "late": 1' : ''} }`
  }
  fs.writeFileSync(at('values.jsonl'), `${Array.from({ length: rowCount }, (_, row) => line(row)).join('\r\n')}\n\n`)
  await caption(at('values.jsonl'), at('values-out.jsonl'))
  const { after } = await assertPassed(at('values.jsonl'), at('values-out.jsonl'))
  assert.deepEqual([after.columns.slice(0, 3), after.columns.at(-1)], [['path', 'v', 'w'], 'late'])
  const written = fs.readFileSync(at('values-out.jsonl'), 'utf8').split('\n')
  assert.match(written[4], /^\{"path":"4\.mp4","v":12345678901234567890,"w":-0,"text":/)
  assert.ok(written[11].includes('"v":{"a": [1, 2.0, {"b": null}], "n": 9007199254740993}'), written[11])
  assert.match(written[rowCount - 1], /"late":1,"text":"A red circle.*","num_frames":120,"status":"ok","error":null/)
})

test('jsonl into Parquet: the narrowest type that keeps each value', async () => {
  const rows = [
    {
      path: 'a',
      int: 1,
      big: raw('9007199254740993'),
      real: 0.5,
      flag: true,
      mixed: 'x',
      huge: raw('1e400'),
      list: raw('[1]')
    },
    { path: 'b', int: -5, big: 2, real: 3, flag: false, mixed: 7, huge: 1, list: null }
  ]
  const columns = Object.keys(rows[0])
  await write(at('types.jsonl'), columns, rows.map(Object.values))
  await caption(at('types.jsonl'), at('types.parquet'))
  const { types, records } = await read(at('types.parquet'))
  const typeOf = ({ element }) => element.logical_type?.type ?? element.type
  assert.deepEqual(types.map(typeOf).slice(0, columns.length), [
    ...['STRING', 'INT64', 'INT64', 'DOUBLE', 'BOOLEAN', 'JSON', 'JSON', 'JSON']
  ])
  assert.deepEqual(records[0].slice(0, 8), ['a', 1n, 9007199254740993n, 0.5, true, '"x"', '1e400', '[1]'])
  await caption(at('types.parquet'), at('types-again.jsonl'))
  const [first] = fs.readFileSync(at('types-again.jsonl'), 'utf8').split('\n')
  const sent = '{"path":"a","int":1,"big":9007199254740993,"real":0.5,"flag":true,"mixed":"x","huge":1e400,"list":[1],'
  assert.ok(first.startsWith(sent), first)
})

// Written by pyarrow: every type of its, some of the rows null, two groups of rows, lists that go on over pages.
const fixtures = ['snappy', 'zstd', 'gzip-pages-v2', 'times-of-96-bits'].map((name) => `types-${name}.parquet`)

/** A row's JSON; times without the zeros at their end, and without the zone, which those of 96 bits have not. */
const parse = (line) => JSON.parse(line.replace(/(\d\d:\d\d:\d\d\.\d*?)0*Z?"/g, '$1"') || '{}')

for (const name of fixtures) {
  test(`${name}: every type and value passes into Parquet, and into JSON and CSV as text`, async () => {
    const input = path.join(root, 'test/fixtures/tables', name)
    await caption(input, at(name))
    const { before, after } = await assertPassed(input, at(name))
    for (const [column, type] of before.types.entries()) assert.deepEqual(after.types[column], type)
    assert.deepEqual(after.columns.slice(0, before.columns.length), before.columns)
    const expected = fs.readFileSync(path.join(root, 'test/fixtures/tables/types.jsonl'), 'utf8').split('\n')
    await caption(input, at('types-shown.jsonl'))
    const shown = fs.readFileSync(at('types-shown.jsonl'), 'utf8').split('\n')
    assert.equal(shown.length, expected.length)
    for (const [row, line] of shown.entries()) {
      const { text, num_frames, status, error, flags, ...cells } = parse(line)
      assert.deepEqual(cells, parse(expected[row]), `row ${row}`)
    }
    await caption(input, at('types-shown.csv'))
    assert.equal((await read(at('types-shown.csv'))).records.length, before.records.length)
  })
}

test('Parquet: NaN and infinities pass, and are null in JSON', async () => {
  const type = { element: { name: 'x', type: 'DOUBLE', repetition_type: 'OPTIONAL' }, children: [] }
  const values = [Number.NaN, Number.POSITIVE_INFINITY, -0, 1e300, null]
  await write(
    at('nan.parquet'),
    ['path', 'x'],
    values.map((value) => ['a', value]),
    [undefined, type]
  )
  const { records, types } = await read(at('nan.parquet'))
  assert.deepEqual(
    records.map(([, value]) => value),
    values
  )
  assert.deepEqual(
    records.map(([, value]) => cellJson(value, types[1])),
    ['null', 'null', '-0', '1e+300', 'null']
  )
})

test('a table without rows is one in every format that can say so', async () => {
  for (const format of ['csv', 'tsv.gz', 'parquet']) {
    await write(at(`none.${format}`), ['path'], [])
    const [warning] = await caption(at(`none.${format}`), at(`none-out.${format}`))
    assert.match(warning, /no rows$/)
    assert.equal((await read(at(`none-out.${format}`))).records.length, 0)
  }
})

test('text and path of any type reach the captioner as text', async () => {
  fs.writeFileSync(at('any.jsonl'), '{"path": 7, "text": {"a": 1}}\n{"text": null}\n')
  const source = await openRows(at('any.jsonl'), {})
  const inputs = []
  for await (const { input } of source.rows()) inputs.push(input)
  source.close()
  assert.deepEqual(inputs, [
    { path: at('7'), text: '{"a": 1}' },
    { path: '', text: '' }
  ])
})

test('formats: by name, by ending, or as the input', () => {
  const shown = (...args) =>
    Object.values(chooseFormat(...args))
      .filter(Boolean)
      .join('.')
  for (const [place, named, expected] of [
    ['a.csv', undefined, 'csv'],
    ['a.TSV', undefined, 'tsv'],
    ['a.ndjson.gz', undefined, 'jsonl.gz'],
    ['a.parquet', undefined, 'parquet'],
    ['a.gz', 'jsonl', 'jsonl.gz'],
    ['a.zst', undefined, 'csv.zst'],
    ['-', 'jsonl.zst', 'jsonl.zst'],
    ['a.txt', undefined, 'csv'],
    ['a.csv', 'parquet', 'parquet']
  ]) {
    assert.equal(shown(place, named), expected, place)
  }
  assert.equal(shown('captions', undefined, { format: 'jsonl', compression: 'gz' }), 'jsonl.gz')
  assert.throws(() => chooseFormat('a.parquet.gz'), {
    code: 'usage',
    message: /^a\.parquet\.gz: a Parquet file is comp/
  })
})

test('zstd: read everywhere, written where Node can', async (t) => {
  // One frame of two blocks, uncompressed and repeated, and one that may be skipped between.
  const text = 'path\na.mp4\n'
  const header = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58])
  const block = (last, type, size, bytes) => {
    const value = (size << 3) | (type << 1) | last
    return Buffer.concat([Buffer.from([value & 255, (value >> 8) & 255, value >> 16]), bytes])
  }
  const frame = Buffer.concat([header, block(0, 0, text.length, Buffer.from(text)), block(1, 1, 3, Buffer.from('b'))])
  fs.writeFileSync(at('a.csv.zst'), frame)
  assert.deepEqual((await read(at('a.csv.zst'))).records, [['a.mp4'], ['bbb']])
  if (zlib.createZstdCompress) {
    await write(at('b.jsonl.zst'), textColumns, textRecords)
    assert.deepEqual((await read(at('b.jsonl.zst'))).records, textRecords)
    return
  }
  t.diagnostic('this Node cannot write zstd')
  assert.throws(() => openSink(at('b.jsonl.zst'), ['path']), {
    code: 'usage',
    message: /zstd can be written by Node 22\.15 and newer, and this is \d+.*Name it \.gz/
  })
})

test('names that a format cannot have twice are refused before anything is written', () => {
  for (const format of ['jsonl', 'parquet']) {
    assert.throws(() => openSink(at(`twice.${format}`), ['a', 'b', 'a']), {
      code: 'usage',
      message: /cannot have two columns named "a"\. Rename one of them$/
    })
  }
})
