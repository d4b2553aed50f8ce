/** The bytes of a table: files and pipes, read errors, and files that change meanwhile. */
import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { openRows } from '../../dist/rows/open.js'
import { TableFile } from '../../dist/rows/table-file.js'
import { run } from '../../dist/index.js'
import { readRows, root } from '../helpers/cli.mjs'
import { cannotFail, preloadFaults } from '../helpers/faults.mjs'
import { temporaryFolder } from '../helpers/media.mjs'
import { nullCaptioner } from '../helpers/null-captioner.mjs'

const folder = temporaryFolder()
const at = (name) => path.join(folder, name)
let count = 0
function write(content) {
  const file = at(`${count++}.csv`)
  fs.writeFileSync(file, content)
  return file
}
const lines = (from, to) => Array.from({ length: to - from }, (_, i) => `clip-${from + i}.mp4,a\n`).join('')
/** Rows that are many blocks of the file, and few to caption. */
const wideLines = (rows) => Array.from({ length: rows }, (_, i) => `clip-${i}.mp4,${'a'.repeat(1000)}\n`).join('')

async function all(items) {
  const list = []
  for await (const item of items) list.push(item)
  return list
}

const copies = () => fs.readdirSync(os.tmpdir()).filter((name) => name.startsWith('vcap-table-'))

function fifo() {
  const file = at(`fifo-${count++}`)
  execFileSync('mkfifo', [file])
  return file
}

/** Writes to a pipe as another process. */
function feed(file, ...parts) {
  const script =
    'import fs from "node:fs"; const out = fs.openSync(process.argv[1], "w");' +
    'for (const part of process.argv.slice(2)) { fs.writeSync(out, part); await new Promise((r) => setTimeout(r, 30)) }'
  return spawn(process.execPath, ['--input-type=module', '-e', script, file, ...parts], { stdio: 'inherit' })
}

test('a pipe gives each row once, however it is cut, and leaves nothing behind', async () => {
  const before = copies()
  const file = fifo()
  feed(file, 'path,a\r', '\nx,"1\r', '\n2"\r\ny', '.mp4,é\n', 'z,3')
  const source = await openRows(file, {})
  const rows = await all(source.rows())
  assert.deepEqual(
    rows.map(({ cells }) => cells),
    [
      ['x', '1\r\n2'],
      ['y.mp4', 'é'],
      ['z', '3']
    ]
  )
  assert.equal(rows[1].input.path, at('y.mp4'), 'a pipe with a name has a folder')
  assert.equal(source.total, 3)
  assert.deepEqual(copies(), before)
  source.close()
})

test('more than a pipe holds, with a captioner that waits for the whole table', async () => {
  const file = fifo()
  feed(file, 'path,a\n', lines(0, 5000), lines(5000, 6000))
  const { rows } = await run(file, at('pipe-out.csv'), { captioner: nullCaptioner(), restart: true })
  assert.equal(rows, 6000)
  assert.deepEqual(
    readRows(at('pipe-out.csv')).map((row) => row.path),
    Array.from({ length: 6000 }, (_, i) => `clip-${i}.mp4`)
  )
})

test('a pipe whose table is broken, or that is given up while it waits', async () => {
  const broken = fifo()
  feed(broken, 'path,a\n', 'x,"1')
  await assert.rejects(openRows(broken, {}), { code: 'csv_invalid', message: /, line 2: the quote that opens/ })
  const controller = new AbortController()
  const waiting = openRows(fifo(), { signal: controller.signal })
  setTimeout(() => controller.abort(), 30)
  await assert.rejects(waiting, { code: 'aborted' })
  const slow = fifo()
  const writer = fs.openSync(slow, fs.constants.O_RDWR)
  fs.writeSync(writer, 'path\nx\n')
  const begun = openRows(slow, { signal: AbortSignal.timeout(50) })
  await assert.rejects(begun, { code: 'aborted' })
  fs.closeSync(writer)
})

test('descriptors are given back, however it ends', { skip: cannotFail }, async () => {
  const open = () => fs.readdirSync('/proc/self/fd').length
  const pipe = fifo()
  const { TMPDIR } = process.env
  const endings = async () => {
    for (let i = 0; i < 10; i++) {
      await assert.rejects(TableFile.open(pipe, AbortSignal.timeout(2)), { code: 'aborted' })
      await assert.rejects(TableFile.open(folder), { code: 'usage' })
      process.env.TMPDIR = at('none')
      await assert.rejects(TableFile.open(pipe), { code: 'write_failed' })
      if (TMPDIR === undefined) delete process.env.TMPDIR
      else process.env.TMPDIR = TMPDIR
      const file = await TableFile.open('/dev/null')
      file.close()
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
    return open()
  }
  assert.equal(await endings(), await endings())
})

test('a pipe that cannot be kept says where, and what helps', async () => {
  const script = `import { openRows } from ${JSON.stringify(path.join(root, 'dist/rows/open.js'))}
    await openRows('-', {}).catch(({ code, message }) => console.log(code, message))`
  const child = { input: 'path\nx\n', encoding: 'utf8', env: { ...process.env, TMPDIR: at('none') } }
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], child)
  assert.match(
    stdout,
    /^write_failed The table from .* cannot be kept in .*none: ENOENT.*; TMPDIR names another folder\n$/
  )
})

test('standard input: a pipe, a file, or nothing; relative paths start at the working directory', async () => {
  const script = `import { openRows } from ${JSON.stringify(path.join(root, 'dist/rows/open.js'))}
    for await (const { input } of (await openRows(process.argv[1], {})).rows()) console.log(input.path)`
  const start = (name, options) =>
    spawnSync(process.execPath, ['--input-type=module', '-e', script, name], {
      cwd: folder,
      encoding: 'utf8',
      ...options
    })
  const expected = `${fs.realpathSync(folder)}/x\n/y\n`
  for (const name of ['-', '/dev/stdin']) {
    assert.equal(start(name, { input: 'path\nx\n/y\n' }).stdout, expected)
    assert.equal(start(name, { stdio: [fs.openSync(write('path\nx\n/y\n'), 'r'), 'pipe', 'pipe'] }).stdout, expected)
    const { stderr } = start(name, { stdio: ['ignore', 'pipe', 'pipe'] })
    assert.match(stderr, /Standard input is empty/)
  }
})

test('a file that another one replaces during the run is read to its end', async () => {
  const file = write(`path,a\n${wideLines(500)}`)
  const source = await openRows(file, {})
  fs.writeFileSync(`${file}.new`, 'path,a\nother,b\n')
  fs.renameSync(`${file}.new`, file)
  assert.equal((await all(source.rows())).length, 500)
  source.close()
})

test('a file that is written to between its check and the first row is refused', async () => {
  for (const change of [
    (file) => fs.appendFileSync(file, 'late,b\n'),
    (file) => fs.truncateSync(file, 20),
    (file) => fs.writeFileSync(file, `path,b\n${lines(0, 10)}`)
  ]) {
    const file = write(`path,a\n${lines(0, 10)}`)
    const source = await openRows(file, {})
    await new Promise((resolve) => setTimeout(resolve, 10)) // a clock of the file system may stand still so long
    change(file)
    await assert.rejects(all(source.rows()), {
      code: 'read_failed',
      message: /changed (since|near byte 0) .*: run again/
    })
    source.close()
  }
})

test('a file that has a new time and the same bytes is read', async () => {
  const file = write(`path,a\n${lines(0, 10)}`)
  const source = await openRows(file, {})
  fs.utimesSync(file, 1, 1)
  assert.equal((await all(source.rows())).length, 10)
  assert.ok(!source.resized)
  source.close()
})

test('a file that is written to while its rows are read: appended rows are warned of, other rows refused', async () => {
  const runWith = async (change) => {
    const file = write(`path,a\n${wideLines(4000)}`)
    const warnings = []
    const captioner = nullCaptioner()
    let asked = 0
    const captionRow = (...args) => {
      if (asked++ === 10) change(file)
      return captioner.captionRow(...args)
    }
    const onEvent = ({ type, message }) => type === 'warning' && warnings.push(message)
    const given = { ...captioner, captionRow }
    const { rows } = await run(file, at('changed-out.csv'), { captioner: given, restart: true, onEvent })
    return { rows, warnings }
  }
  const { rows, warnings } = await runWith((file) => fs.appendFileSync(file, 'late.mp4,a\n'))
  assert.equal(rows, 4000)
  assert.match(warnings.join(), /changed during the run; the output has the rows it had at the start$/)
  const overwrite = (file) => {
    const descriptor = fs.openSync(file, 'r+')
    fs.writeSync(descriptor, 'CLIP', fs.fstatSync(descriptor).size - 1000)
    fs.closeSync(descriptor)
  }
  await assert.rejects(runWith(overwrite), {
    code: 'read_failed',
    message: /changed near byte \d+ since it was checked/
  })
  await assert.rejects(
    runWith((file) => fs.truncateSync(file, 1_000_000)),
    {
      code: 'read_failed',
      message: /ended after 1000000 of \d+ bytes/
    }
  )
})

test('reads that fail, for good or once, are interrupted or short, at fifty places', { skip: cannotFail }, async () => {
  const { LD_PRELOAD } = process.env
  preloadFaults(folder)
  const env = { ...process.env }
  process.env.LD_PRELOAD = LD_PRELOAD ?? ''
  const table = at('faulty.csv')
  fs.writeFileSync(table, `path,a\n${wideLines(200)}`)
  const { size } = fs.statSync(table)
  const script = `import { openRows } from ${JSON.stringify(path.join(root, 'dist/rows/open.js'))}
    import fs from 'node:fs'
    const orders = process.env.VCAP_FAULTS
    for (let number = 0; number < 50; number++) {
      for (const kind of ['eio', 'once', 'eintr', 'short']) {
        const place = kind === 'short' ? 1000 + number * number * 20 : Math.floor((number * ${size}) / 50)
        fs.rmSync(orders + '.taken', { force: true })
        fs.writeFileSync(orders, kind + ' ' + place + '\\n')
        try {
          const source = await openRows(process.argv[1], {})
          let rows = 0
          for await (const row of source.rows()) if (row.cells[0] === 'clip-' + rows + '.mp4') rows++
          source.close()
          console.log(kind, source.total, rows)
        } catch ({ code, message }) { console.log(kind, code, / from byte \\d+ on: EIO: i.o error/.test(message)) }
      }
    }`
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', script, table], { encoding: 'utf8', env })
  const expected = { eio: 'read_failed true', once: '200 200', eintr: '200 200', short: '200 200' }
  const answers = child.stdout.trim().split('\n')
  assert.equal(answers.length, 200, child.stderr)
  for (const answer of answers) {
    const [kind, ...rest] = answer.split(' ')
    assert.equal(rest.join(' '), expected[kind], kind)
  }
})

test('what cannot be opened says why', async () => {
  const closed = write('path\n')
  fs.chmodSync(closed, 0)
  if (process.getuid() !== 0) {
    await assert.rejects(TableFile.open(closed), { code: 'usage', message: /cannot be opened: EACCES/ })
  }
  await assert.rejects(TableFile.open(at('no/such.csv')), {
    code: 'usage',
    message: `Input ${at('no/such.csv')} not found`
  })
  await assert.rejects(TableFile.open(path.join(closed, 'in.csv')), {
    code: 'usage',
    message: /cannot be opened: ENOTDIR/
  })
})
