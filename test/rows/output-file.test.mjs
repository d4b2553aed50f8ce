/** The output file appears whole or not at all, and nothing is left beside it. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { beforeEach, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { parse } from 'csv-parse/sync'
import { OutputFile } from '../../dist/rows/output-file.js'
import { isSameFile } from '../../dist/rows/output-place.js'
import { root } from '../helpers/cli.mjs'
import { temporaryFolder } from '../helpers/media.mjs'

const base = temporaryFolder()
let count = 0
/** Each test's own folder. */
let folder
beforeEach(() => {
  folder = path.join(base, String(count++))
  fs.mkdirSync(folder)
})
const at = (name) => path.join(folder, name)
const read = (name) => fs.readFileSync(at(name), 'utf8')
const names = (where = folder) => fs.readdirSync(where).sort()

test('nothing is there until it is committed, then all of it, in the order written', async () => {
  const file = new OutputFile(at('out.csv'))
  assert.equal(file.path, path.join(fs.realpathSync(folder), 'out.csv'))
  await file.write('first\n')
  await file.write('')
  await file.write('sécond\n')
  await file.write('x'.repeat(1_000_000))
  assert.ok(!fs.existsSync(at('out.csv')))
  file.commit()
  assert.equal(read('out.csv'), `first\nsécond\n${'x'.repeat(1_000_000)}`)
  assert.deepEqual(names(), ['out.csv'])
})

test('what was there before stays until the commit, and stays for good where there is none', async () => {
  fs.writeFileSync(at('out.csv'), 'before, and longer than what comes')
  const dropped = new OutputFile(at('out.csv'))
  await dropped.write('dropped')
  dropped.discard()
  assert.equal(read('out.csv'), 'before, and longer than what comes')
  const kept = new OutputFile(at('out.csv'))
  await kept.write('after')
  assert.equal(read('out.csv'), 'before, and longer than what comes')
  kept.commit()
  assert.equal(read('out.csv'), 'after')
  assert.deepEqual(names(), ['out.csv'])
})

test('discard leaves nothing behind, again and again, and does nothing after a commit', async () => {
  const dropped = new OutputFile(at('a.csv'))
  await dropped.write('text')
  assert.equal(names().length, 1)
  dropped.discard()
  dropped.discard()
  assert.deepEqual(names(), [])
  const kept = new OutputFile(at('a.csv'))
  kept.commit()
  kept.discard()
  assert.deepEqual(names(), ['a.csv'])
  assert.equal(read('a.csv'), '', 'nothing was written, and it is there')
})

test('a discarded file gives its descriptor back', {
  skip: process.platform !== 'linux' && 'there is no list of open files'
}, async () => {
  const open = () => fs.readdirSync('/proc/self/fd').length
  const before = open()
  for (let i = 0; i < 20; i++) {
    const file = new OutputFile(at('out.csv'))
    await file.write('text')
    file.discard()
  }
  assert.equal(open(), before)
})

test('two outputs of one name do not mix: the last commit counts', async () => {
  const [a, b] = [new OutputFile(at('out.csv')), new OutputFile(at('out.csv'))]
  await a.write('from a')
  await b.write('from b')
  b.commit()
  a.commit()
  assert.equal(read('out.csv'), 'from a')
  assert.deepEqual(names(), ['out.csv'])
})

test('a link is followed: it stays a link, and the file it leads to is replaced', async () => {
  fs.mkdirSync(at('elsewhere'))
  fs.writeFileSync(at('elsewhere/real.csv'), 'before')
  fs.symlinkSync(path.join('elsewhere', 'real.csv'), at('link.csv'))
  const file = new OutputFile(at('link.csv'))
  assert.equal(file.path, fs.realpathSync(at('elsewhere/real.csv')))
  await file.write('after')
  assert.equal(names(at('elsewhere')).length, 2, 'it is written beside its place')
  file.commit()
  assert.ok(fs.lstatSync(at('link.csv')).isSymbolicLink())
  assert.equal(read('elsewhere/real.csv'), 'after')
  assert.deepEqual([names(), names(at('elsewhere'))], [['elsewhere', 'link.csv'], ['real.csv']])
})

test('a relative name belongs to the folder of the moment', async () => {
  const before = process.cwd()
  process.chdir(folder)
  let file
  try {
    file = new OutputFile('out.csv')
  } finally {
    process.chdir(before)
  }
  await file.write('text')
  file.commit()
  assert.equal(read('out.csv'), 'text')
})

test('what is no place for a file is refused at once', () => {
  const refused = (name, message) => {
    assert.throws(() => new OutputFile(at(name)), { name: 'VcapError', code: 'output_unwritable', message })
  }
  refused(
    'no/such/out.csv',
    `Output ${at('no/such/out.csv')} cannot be written: the folder ${at('no/such')} does not exist`
  )
  fs.writeFileSync(at('plain'), '')
  refused('plain/out.csv', /the folder .*plain does not exist$/)
  fs.mkdirSync(at('folder.csv'))
  refused('folder.csv', `Output ${at('folder.csv')} is not a file`)
  refused('.', /is not a file$/)
  assert.deepEqual(names(), ['folder.csv', 'plain'])
})

/** What a failed output says it kept. */
const keptIn = ({ message }) => /; what was written is kept in (.*)$/.exec(message)[1]

test('a file that cannot take its name is kept, and the message says where', async () => {
  const file = new OutputFile(at('out.csv'))
  await file.write('text')
  fs.mkdirSync(at('out.csv'))
  let failure
  assert.throws(
    () => file.commit(),
    (error) => {
      failure = error
      return error.code === 'write_failed' && /^Output .*out\.csv could not be finished: /.test(error.message)
    }
  )
  file.discard()
  assert.equal(fs.readFileSync(keptIn(failure), 'utf8'), 'text')
  assert.deepEqual(names(), ['out.csv', path.basename(keptIn(failure))])
})

test('a process that ends before the commit leaves nothing', () => {
  const script = `
    const { OutputFile } = require(${JSON.stringify(path.join(root, 'dist/rows/output-file.js'))})
    const file = new OutputFile(process.argv[1])
    file.write('text').then(() => {
      console.log(require('node:fs').readdirSync(require('node:path').dirname(process.argv[1])).length)
      process.exit(5)
    })`
  const { status, stdout } = spawnSync(process.execPath, ['-e', script, at('out.csv')], { encoding: 'utf8' })
  assert.deepEqual([status, stdout], [5, '1\n'])
  assert.deepEqual(names(), [])
})

test('isSameFile sees through links of both kinds', () => {
  fs.writeFileSync(at('a'), '')
  fs.writeFileSync(at('b'), '')
  fs.symlinkSync(at('a'), at('soft'))
  fs.linkSync(at('a'), at('hard'))
  assert.ok(isSameFile(at('a'), at('soft')) && isSameFile(at('hard'), at('a')))
  assert.ok(!isSameFile(at('a'), at('b')))
  assert.ok(!isSameFile(at('a'), at('none')) && !isSameFile(at('none'), at('none')))
})

test('a dangling link is written through: what it leads to appears, and it stays a link', async () => {
  fs.mkdirSync(at('elsewhere'))
  fs.symlinkSync(path.join('elsewhere', 'later.csv'), at('dangling.csv'))
  fs.symlinkSync('dangling.csv', at('link-to-it.csv'))
  const file = new OutputFile(at('link-to-it.csv'))
  assert.equal(file.path, path.join(fs.realpathSync(at('elsewhere')), 'later.csv'))
  await file.write('text')
  file.commit()
  assert.equal(read('elsewhere/later.csv'), 'text')
  for (const name of ['dangling.csv', 'link-to-it.csv']) assert.ok(fs.lstatSync(at(name)).isSymbolicLink())
  fs.symlinkSync('round-b', at('round-a'))
  fs.symlinkSync('round-a', at('round-b'))
  assert.throws(() => new OutputFile(at('round-a')), { code: 'output_unwritable', message: /round in a circle|ELOOP/ })
  fs.symlinkSync('no/such/folder.csv', at('nowhere.csv'))
  assert.throws(() => new OutputFile(at('nowhere.csv')), { code: 'output_unwritable' })
})

test('mode and owner stay, of a replaced file and of one that is filled', async () => {
  const root = process.getuid() === 0
  for (const mode of [0o640, 0o600, 0o666, 0o755]) {
    fs.writeFileSync(at('out.csv'), 'before')
    fs.chmodSync(at('out.csv'), mode)
    if (root) fs.chownSync(at('out.csv'), 1234, 2345)
    const file = new OutputFile(at('out.csv'))
    const [temporary] = names().filter((name) => name !== 'out.csv')
    assert.equal(fs.statSync(at(temporary)).mode & 0o777, mode, 'nobody reads it before who may not read it after')
    await file.write('after')
    file.commit()
    const { mode: now, uid, gid } = fs.statSync(at('out.csv'))
    assert.equal(now & 0o777, mode)
    if (root) assert.deepEqual([uid, gid], [1234, 2345])
    fs.rmSync(at('out.csv'))
  }
})

test('a read-only file is refused, with what to do', () => {
  fs.writeFileSync(at('out.csv'), 'before')
  fs.chmodSync(at('out.csv'), 0o444)
  assert.throws(() => new OutputFile(at('out.csv')), {
    code: 'output_unwritable',
    message: /cannot be written: it is read-only \(mode 0444\): chmod u\+w it, or name another output$/
  })
  assert.deepEqual([read('out.csv'), names()], ['before', ['out.csv']])
})

test('a file that was to be filled and is gone: what was written is kept beside it', async () => {
  fs.writeFileSync(at('out.csv'), 'before')
  fs.linkSync(at('out.csv'), at('second.csv'))
  const file = new OutputFile(at('out.csv'))
  await file.write('after')
  fs.rmSync(at('out.csv'))
  let failure
  assert.throws(
    () => file.commit(),
    (error) => (failure = error) !== undefined
  )
  assert.equal(failure.code, 'write_failed')
  assert.equal(fs.readFileSync(keptIn(failure), 'utf8'), 'after')
  assert.deepEqual(names(), [path.basename(keptIn(failure)), 'second.csv'])
  // A later run leaves it where it is.
  const next = new OutputFile(at('next.csv'))
  next.discard()
  assert.equal(fs.readFileSync(keptIn(failure), 'utf8'), 'after')
})

test('a file with a second name keeps both, and a longer one is cut', async () => {
  fs.writeFileSync(at('out.csv'), 'before, and longer than what comes')
  fs.linkSync(at('out.csv'), at('second.csv'))
  const { ino } = fs.statSync(at('out.csv'))
  const file = new OutputFile(at('out.csv'))
  await file.write('after')
  assert.equal(read('second.csv'), 'before, and longer than what comes')
  file.commit()
  assert.deepEqual([read('out.csv'), read('second.csv'), fs.statSync(at('out.csv')).ino], ['after', 'after', ino])
  const long = new OutputFile(at('out.csv'))
  const text = 'x'.repeat(3_000_000)
  await long.write(text)
  long.commit()
  assert.equal(read('second.csv'), text)
  assert.deepEqual(names(), ['out.csv', 'second.csv'])
})

/** Runs `script` with `OutputFile`, in a process of a user for whom permissions count. */
function asSomebody(script) {
  const user = process.getuid() === 0 ? { uid: 54321, gid: 54321 } : {}
  const module = JSON.stringify(path.join(root, 'dist/rows/output-file.js'))
  const code = `const fs = require('node:fs'); const { OutputFile } = require(${module})
    const at = (name) => ${JSON.stringify(folder)} + '/' + name
    const write = async (name) => { const file = new OutputFile(at(name)); await file.write('after'); file.commit() }
    ;(async () => { ${script} })().catch(({ code, message }) => console.log(code + ' ' + message))`
  return spawnSync(process.execPath, ['-e', code], { encoding: 'utf8', ...user }).stdout
}
const asRoot = { skip: process.getuid?.() !== 0 && 'only the superuser can make files of other users' }

test("another user's file in a sticky folder: refused at once, or filled where it may be written", asRoot, () => {
  fs.chmodSync(base, 0o755)
  fs.chmodSync(folder, 0o1777)
  fs.writeFileSync(at('out.csv'), 'before')
  fs.chmodSync(at('out.csv'), 0o644)
  assert.match(
    asSomebody(`await write('out.csv')`),
    /^output_unwritable .*not to be written by this user \(mode 0644\)/
  )
  assert.deepEqual([read('out.csv'), names()], ['before', ['out.csv']])
  fs.chmodSync(at('out.csv'), 0o666)
  assert.equal(asSomebody(`await write('out.csv')`), '')
  assert.deepEqual([read('out.csv'), fs.statSync(at('out.csv')).uid, names()], ['after', 0, ['out.csv']])
})

test(
  "another user's file elsewhere keeps its owner; a folder that cannot be written holds one that can",
  asRoot,
  () => {
    fs.chmodSync(base, 0o755)
    fs.chmodSync(folder, 0o777)
    fs.writeFileSync(at('shared.csv'), 'before')
    fs.chmodSync(at('shared.csv'), 0o666)
    assert.equal(asSomebody(`await write('shared.csv')`), '')
    assert.deepEqual([read('shared.csv'), fs.statSync(at('shared.csv')).uid], ['after', 0])
    fs.writeFileSync(at('shared.csv'), 'before')
    fs.chmodSync(folder, 0o755)
    assert.equal(asSomebody(`await write('shared.csv')`), '')
    assert.deepEqual([read('shared.csv'), names()], ['after', ['shared.csv']])
    assert.match(asSomebody(`await write('new.csv')`), /^output_unwritable Output .*new\.csv cannot be written: EACCES/)
  }
)

test('names that the file system refuses are refused at the start', () => {
  for (const name of ['x'.repeat(256), 'no-such-folder/', '']) {
    assert.throws(() => new OutputFile(at(name)), { code: 'output_unwritable' }, name)
  }
  assert.deepEqual(names(), [])
})

test('temporary files of killed processes are removed, those of living ones and of other machines stay', () => {
  const script = `const file = new OutputFile(at('killed.csv'))
    await file.write('x')
    process.kill(process.pid, 'SIGKILL')`
  fs.chmodSync(base, 0o755)
  fs.chmodSync(folder, 0o777)
  asSomebody(script)
  const [first] = names()
  asSomebody(script)
  const abandoned = names()
  assert.equal(abandoned.length, 1)
  assert.notEqual(abandoned[0], first)
  // The number of a process that lives, which began at another time: it was given again.
  const again = abandoned[0].replace(/-\d+-(\d+)-/, `-${process.pid}-$1-`)
  fs.writeFileSync(at(again), '')
  const foreign = abandoned[0].replace(/^\.vcap-[0-9a-f]{8}/, '.vcap-00000000')
  fs.writeFileSync(at(foreign), '')
  const living = new OutputFile(at('living.csv'))
  assert.deepEqual(living.warnings, [`${fs.realpathSync(at(foreign))} is of a run on another machine`])
  const second = new OutputFile(at('second.csv'))
  const left = names()
  assert.equal(left.length, 3, left.join())
  assert.ok(left.includes(foreign) && !left.includes(again))
  living.discard()
  second.discard()
  assert.deepEqual(names(), [foreign])
})

test('a pipe is written as it comes; without a reader it is refused', async () => {
  spawnSync('mkfifo', [at('pipe')])
  assert.throws(() => new OutputFile(at('pipe')), { code: 'output_unwritable', message: /nobody reads this pipe/ })
  const reader = spawn('cat', [at('pipe')])
  let seen = ''
  reader.stdout.on('data', (text) => (seen += text))
  let file
  while (!file) {
    try {
      file = new OutputFile(at('pipe'))
    } catch {
      await pause(20) // cat has not opened it yet
    }
  }
  await file.write('first\n')
  await file.write('x'.repeat(1_000_000))
  file.commit()
  await once(reader, 'close')
  assert.equal(seen, `first\n${'x'.repeat(1_000_000)}`)
  assert.deepEqual(names(), ['pipe'])
})

test('a device takes it, and a full one says so', {
  skip: !fs.existsSync('/dev/full') && 'there is none'
}, async () => {
  const nothing = new OutputFile('/dev/null')
  await nothing.write('text')
  nothing.commit()
  const full = new OutputFile('/dev/full')
  await assert.rejects(full.write('text'), { code: 'write_failed', message: /^Output could not be written: ENOSPC/ })
  full.discard()
})

test('descriptors of this process: appended to, and left open', () => {
  const asked = `for (const name of ['-', '/dev/stdout', '/dev/fd/1', '/proc/self/fd/1']) {
    const file = new OutputFile(name); await file.write('text\\n'); file.commit() }
    fs.writeSync(1, 'open')`
  assert.equal(asSomebody(asked), `${'text\n'.repeat(4)}open`)
  assert.match(asSomebody(`new OutputFile('/dev/fd/77')`), /^output_unwritable .*EBADF/)
  assert.match(asSomebody(`new OutputFile('/dev/fd/0')`), /^$|^output_unwritable .*EBADF/)
})

test('no more may be written: the whole rows are kept, and the message says where', async () => {
  fs.chmodSync(base, 0o755)
  fs.chmodSync(folder, 0o777)
  const module = JSON.stringify(path.join(root, 'dist/rows/csv-sink.js'))
  const script = `const { CsvSink } = require(${module})
    const sink = new CsvSink(process.argv[1], ['path', 'text'])
    ;(async () => { for (let i = 0; i < 100_000; i++) await sink.write([i, 'a "caption"\\nof some length']) })()
      .catch(({ code, message }) => { console.log(code + ' ' + message); sink.discard() })`
  const args = ['-c', 'ulimit -f 64; exec "$0" "$@"', process.execPath, '-e', script, at('out.csv')]
  const { stdout } = spawnSync('bash', args, { encoding: 'utf8' })
  assert.match(
    stdout,
    /^write_failed Output could not be written: EFBIG.*; what was written is kept in .*out\.csv\.kept-/
  )
  const kept = fs.readFileSync(keptIn({ message: stdout.trim() }), 'utf8')
  assert.ok(kept.length > 60_000, 'all of the last rows that could be written')
  const rows = parse(kept)
  assert.deepEqual(rows, [['path', 'text'], ...rows.slice(1).map((_, i) => [String(i), 'a "caption"\nof some length'])])
  assert.equal(names().length, 1)
})
