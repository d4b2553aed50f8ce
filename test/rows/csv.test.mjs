/** CSV files as people have them, read as a table's rows, and written. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { isTable, openRows } from '../../dist/rows/open.js'
import { openSink, openTable } from '../../dist/rows/table.js'
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

async function all(items) {
  const list = []
  for await (const item of items) list.push(item)
  return list
}

/** The header and the rows' cells, and what is warned of. */
async function read(content) {
  const source = await openRows(write(content), {})
  try {
    const rows = await all(source.rows())
    assert.equal(source.total, rows.length, 'as many are counted as are read')
    return { cells: [source.columns, ...rows.map(({ cells }) => cells)], warnings: source.warnings }
  } finally {
    source.close()
  }
}

/** The table is refused at this line, with these words. */
async function assertRefused(content, line, message) {
  const file = write(content)
  const error = await openRows(file, {}).then(
    (source) => source.close(),
    (thrown) => thrown
  )
  assert.ok(error, `read: ${JSON.stringify(content)}`)
  assert.equal(error.code, 'csv_invalid')
  assert.ok(error.message.startsWith(`${file}, line ${line}: `), error.message)
  assert.match(error.message, message)
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
    'empty cells, with quotes and without',
    'path,a\n,\n"",""\n',
    [
      ['path', 'a'],
      [null, null],
      ['', '']
    ]
  ],
  ['letters of all kinds', 'path\nünïcødé 影片.mp4\n', [['path'], ['ünïcødé 影片.mp4']]],
  [
    'empty names',
    ',path,\n0,x,1\n',
    [
      ['', 'path', ''],
      ['0', 'x', '1']
    ]
  ],
  [
    'columns of one name',
    'a,path,a\n0,x,1\n',
    [
      ['a', 'path', 'a'],
      ['0', 'x', '1']
    ]
  ],
  ['one column with an empty cell in quotes', 'path\n""\nx\n', [['path'], [''], ['x']]],
  [
    'LF after CRLF',
    'path,a\r\nx,1\ny,2\n',
    [
      ['path', 'a'],
      ['x', '1'],
      ['y', '2']
    ]
  ],
  [
    'CRLF after LF',
    'a,path\n1,x\r\n2,y\r\n',
    [
      ['a', 'path'],
      ['1', 'x'],
      ['2', 'y']
    ]
  ],
  [
    'CR alone',
    'path,a\rx,1\ry,2',
    [
      ['path', 'a'],
      ['x', '1'],
      ['y', '2']
    ]
  ],
  [
    'all three, by turns',
    'path,a\rx,1\ny,2\r\nz,3\rv,4\r\nw,5\n',
    [
      ['path', 'a'],
      ['x', '1'],
      ['y', '2'],
      ['z', '3'],
      ['v', '4'],
      ['w', '5']
    ]
  ],
  [
    'line ends written twice',
    'path,a\r\r\nx,1\r\r\n',
    [
      ['path', 'a'],
      ['x', '1']
    ]
  ],
  [
    'line ends of all kinds kept in quotes',
    'path,a\nx,"1\r2\n3\r\n"\r\n"y\r",2\n',
    [
      ['path', 'a'],
      ['x', '1\r2\n3\r\n'],
      ['y\r', '2']
    ]
  ],
  [
    'UTF-16, little end first',
    Buffer.from('\ufeffpath,a\nx,é影😀\n', 'utf16le'),
    [
      ['path', 'a'],
      ['x', 'é影😀']
    ]
  ],
  [
    'UTF-16, big end first',
    Buffer.from('\ufeffpath,a\nx,é影😀\n', 'utf16le').swap16(),
    [
      ['path', 'a'],
      ['x', 'é影😀']
    ]
  ]
]) {
  test(`reading: ${what}`, async () => {
    assert.deepEqual(await read(content), { cells: expected, warnings: [] })
  })
}

test('other separators: by the header, or by a line sep=; the output has commas', async () => {
  for (const [content, separator] of [
    ['path;a\nx;"1;2"\n', ';'],
    ['"a";"path"\r\n1;x\r\n', ';'],
    ['a\tpath\n1\tx, y\n', '\t'],
    ['a|path\n1|x\n', '|'],
    ['\ufeffsep=;\r\npath;a\r\nx;1\r\n', ';'],
    ['sep=!\npath!a\nx!1\n', '!'],
    [Buffer.from('\ufeffpath\ta\r\nx\t1\r\n', 'utf16le'), '\t'],
    ['path;a,b\nx;1,5\n', ';']
  ]) {
    const { cells, warnings } = await read(content)
    assert.equal(cells[0].length, 2, content)
    const told = `: cells stand between ${JSON.stringify(separator)}; in the output between ","`
    assert.ok(warnings.length === 1 && warnings[0].endsWith(told), warnings.join())
  }
  assert.deepEqual((await read('sep=,\npath,a\nx,1\n')).warnings, [])
  assert.deepEqual((await read('path,a;b\nx,1;2\n')).cells, [
    ['path', 'a;b'],
    ['x', '1;2']
  ])
})

test('missing and extra cells are kept and told, with their lines', async () => {
  const { cells, warnings } = await read('path,a\nx\ny,"1\n",2,"3,4"\nz,1\n\nu,1,,""\nv,,5\n')
  assert.deepEqual(cells, [
    ['path', 'a', 'extra_cells'],
    ['x', null, null],
    ['y', '1\n', '2,"3,4"'],
    ['z', '1', null],
    ['u', '1', null],
    ['v', null, '5']
  ])
  assert.equal(warnings.length, 2)
  assert.match(warnings[0], /\.csv: 1 row \(line 2\) has fewer cells than the header's 2; the missing ones are empty$/)
  assert.match(
    warnings[1],
    /: 2 rows \(lines 3, 8\) have more cells than the header's 2, .* make the column extra_cells$/
  )
})

test('empty text in quotes and nothing are told apart beside cells of any kind', async () => {
  const table = 'path,a,b\r\n\r\n"","x,""y",\n,"","line\n,,"""\n"""",,""\r\n"a"\n\n,,\n'
  const { cells } = await read(table)
  assert.deepEqual(cells.slice(1), [
    ['', 'x,"y', null],
    [null, '', 'line\n,,"'],
    ['"', null, ''],
    ['a', null, null],
    [null, null, null]
  ])
  const { cells: others } = await read('path;a;b\n"";;""\n;"";\n')
  assert.deepEqual(others.slice(1), [
    ['', null, ''],
    [null, '', null]
  ])
})

test('an extra cell of line ends alone, or of quotes, is kept as well', async () => {
  for (const cell of ['\r\n', '\n', '"', ' ']) {
    const { cells } = await read(`path\nx,"${cell.replace('"', '""')}"\n`)
    assert.deepEqual(cells, [
      ['path', 'extra_cells'],
      ['x', cell === ' ' ? ' ' : `"${cell.replace('"', '""')}"`]
    ])
  }
})

test('many such rows are told in one sentence each; the column of extra cells has a name of its own', async () => {
  const { cells, warnings } = await read(`path,extra_cells\n${'x,1,2\n'.repeat(1000)}`)
  assert.deepEqual(
    [cells[0], cells[1000]],
    [
      ['path', 'extra_cells', 'extra_cells_2'],
      ['x', '1', '2']
    ]
  )
  assert.equal(warnings.length, 1)
  assert.match(warnings[0], /1000 rows \(lines 2, 3, 4, 5, 6, …\) have more cells/)
})

test('an empty file is no table', async () => {
  for (const content of ['', '\n\n', '\ufeff', '\r\r\n', 'sep=;\n', Buffer.from('\ufeff', 'utf16le')]) {
    const file = write(content)
    await assert.rejects(openRows(file, {}), {
      name: 'VcapError',
      code: 'csv_invalid',
      message: `${file} is empty: expected a CSV with a header and a column named path`
    })
  }
})

test('quotes that are not closed, stand amid a cell or before text: refused with the line of the quote', async () => {
  await assertRefused('"path\nx\n', 1, /never closed/)
  await assertRefused('path,a\nx,1\ny,"2\nz,3\n', 3, /the quote that opens a cell here is never closed/)
  await assertRefused('path,a\r\nx,"1\r\n2\r3\n4"\r\n\r\ny,"2\r\nz,3\r\n', 7, /never closed/)
  await assertRefused('path,a\nx,"1\ny,2\nz,"3"\nw,4\n', 2, /that the next quote, on line 4, does not end/)
  await assertRefused('path,a\nx,"1"2\n', 2, /text follows the quote that closes a cell/)
  await assertRefused('path,a\nx,"1" \n', 2, /text follows/)
  await assertRefused('path,a\nx,5" disk\n', 2, /a quote stands amid a cell/)
  await assertRefused('path,a\ry, "1"\r', 2, /a quote stands amid a cell\. Put such a cell in quotes whole/)
  await assertRefused('path,"a"b\nx,1\n', 1, /text follows/)
  await assertRefused('path;a\nx;5" disk\n', 2, /amid a cell/)
})

test('a quote that swallows rows and is closed as by its writer is told', async () => {
  for (const [content, line] of [
    ['path,a\nx.mp4,"5 inch\ny.png,1\nz.mp4,6"\nw.mp4,2\n', 2],
    ['path,a\r\nv.mp4,0\r\nx.mp4,"5 inch\r\ny.png,6"\r\n', 3]
  ]) {
    const { warnings } = await read(content)
    assert.match(
      warnings.join(),
      new RegExp(`: 1 row \\(line ${line}\\) has a quoted cell with lines that look like rows`)
    )
  }
  const prose = 'path,a\nx.mp4,"A man, walking.\nThen, a dog.\nSee also, y"\n'
  assert.deepEqual((await read(prose)).warnings, [])
})

test('where such a line names a file that is there, the table is refused', async () => {
  fs.writeFileSync(at('there.png'), '')
  await assertRefused(
    'path,a\nx.mp4,"5 inch\nthere.png,6"\n',
    2,
    /a quote opens a cell that holds another row, of "there\.png"/
  )
  await assertRefused('a;path\r\n1;x\r\n"5;y\r\n2;there.png\r\n3"";z.mp4"\r\n', 3, /another row, of "there\.png"/)
  const { warnings } = await read('path,a\nx.mp4,"As seen,\nin there.png"\n')
  assert.deepEqual(warnings, [])
})

test('no rows, and a header in mid-table, are told', async () => {
  assert.match((await read('path,a\n')).warnings.join(), /\.csv: has a header and no rows$/)
  const { cells, warnings } = await read('path,a\r\nx,1\r\npath,a\ny,2\n')
  assert.deepEqual(cells[2], ['path', 'a'])
  assert.match(warnings.join(), /: 1 row \(line 3\) has the header's own cells, as where tables were joined/)
})

test('a carriage return alone amid a line of other line ends: refused where it breaks a row', async () => {
  await assertRefused(
    'path,a,b\nx,1,2\ny,one\rtwo,2\n',
    3,
    /carriage return alone makes a row of 2 cells where .* has 3/
  )
  await assertRefused('path,a\r\nx,one\r two\r\n', 3, /carriage return alone makes a row of 1 cells/)
})

test('what is not UTF-8 is refused with the line and a remedy', async () => {
  const latin1 = (text) => Buffer.from(text, 'latin1')
  await assertRefused(latin1('path,a\nx,caf\xe9\n'), 2, /0xe9 is not UTF-8\. .*iconv -f LATIN1 -t UTF-8/)
  await assertRefused(latin1('path,a\r\nx,1\r\ny,\x93q\x94\r\n'), 3, /0x93 .*iconv -f WINDOWS-1252 -t UTF-8/)
  await assertRefused(latin1('pfad,\xe9,path\nx,1,2\n'), 1, /0xe9/)
  await assertRefused(latin1('path,a\nx,1\ny,\xe9'), 3, /0xe9/)
  await assertRefused(latin1('path,a\nx,\xed\xa0\x80\n'), 2, /0xed/)
  await assertRefused(latin1(`path,a\n${'x,1\n'.repeat(50_000)}x,\xff\n`), 50_002, /0xff/)
  await assertRefused('path,a\nx,\0\n', 2, /a zero byte/)
  await assertRefused(
    Buffer.from('path,a\nx,1\n', 'utf16le'),
    1,
    /zero byte, as in UTF-16 without .* iconv -f UTF-16LE/
  )
  await assertRefused(Buffer.from('\ufeffpath,a\nx,1\ny,\ud800z\n', 'utf16le'), 3, /not UTF-16, although/)
  await assertRefused(Buffer.concat([Buffer.from('\ufeffpath\nx\n', 'utf16le'), Buffer.from('y')]), 3, /not UTF-16/)
  await assertRefused('path,a\nx,1\n\ufeffpath,a\n', 3, /a byte-order mark begins the line/)
  assert.deepEqual((await read('path,a\nx,\ufeff1\n')).cells[1], ['x', '\ufeff1'], 'elsewhere it is text')
})

test('files of other kinds that are named like tables', async () => {
  await assertRefused(Buffer.from('PK\x03\x04\x14\0\0\0'), 1, /a spreadsheet or ZIP file: export the table as CSV/)
  await assertRefused(Buffer.from([0x1f, 0x8b, 8, 0]), 1, /compressed by gzip/)
})

test('a row of more than 16 MB is refused, by its quote where that is open', async () => {
  await assertRefused(
    `path\nx\n"${'x'.repeat(17 * 1024 * 1024)}`,
    3,
    /the quote that opens here is not closed for 16777216/
  )
  await assertRefused(`path\nx\n${'x'.repeat(17 * 1024 * 1024)}`, 3, /a row is longer than 16777216 bytes/)
})

test('cells that are larger than what is read at once', async () => {
  const large = [1, 65_536, 200_000].map((size) => '"é\r\n'.repeat(size / 4))
  const quote = (cell) => `"${cell.replaceAll('"', '""')}"`
  const { cells } = await read(`path,a\n${large.map((cell) => `x,${quote(cell)}\n`).join('')}`)
  assert.deepEqual(
    cells.slice(1),
    large.map((cell) => ['x', cell])
  )
})

test('what is opened is closed, read or not', {
  skip: process.platform !== 'linux' && 'there is no list of open files'
}, async () => {
  const file = write(`path\n${'x\n'.repeat(1_000_000)}`)
  const source = await openRows(file, {})
  for await (const _ of source.rows()) break
  source.close()
  const broken = write('path\n"x\n')
  await assert.rejects(openRows(broken, {}))
  for (const name of [file, broken]) assert.ok(!openNames().includes(name))
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

test('the check can be aborted', async () => {
  const file = write(`path\n${'x\n'.repeat(1_000_000)}`)
  await assert.rejects(openRows(file, { signal: AbortSignal.abort() }), { code: 'aborted' })
  const controller = new AbortController()
  const opening = openRows(file, { signal: controller.signal })
  setImmediate(() => controller.abort())
  await assert.rejects(opening, { code: 'aborted' })
})

test('rows: paths start at the table, or at the root given; an empty one stays empty', async () => {
  const file = write('id,path,text\n1,a.mp4,old\n2,/b/../c.mp4,\n3,,"x"\n4,sub/../d.mp4\n')
  const source = await openRows(file, {})
  assert.deepEqual([source.columns, source.pathColumn], [['id', 'path', 'text'], 1])
  assert.deepEqual(await all(source.rows()), [
    { index: 0, cells: ['1', 'a.mp4', 'old'], input: { path: at('a.mp4'), text: 'old' } },
    { index: 1, cells: ['2', '/b/../c.mp4', null], input: { path: '/c.mp4', text: '' } },
    { index: 2, cells: ['3', null, 'x'], input: { path: '', text: 'x' } },
    { index: 3, cells: ['4', 'sub/../d.mp4', null], input: { path: at('d.mp4'), text: '' } }
  ])
  assert.equal(source.total, 4)
  const paths = async (root) => (await all((await openRows(file, { root })).rows())).map(({ input }) => input.path)
  assert.deepEqual(await paths('/media'), ['/media/a.mp4', '/c.mp4', '', '/media/d.mp4'])
  assert.deepEqual(await paths('media'), [path.resolve('media/a.mp4'), '/c.mp4', '', path.resolve('media/d.mp4')])
})

test('rows: a table without texts has none', async () => {
  const [row] = await all((await openRows(write('path\na.mp4\n'), {})).rows())
  assert.equal(row.input.text, undefined)
})

test('rows: two columns named path are refused, and names that are almost that', async () => {
  const refused = (content, message) => assert.rejects(openRows(write(content), {}), { code: 'csv_invalid', message })
  await refused('path,a,path\na,b,c\n', /has two columns named path\. Rename the one without the files$/)
  await refused('id, path\n1,x\n', /its columns are "id", " path"\. Rename " path" to path$/)
  await refused('id;Path\n1;x\n', /its columns are "id", "Path"\. Rename "Path" to path$/)
})

test('rows: what is no table of paths is refused', async () => {
  await assert.rejects(openRows(at('none.csv'), {}), { code: 'usage', message: `Input ${at('none.csv')} not found` })
  const file = write(`file,${'long'.repeat(20)}\nx,y\n`)
  await assert.rejects(openRows(file, {}), {
    code: 'csv_invalid',
    message:
      `${file} has no column named path: its columns are "file", "${'long'.repeat(20).slice(0, 37)}...". ` +
      'Rename the column that holds the files to path'
  })
})

test('a table of any columns: read, and written again', async () => {
  const input = write('id;note\n1;"a;b"\n2;\n')
  const table = await openTable(input)
  assert.deepEqual([table.label, table.columns, table.total], [input, ['id', 'note'], 2])
  assert.match(table.warnings.join(), /cells stand between ";"/)
  const sink = openSink(at('any.csv'), table.columns, { types: table.types })
  sink.begin(folder)
  for await (const cells of table.records()) await sink.write(cells)
  await sink.commit()
  assert.equal(table.resized, false)
  table.close()
  assert.equal(fs.readFileSync(at('any.csv'), 'utf8'), 'id,note\n1,a;b\n2,\n')
  await assert.rejects(openTable(input, { column: 'key' }), {
    code: 'csv_invalid',
    message:
      `${input} has no column named key: its columns are "id", "note". ` +
      'Rename the column that holds what key should be to key'
  })
  await assert.rejects(openTable(write('')), { message: /is empty: expected a CSV with a header$/ })
})

test('what is a table and what is to be captioned itself', () => {
  for (const name of ['a.csv', '/b/A.CSV', 'a.tsv', '-', '/dev/stdin', '/dev/null']) assert.ok(isTable(name), name)
  for (const name of ['a.mp4', 'csv', at('none'), folder]) assert.ok(!isTable(name), name)
})

test('writing: what is written is read again as it was, whatever its number', async () => {
  for (const rows of [0, 1, 127, 128, 129, 1000]) {
    const sink = openSink(at('out.csv'), ['a', 'b', 'c'])
    sink.begin(folder)
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
  const sink = openSink(at('out.csv'), ['a'])
  sink.begin(folder)
  for (let i = 0; i < 300; i++) await sink.write(['x'])
  sink.discard()
  assert.ok(!fs.existsSync(at('out.csv')))
  assert.deepEqual(
    fs.readdirSync(folder).filter((name) => name.endsWith('.tmp')),
    []
  )
})
