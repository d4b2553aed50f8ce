/** The output file appears whole or not at all, and nothing is left beside it. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { beforeEach, test } from 'node:test'
import { isSameFile, OutputFile } from '../../dist/rows/output-file.js'
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

test('a file that cannot take its name says so, and discard still cleans up', async () => {
  const file = new OutputFile(at('out.csv'))
  await file.write('text')
  fs.mkdirSync(at('out.csv'))
  assert.throws(() => file.commit(), { code: 'write_failed', message: /^Output .*out\.csv could not be finished: / })
  file.discard()
  assert.deepEqual(names(), ['out.csv'])
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
