/** The output file appears whole or not at all, and nothing is left beside it. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { beforeEach, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
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
const names = (where = folder) =>
  fs
    .readdirSync(where)
    .filter((name) => name !== 'own')
    .sort()
/** A folder that belongs to the output alone, and what is in it. */
const own = () => {
  fs.mkdirSync(at('own'), { recursive: true })
  return at('own')
}
const underWay = () => fs.readdirSync(own())
function begin(name) {
  const file = new OutputFile(name)
  file.begin(own())
  return file
}

test('nothing is there until it is committed, then all of it, in the order written', async () => {
  const file = begin(at('out.csv'))
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
  const dropped = begin(at('out.csv'))
  await dropped.write('dropped')
  dropped.discard()
  assert.equal(read('out.csv'), 'before, and longer than what comes')
  const kept = begin(at('out.csv'))
  await kept.write('after')
  assert.equal(read('out.csv'), 'before, and longer than what comes')
  kept.commit()
  assert.equal(read('out.csv'), 'after')
  assert.deepEqual(names(), ['out.csv'])
})

test('discard leaves nothing behind, again and again, and does nothing after a commit', async () => {
  const dropped = begin(at('a.csv'))
  await dropped.write('text')
  assert.equal(underWay().length, 1)
  dropped.discard()
  dropped.discard()
  assert.deepEqual([names(), underWay()], [[], []])
  const kept = begin(at('a.csv'))
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
    const file = begin(at('out.csv'))
    await file.write('text')
    file.discard()
  }
  assert.equal(open(), before)
})

test('a link is followed: it stays a link, and the file it leads to is replaced', async () => {
  fs.mkdirSync(at('elsewhere'))
  fs.writeFileSync(at('elsewhere/real.csv'), 'before')
  fs.symlinkSync(path.join('elsewhere', 'real.csv'), at('link.csv'))
  const file = begin(at('link.csv'))
  assert.equal(file.path, fs.realpathSync(at('elsewhere/real.csv')))
  await file.write('after')
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
    file.begin(own())
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

test('a file that cannot take its name says so, and leaves nothing of its own', async () => {
  const file = begin(at('out.csv'))
  await file.write('text')
  fs.mkdirSync(at('out.csv'))
  const message = /^Output .*out\.csv cannot be written: .*$/
  assert.throws(() => file.commit(), { code: 'write_failed', message })
  file.discard()
  assert.deepEqual([names(), underWay()], [['out.csv'], []])
})

test('what a killed run left is overwritten by the next one', async () => {
  const killed = begin(at('out.csv'))
  await killed.write('a long text that is never finished')
  const next = begin(at('out.csv'))
  await next.write('short')
  next.commit()
  assert.deepEqual([read('out.csv'), underWay()], ['short', []])
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
  const file = begin(at('link-to-it.csv'))
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
    const file = begin(at('out.csv'))
    const [temporary] = underWay()
    assert.equal(
      fs.statSync(path.join(own(), temporary)).mode & 0o777,
      mode,
      'nobody reads it before who may not read it after'
    )
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
  assert.throws(() => begin(at('out.csv')), {
    code: 'output_unwritable',
    message: /cannot be written: it is read-only \(mode 0444\): chmod u\+w it, or name another output$/
  })
  assert.deepEqual([read('out.csv'), names()], ['before', ['out.csv']])
})

test('a file that was to be filled and is gone: told, and the next run makes it', async () => {
  fs.writeFileSync(at('out.csv'), 'before')
  fs.linkSync(at('out.csv'), at('second.csv'))
  const file = begin(at('out.csv'))
  await file.write('after')
  fs.rmSync(at('out.csv'))
  assert.throws(() => file.commit(), { code: 'write_failed', message: /^Output .*out\.csv cannot be written: ENOENT/ })
  file.discard()
  assert.deepEqual([names(), underWay()], [['second.csv'], []])
  const next = begin(at('out.csv'))
  await next.write('after')
  next.commit()
  assert.equal(read('out.csv'), 'after')
})

test('a file with a second name keeps both, and a longer one is cut', async () => {
  fs.writeFileSync(at('out.csv'), 'before, and longer than what comes')
  fs.linkSync(at('out.csv'), at('second.csv'))
  const { ino } = fs.statSync(at('out.csv'))
  const file = begin(at('out.csv'))
  await file.write('after')
  assert.equal(read('second.csv'), 'before, and longer than what comes')
  file.commit()
  assert.deepEqual([read('out.csv'), read('second.csv'), fs.statSync(at('out.csv')).ino], ['after', 'after', ino])
  const long = begin(at('out.csv'))
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
    const own = fs.mkdtempSync(require('node:os').tmpdir() + '/vcap-own-')
    process.on('exit', () => fs.rmSync(own, { recursive: true }))
    const write = async (name) => {
      const file = new OutputFile(at(name))
      file.begin(own)
      await file.write('after')
      file.commit()
    }
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
    assert.match(asSomebody(`await write('new.csv')`), /^write_failed Output .*new\.csv cannot be written: EACCES/)
  }
)

test('names that the file system refuses are refused at the start', () => {
  for (const name of ['x'.repeat(256), 'no-such-folder/', '']) {
    assert.throws(() => new OutputFile(at(name)), { code: 'output_unwritable' }, name)
  }
  assert.deepEqual(names(), [])
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
  await assert.rejects(full.write('text'), {
    code: 'write_failed',
    message: /^Output \/dev\/full cannot be written: ENOSPC/
  })
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
