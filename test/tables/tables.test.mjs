/** `merge` of tables, `diff`, `join` and `split`: what they write, what they count, what they refuse. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { diffTables, joinTables, mergeTables, run, splitTable } from '../../dist/index.js'
import { cli, main, readRows } from '../helpers/cli.mjs'
import { temporaryFolder } from '../helpers/media.mjs'
import { nullCaptioner } from '../helpers/null-captioner.mjs'

const base = temporaryFolder()
let made = 0
/** A folder of its own, with files in it. */
function folder(files = {}) {
  const name = path.join(base, String(made++))
  fs.mkdirSync(name)
  const at = (file) => path.join(name, file)
  for (const [file, text] of Object.entries(files)) fs.writeFileSync(at(file), text)
  const names = () => fs.readdirSync(name).sort()
  return { at, names, read: (file) => fs.readFileSync(at(file), 'utf8') }
}
const refused = (work, code, message = /./) => assert.rejects(work, { name: 'VcapError', code, message })

/** Cells that are hard to write: quotes, separators, line ends, blanks, nothing, other scripts. */
const awkward = [
  'plain',
  'a "quoted" one',
  'a, comma',
  'a\nline',
  'a\r\nline',
  ' blanks ',
  '',
  '圆 🔴',
  "'",
  '"',
  'sep=;',
  '=1+1'
]
const quoted = (cell) => `"${cell.replaceAll('"', '""')}"`
const awkwardTable = (rows) =>
  `path,text,id\n${Array.from({ length: rows }, (_, i) => {
    const cell = awkward[i % awkward.length]
    return `${/[",\r\n]/.test(cell) ? quoted(cell) : cell},${cell === '' ? '' : quoted(cell)},${i}\n`
  }).join('')}`

test('merge: tables follow one another; columns in another order are put in that of the first, and told', async () => {
  const { at, read } = folder({ 'a.csv': 'path,text\n1,a\n2,b\n', 'b.csv': 'text,path\nc,3\n', 'c.csv': 'path,text\n' })
  const summary = await mergeTables([at('a.csv'), at('b.csv'), at('c.csv')], at('out.csv'))
  assert.equal(read('out.csv'), 'path,text\n1,a\n2,b\n3,c\n')
  assert.deepEqual(
    summary.parts.map(({ rows }) => rows),
    [2, 1, 0]
  )
  assert.deepEqual([summary.kind, summary.rows, summary.statuses], ['tables', 3, undefined])
  assert.ok(summary.warnings.some((line) => /b\.csv: its columns stand in the order of/.test(line)))
})

test('merge: other columns are refused by their names, and so are those that share one', async () => {
  const { at, names } = folder({ 'a.csv': 'path,x,x\n1,2,3\n', 'b.csv': 'path,y\n1,2\n', 'c.csv': 'x,path,x\n2,1,3\n' })
  const merge = (...parts) => mergeTables(parts.map(at), at('out.csv'))
  await refused(merge('a.csv', 'b.csv'), 'usage', /b\.csv has other columns than .*: it lacks x, x; it has y beside$/)
  await refused(merge('a.csv', 'c.csv'), 'usage', /columns that share a name stand in another order/)
  assert.equal((await merge('a.csv', 'a.csv')).rows, 2)
  assert.deepEqual(names(), ['a.csv', 'b.csv', 'c.csv', 'out.csv'])
})

test('merge: a run that is not finished, or whose output lost rows, is no part', async () => {
  const { at, read } = folder({ 'in.csv': 'path\n1\n2\n', 'other.csv': 'path,text,num_frames,status,error,flags\n' })
  await run(at('in.csv'), at('out.csv'), { captioner: nullCaptioner() })
  assert.equal((await mergeTables([at('out.csv'), at('other.csv')], at('all.csv'))).rows, 2)
  assert.equal(read('all.csv'), read('out.csv'))
  fs.writeFileSync(at('out.csv'), read('out.csv').split('\n').slice(0, 2).join('\n'))
  const merge = () => mergeTables([at('out.csv'), at('other.csv')], at('all.csv'))
  await refused(merge(), 'run_differs', /out\.csv has 1 rows and its run wrote 2\. Its command again/)
  const state = JSON.parse(read('out.csv.vcap/run.json'))
  delete state.finished
  fs.writeFileSync(at('out.csv.vcap/run.json'), JSON.stringify(state))
  await refused(merge(), 'usage', /out\.csv is the output of a run that is not finished/)
})

test('split and merge: the table again, to the byte; contiguous parts of about one size', async () => {
  for (const [options, sizes] of [
    [{ parts: 3 }, [34, 33, 33]],
    [{ rows: 40 }, [40, 40, 20]],
    [{ parts: 1 }, [100]],
    [{ rows: 100 }, [100]],
    [{ rows: 1 }, Array(100).fill(1)],
    [{ parts: 100 }, Array(100).fill(1)]
  ]) {
    const { at, read, names } = folder({ 'given.csv': awkwardTable(100) })
    await mergeTables([at('given.csv')], at('in.csv'))
    const { parts, rows } = await splitTable(at('in.csv'), at('part-{part}.csv'), options)
    assert.equal(rows, 100)
    assert.deepEqual(
      parts.map((part) => part.rows).sort((a, b) => b - a),
      sizes
    )
    const files = names().filter((name) => name.startsWith('part-'))
    assert.deepEqual(
      parts.map(({ output }) => path.basename(output)),
      files,
      'names sort as the parts do'
    )
    await mergeTables(files.map(at), at('out.csv'))
    assert.equal(read('out.csv'), read('in.csv'))
    assert.deepEqual(
      names().filter((name) => name.startsWith('.')),
      []
    )
  }
})

test('split: cells stay as they are, more parts than rows, parts of an earlier split are told', async () => {
  const { at, names } = folder({ 'in.csv': awkwardTable(3), 'part-7.csv': '', 'part-x.csv': '' })
  const { parts, others } = await splitTable(at('in.csv'), at('part-{part}.csv'), { parts: 5 })
  assert.deepEqual(parts.map(({ rows }) => rows).toSorted(), [0, 0, 1, 1, 1])
  assert.deepEqual(others, ['part-7.csv'])
  assert.deepEqual(
    names()
      .filter((name) => /^part-\d/.test(name))
      .flatMap((name) => (name === 'part-7.csv' ? [] : readRows(at(name)))),
    readRows(at('in.csv'))
  )
})

test('split: what is refused leaves nothing', async () => {
  const { at, names } = folder({ 'in.csv': awkwardTable(30), 'part-1.csv': 'mine' })
  const split = (output, options) => splitTable(at('in.csv'), at(output), options)
  await refused(split('part-{part}.csv', {}), 'usage', /either parts or rows/)
  await refused(split('part-{part}.csv', { parts: 2, rows: 3 }), 'usage', /either parts or rows/)
  await refused(split('part.csv', { parts: 2 }), 'usage', /needs a place for the number of the part/)
  await refused(split('gone/{part}.csv', { parts: 2 }), 'output_unwritable', /gone does not exist/)
  fs.mkdirSync(at('part-0.csv'))
  await refused(split('part-{part}.csv', { parts: 2 }), 'output_unwritable', /is not a file/)
  fs.rmdirSync(at('part-0.csv'))
  await refused(split('part-{part}.csv', { parts: 2, signal: AbortSignal.abort() }), 'aborted')
  assert.deepEqual(names(), ['in.csv', 'part-1.csv'])
  assert.equal(fs.readFileSync(at('part-1.csv'), 'utf8'), 'mine')
})

test('diff: alike, whatever the order of rows and columns; exit code 0', async () => {
  const { at } = folder({ 'a.csv': 'path,x,y\n1,a,b\n2,c,"d\ne"\n', 'b.csv': 'y;path;x\n"d\ne";2;c\nb;1;a\n' })
  const diff = await diffTables(at('a.csv'), at('b.csv'))
  assert.deepEqual([diff.same, diff.alike, diff.reordered], [true, 2, true])
  assert.equal((await diffTables(at('a.csv'), at('a.csv'))).reordered, false)
  const { status, stdout } = await cli(['diff', at('a.csv'), at('b.csv')])
  assert.equal(status, 0)
  assert.match(stdout, /2 rows are alike, in another order\nthe same\n$/)
})

test('diff: rows of one side, changed cells by column, keys that are there again; exit code 1', async () => {
  const { at } = folder({
    'a.csv': 'path,text,old\n1,a,x\n2,b,x\n3,c,x\n4,d,x\n4,e,x\n',
    'b.csv': 'path,text,new\n2,B,y\n1,a,y\n4,d,y\n4,E,y\n4,f,y\n5,g,y\n'
  })
  const diff = await diffTables(at('a.csv'), at('b.csv'))
  const { rows, alike, changed, onlyInA, onlyInB, changedCells, columnsOnlyInA, columnsOnlyInB, repeated, same } = diff
  assert.deepEqual(
    { rows, alike, changed, onlyInA, onlyInB, changedCells, columnsOnlyInA, columnsOnlyInB, repeated, same },
    {
      rows: { a: 5, b: 6 },
      alike: 2,
      changed: 2,
      onlyInA: 1,
      onlyInB: 2,
      changedCells: { text: 2 },
      columnsOnlyInA: ['old'],
      columnsOnlyInB: ['new'],
      repeated: { a: 1, b: 2 },
      same: false
    }
  )
  assert.deepEqual(diff.examples, {
    onlyInA: [['3']],
    onlyInB: [['4'], ['5']],
    changed: [
      { key: ['2'], cells: [{ column: 'text', a: 'b', b: 'B' }] },
      { key: ['4'], cells: [{ column: 'text', a: 'e', b: 'E' }] }
    ]
  })
  const { status, stdout } = await cli(['diff', at('a.csv'), at('b.csv'), '--examples', '1'])
  assert.equal(status, 1)
  for (const line of ['1 rows only in', '2 rows only in', '2 rows differ; cells by column: text 2', 'text: "b" | "B"'])
    assert.ok(stdout.includes(line), stdout)
  assert.equal(JSON.parse((await cli(['diff', at('a.csv'), at('b.csv'), '--json'])).stdout).changed, 2)
})

test('diff: by several columns, by another one, and what is refused with 2', async () => {
  const { at } = folder({ 'a.csv': 'id,path,text\n1,a,x\n2,a,y\n', 'b.csv': 'id,path,text\n2,a,y\n1,a,z\n' })
  assert.equal((await diffTables(at('a.csv'), at('b.csv'), { on: ['path', 'id'] })).changed, 1)
  assert.equal((await diffTables(at('a.csv'), at('b.csv'), { on: ['id'] })).changed, 1)
  assert.equal((await diffTables(at('a.csv'), at('b.csv'), { on: ['path', 'text'] })).onlyInA, 1)
  // Cells of a key are kept apart.
  const { at: other } = folder({ 'a.csv': 'x,y\na b,c\n', 'b.csv': 'x,y\na,b c\n' })
  assert.equal((await diffTables(other('a.csv'), other('b.csv'), { on: ['x', 'y'] })).onlyInB, 1)
  const { status, stderr } = await cli(['diff', at('a.csv'), at('b.csv'), '--key', 'name'])
  assert.equal(status, 2)
  assert.match(stderr, /has no column named name: its columns are "id", "path", "text"/)
  assert.equal((await cli(['diff', at('a.csv'), at('gone.csv')])).status, 2)
  assert.equal((await cli(['diff', '-', '-'])).status, 2)
})

test('join: new columns behind the table, empty where there is no caption; everything is counted', async () => {
  const { at, read } = folder({
    'in.csv': 'path,id\n1,a\n2,b\n3,c\n1,d\n',
    'captions.csv': 'text,path,id,flags\nfirst,1,z,\n"sec,ond",2,z,x\nunused,9,z,\n'
  })
  const summary = await joinTables(at('in.csv'), at('captions.csv'), at('out.csv'))
  assert.equal(read('out.csv'), 'path,id,text,flags\n1,a,first,\n2,b,"sec,ond",x\n3,c,,\n1,d,first,\n')
  const { rows, matched, unmatched, unused, added, replaced, repeated } = summary
  assert.deepEqual(
    { rows, matched, unmatched, unused, added, replaced, repeated },
    {
      rows: 4,
      matched: 3,
      unmatched: 1,
      unused: 1,
      added: ['text', 'flags'],
      replaced: [],
      repeated: { table: 1, captions: 0 }
    }
  )
  const { status, stderr } = await cli(['join', at('in.csv'), at('captions.csv'), '--inner', '-o', at('inner.csv')])
  assert.equal(status, 0, stderr)
  assert.match(stderr, /^3 rows, 3 with a row of the captions, 1 without; 1 of the captions unused: /)
  assert.equal(read('inner.csv'), 'path,id,text,flags\n1,a,first,\n2,b,"sec,ond",x\n1,d,first,\n')
})

test('join: a column that both have is replaced where there is a caption, and only where it is named', async () => {
  const { at, read } = folder({ 'in.csv': 'path,text,id\n1,old,a\n2,old,b\n', 'new.csv': 'path,text,note\n2,new,n\n' })
  const { added, replaced } = await joinTables(at('in.csv'), at('new.csv'), at('out.csv'), {
    columns: ['note', 'text']
  })
  assert.equal(read('out.csv'), 'path,text,id,note\n1,old,a,\n2,new,b,n\n')
  assert.deepEqual([added, replaced], [['note'], ['text']])
  await joinTables(at('in.csv'), at('new.csv'), at('out.csv'))
  assert.equal(read('out.csv'), 'path,text,id,note\n1,old,a,\n2,old,b,n\n')
})

test("join: rows with one key take each their own, as a run's output has them", async () => {
  const { at, read } = folder({ 'in.csv': 'path,text\na,one\nb,one\na,two\na,three\n' })
  const captioner = { ...nullCaptioner(), info: { ...nullCaptioner().info, usesText: true } }
  captioner.captionRow = async ({ text }) => ({
    status: 'ok',
    text: `It is ${text}.`,
    numFrames: 1,
    error: null,
    usage: null
  })
  await run(at('in.csv'), at('captions.csv'), { captioner })
  await joinTables(at('in.csv'), at('captions.csv'), at('out.csv'), { columns: ['text', 'status'] })
  assert.deepEqual(
    readRows(at('out.csv')).map(({ text }) => text),
    ['It is one.', 'It is one.', 'It is two.', 'It is three.']
  )
  assert.match(read('out.csv'), /^path,text,status\n/)
})

test('join: what is refused leaves nothing', async () => {
  const { at, names } = folder({
    'in.csv': 'path,id\n1,a\n',
    'captions.csv': 'path,text\n1,x\n',
    'other.csv': 'file\n1\n'
  })
  const join = (captions, options) => joinTables(at('in.csv'), at(captions), at('out.csv'), options)
  await refused(join('captions.csv', { columns: ['name'] }), 'usage', /has no column name: its columns are path, text/)
  await refused(join('captions.csv', { columns: ['path'] }), 'usage', /column path is the key/)
  await refused(join('other.csv'), 'csv_invalid', /other\.csv has no column named path/)
  await refused(join('captions.csv', { signal: AbortSignal.abort() }), 'aborted')
  await refused(joinTables(at('in.csv'), at('captions.csv'), at('in.csv')), 'usage', /is the input .*: name another/)
  assert.deepEqual(names(), ['captions.csv', 'in.csv', 'other.csv'])
})

test('pipes: a table from standard input, an output on standard output', async () => {
  const { at } = folder({ 'in.csv': 'path,id\n1,a\n2,b\n', 'captions.csv': 'path,text\n1,x\n' })
  const piped = (...args) =>
    spawnSync(process.execPath, [main, ...args], { input: fs.readFileSync(at('in.csv')), encoding: 'utf8' })
  assert.equal(piped('join', '-', at('captions.csv'), '-o', '-').stdout, 'path,id,text\n1,a,x\n2,b,\n')
  assert.equal(piped('diff', '-', at('in.csv')).status, 0)
  assert.equal(piped('merge', '-', at('in.csv'), '-o', '-').stdout, 'path,id\n1,a\n2,b\n1,a\n2,b\n')
  assert.match(piped('merge', '-', at('in.csv'), '-o', '-', '--json').stderr, /--json prints on standard output/)
})

test('thousands of rows in another order: found by their keys, alike', async () => {
  const { at } = folder({ 'a.csv': awkwardTable(5000) })
  const rows = readRows(at('a.csv'))
  const line = ({ path: name, text, id }) => `${quoted(name)},${quoted(text)},${id}\n`
  fs.writeFileSync(at('b.csv'), `path,text,id\n${rows.toReversed().map(line).join('')}`)
  const diff = await diffTables(at('a.csv'), at('b.csv'), { on: ['id'] })
  assert.deepEqual([diff.same, diff.alike, diff.reordered], [true, 5000, true])
  const joined = await joinTables(at('a.csv'), at('b.csv'), at('out.csv'), { on: ['id'], columns: ['text'] })
  assert.equal(joined.matched, 5000)
  assert.deepEqual(readRows(at('out.csv')), rows)
})
