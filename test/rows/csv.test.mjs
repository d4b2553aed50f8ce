/** CSV files as people have them, read as a table's rows and counted. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { countCsv, CsvSink, openCsv } from '../../dist/rows/csv.js'
import { openRows } from '../../dist/rows/open.js'
import { readCells } from '../helpers/cli.mjs'
import { temporaryFolder } from '../helpers/media.mjs'

const folder = temporaryFolder()
const at = (name) => path.join(folder, name)
let count = 0
function write(content) {
  const file = at(`${count++}.csv`)
  fs.writeFileSync(file, content)
  return file
}
const never = new AbortController().signal

async function all(items) {
  const list = []
  for await (const item of items) list.push(item)
  return list
}

async function table(content) {
  const file = write(content)
  const { columns, records } = await openCsv(file)
  const list = await all(records)
  assert.equal(await countCsv(file, never), list.length, 'as many are counted as are read')
  return [columns, ...list]
}

for (const [what, content, expected] of [
  [
    'plain',
    'path,a\nx,1\ny,2\n',
    [
      ['path', 'a'],
      ['x', '1'],
      ['y', '2']
    ]
  ],
  ['the last line without its end', 'path\nx', [['path'], ['x']]],
  [
    'a byte-order mark',
    '\ufeffpath,a\nx,1\n',
    [
      ['path', 'a'],
      ['x', '1']
    ]
  ],
  [
    'a byte-order mark before a quote',
    '\ufeff"path",a\nx,1\n',
    [
      ['path', 'a'],
      ['x', '1']
    ]
  ],
  [
    'CRLF',
    'path,a\r\nx,1\r\ny,2\r\n',
    [
      ['path', 'a'],
      ['x', '1'],
      ['y', '2']
    ]
  ],
  [
    'newlines in quotes',
    'path,a\nx,"1\n2\r\n3"\n',
    [
      ['path', 'a'],
      ['x', '1\n2\r\n3']
    ]
  ],
  [
    'commas and quotes in quotes',
    'path,a\n"x,y","say ""so"""\n',
    [
      ['path', 'a'],
      ['x,y', 'say "so"']
    ]
  ],
  [
    'quotes amid a cell',
    'path,a\nx,5" disk\n',
    [
      ['path', 'a'],
      ['x', '5" disk']
    ]
  ],
  [
    'short rows',
    'path,a,b\nx\ny,1\n',
    [
      ['path', 'a', 'b'],
      ['x', '', ''],
      ['y', '1', '']
    ]
  ],
  [
    'long rows',
    'path,a\nx,1,2,3\n',
    [
      ['path', 'a'],
      ['x', '1']
    ]
  ],
  [
    'blank lines',
    '\n\npath,a\n\nx,1\n\n\ny,2\n\n',
    [
      ['path', 'a'],
      ['x', '1'],
      ['y', '2']
    ]
  ],
  [
    'blanks kept as they are',
    'path,a\n x ,\t1\n',
    [
      ['path', 'a'],
      [' x ', '\t1']
    ]
  ],
  [
    'empty cells',
    'path,a\n,\n"",""\n',
    [
      ['path', 'a'],
      ['', ''],
      ['', '']
    ]
  ],
  ['a header alone', 'path,a\n', [['path', 'a']]],
  ['letters of all kinds', 'path\nünïcødé 影片.mp4\n', [['path'], ['ünïcødé 影片.mp4']]]
]) {
  test(`reading: ${what}`, async () => {
    assert.deepEqual(await table(content), expected)
  })
}

test('an empty file is no table', async () => {
  for (const content of ['', '\n\n', '\ufeff']) {
    const file = write(content)
    await assert.rejects(openCsv(file), {
      name: 'VcapError',
      code: 'csv_invalid',
      message: `${file} is empty: expected a CSV with a header and a column named path`
    })
    assert.equal(await countCsv(file, never), 0)
  }
})

test('an unclosed quote is refused: in the header at once, in a row where it stands', async () => {
  const header = write('"path\nx\n')
  await assert.rejects(openCsv(header), {
    code: 'csv_invalid',
    message: new RegExp(`^${header} cannot be read as CSV: `)
  })
  const file = write('path,a\nx,1\ny,"2\nz,3\n')
  const { records } = await openCsv(file)
  const seen = []
  await assert.rejects(
    async () => {
      for await (const record of records) seen.push(record)
    },
    { code: 'csv_invalid', message: /cannot be read as CSV: / }
  )
  assert.deepEqual(seen, [['x', '1']])
  await assert.rejects(countCsv(file, never))
})

test('an unclosed quote does not swallow a large file', async () => {
  const file = write(`path\n"${'x'.repeat(17 * 1024 * 1024)}`)
  const { records } = await openCsv(file)
  await assert.rejects(all(records), { code: 'csv_invalid', message: /cannot be read as CSV: .*16777216/ })
})

test('a file that is not there', async () => {
  await assert.rejects(openCsv(at('none.csv')), { code: 'csv_invalid', message: /none\.csv.*ENOENT/ })
  await assert.rejects(countCsv(at('none.csv'), never), { code: 'ENOENT' })
})

test('a reader that leaves early closes the file', {
  skip: process.platform !== 'linux' && 'there is no list of open files'
}, async () => {
  const file = write(`path\n${'x\n'.repeat(1_000_000)}`)
  for await (const _ of (await openCsv(file)).records) break
  for (let i = 0; i < 100 && openNames().includes(file); i++) await new Promise((resolve) => setTimeout(resolve, 20))
  assert.ok(!openNames().includes(file))
})

function openNames() {
  return fs.readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [fs.readlinkSync(`/proc/self/fd/${fd}`)]
    } catch {
      return [] // the one that lists them
    }
  })
}

test('counting can be aborted', async () => {
  const file = write(`path\n${'x\n'.repeat(1_000_000)}`)
  await assert.rejects(countCsv(file, AbortSignal.abort()), { name: 'AbortError' })
  const controller = new AbortController()
  const counted = countCsv(file, controller.signal)
  setImmediate(() => controller.abort())
  await assert.rejects(counted, { name: 'AbortError' })
})

test('rows: paths start at the table, or at the root given; an empty one stays empty', async () => {
  const file = write('id,path,text\n1,a.mp4,old\n2,/b/../c.mp4,\n3,,"x"\n4,sub/../d.mp4\n')
  const source = await openRows(file, {})
  assert.deepEqual([source.columns, source.pathColumn], [['id', 'path', 'text'], 1])
  assert.deepEqual(await all(source.rows()), [
    { index: 0, cells: ['1', 'a.mp4', 'old'], input: { path: at('a.mp4'), text: 'old' } },
    { index: 1, cells: ['2', '/b/../c.mp4', ''], input: { path: '/c.mp4', text: '' } },
    { index: 2, cells: ['3', '', 'x'], input: { path: '', text: 'x' } },
    { index: 3, cells: ['4', 'sub/../d.mp4', ''], input: { path: at('d.mp4'), text: '' } }
  ])
  assert.equal(await source.count(never), 4)
  const paths = async (root) => (await all((await openRows(file, { root })).rows())).map(({ input }) => input.path)
  assert.deepEqual(await paths('/media'), ['/media/a.mp4', '/c.mp4', '', '/media/d.mp4'])
  assert.deepEqual(await paths('media'), [path.resolve('media/a.mp4'), '/c.mp4', '', path.resolve('media/d.mp4')])
})

test('rows: a table without texts has none', async () => {
  const [row] = await all((await openRows(write('path\na.mp4\n'), {})).rows())
  assert.equal(row.input.text, undefined)
})

test('rows: of two columns named path the first counts', async () => {
  const source = await openRows(write('path,path\na,b\n'), { root: '/' })
  assert.deepEqual((await all(source.rows()))[0].input.path, '/a')
})

test('rows: what is no table of paths is refused', async () => {
  await assert.rejects(openRows(at('none.csv'), {}), { code: 'usage', message: `Input ${at('none.csv')} not found` })
  await assert.rejects(openRows(folder, {}), {
    code: 'usage',
    message: `Input ${folder} is a directory: expected a CSV file`
  })
  const file = write(`Path,${'long'.repeat(20)}\nx,y\n`)
  await assert.rejects(openRows(file, {}), {
    code: 'csv_invalid',
    message:
      `${file} has no column named path: its columns are "Path", "${'long'.repeat(20).slice(0, 37)}...". ` +
      'Rename the column that holds the files to path'
  })
})

test('writing: what is written is read again as it was, whatever its number', async () => {
  for (const rows of [0, 1, 127, 128, 129, 1000]) {
    const sink = new CsvSink(at('out.csv'), ['a', 'b', 'c'])
    for (let i = 0; i < rows; i++) await sink.write([`${i}, "quoted"\n`, i, null])
    await sink.commit()
    assert.equal(sink.path, fs.realpathSync(at('out.csv')))
    assert.deepEqual(readCells(at('out.csv')), [
      ['a', 'b', 'c'],
      ...Array.from({ length: rows }, (_, i) => [`${i}, "quoted"\n`, String(i), ''])
    ])
    fs.rmSync(at('out.csv'))
  }
})

test('writing: discarded, it never was', async () => {
  const sink = new CsvSink(at('out.csv'), ['a'])
  for (let i = 0; i < 300; i++) await sink.write(['x'])
  sink.discard()
  assert.ok(!fs.existsSync(at('out.csv')))
  assert.deepEqual(
    fs.readdirSync(folder).filter((name) => name.startsWith('.')),
    []
  )
})
