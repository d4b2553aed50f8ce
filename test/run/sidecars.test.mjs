/** Captions in files beside the videos: what is written, what stays, and what a kill may do. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { run } from '../../dist/index.js'
import { cli, readRows, root } from '../helpers/cli.mjs'
import { ffmpeg, temporaryFolder } from '../helpers/media.mjs'
import { namingCaptioner } from '../helpers/naming-captioner.mjs'

/** A folder with a table of these files, none of which is there, and what lies beside them. */
function furnish(names, beside = {}) {
  const folder = temporaryFolder()
  fs.mkdirSync(path.join(folder, 'clips'))
  fs.writeFileSync(path.join(folder, 'in.csv'), `path\n${names.map((name) => `clips/${name}\n`).join('')}`)
  for (const [name, text] of Object.entries(beside)) fs.writeFileSync(path.join(folder, 'clips', name), text)
  return folder
}
const contents = (folder) =>
  Object.fromEntries(
    fs
      .readdirSync(path.join(folder, 'clips'))
      .sort()
      .map((name) => [name, fs.readFileSync(path.join(folder, 'clips', name), 'utf8')])
  )
async function runIn(folder, options) {
  const warnings = []
  const onEvent = ({ type, message }) => type === 'warning' && warnings.push(message)
  const files = [path.join(folder, 'in.csv'), path.join(folder, 'out.csv')]
  const summary = await run(...files, { captioner: namingCaptioner(), sidecar: true, onEvent, ...options })
  return { ...summary, warnings }
}

test('every captioned row has its caption beside it, as the output has it', async () => {
  const folder = furnish(['a.mp4', 'bad.mp4', 'c.d.png', 'noending'])
  const { sidecars } = await runIn(folder, { prefix: 'TRIGGER, ', suffix: ' <end>' })
  assert.deepEqual(sidecars, { written: 3, kept: 0, failed: 0, shared: 0 })
  const text = (name) => `TRIGGER, A film of ${name}. <end>`
  assert.deepEqual(contents(folder), {
    'a.txt': text('a.mp4'),
    'c.d.txt': text('c.d.png'),
    'noending.txt': text('noending')
  })
  const rows = readRows(path.join(folder, 'out.csv'))
  assert.deepEqual(
    rows.map((row) => row.text),
    [text('a.mp4'), '', text('c.d.png'), text('noending')]
  )
})

for (const [exists, becomes, counts] of [
  ['skip', 'Mine, à \r\n', { written: 1, kept: 1 }],
  ['overwrite', 'A film of a.mp4.', { written: 2, kept: 0 }],
  ['append', 'Mine, à A film of a.mp4.', { written: 2, kept: 0 }],
  ['prepend', 'A film of a.mp4. Mine, à', { written: 2, kept: 0 }]
]) {
  test(`where a file is there: ${exists}; once more, nothing changes`, async () => {
    const folder = furnish(['a.mp4', 'b.mp4'], { 'a.caption': 'Mine, à \r\n', 'a.txt': 'not asked for' })
    const options = { sidecarExists: exists, sidecarExt: '.caption' }
    const first = await runIn(folder, options)
    assert.deepEqual(first.sidecars, { ...counts, failed: 0, shared: 0 })
    const expected = { 'a.caption': becomes, 'a.txt': 'not asked for', 'b.caption': 'A film of b.mp4.' }
    assert.deepEqual(contents(folder), expected)
    assert.ok((await runIn(folder, options)).already)
    // Another table makes the run go over all files again.
    fs.appendFileSync(path.join(folder, 'in.csv'), 'clips/c.mp4\n')
    const { sidecars } = await runIn(folder, options)
    assert.deepEqual(sidecars, { written: 1, kept: 2, failed: 0, shared: 0 })
    assert.deepEqual(contents(folder), { ...expected, 'c.caption': 'A film of c.mp4.' })
  })
}

test('what the run has written is brought up to date, what is not its own stays', async () => {
  for (const exists of ['skip', 'append', 'prepend']) {
    const folder = furnish(['a.mp4', 'b.mp4', 'c.mp4'], { 'b.txt': 'Mine.', 'c.txt': '' })
    await runIn(folder, { sidecarExists: exists })
    await runIn(folder, { sidecarExists: exists, prefix: 'NEW ' })
    const own = 'NEW A film of b.mp4.'
    const texts = contents(folder)
    assert.equal(texts['a.txt'], 'NEW A film of a.mp4.')
    assert.equal(texts['b.txt'], { skip: 'Mine.', append: `Mine. ${own}`, prepend: `${own} Mine.` }[exists])
    assert.equal(texts['c.txt'], exists === 'skip' ? '' : 'NEW A film of c.mp4.')
    if (exists === 'skip') continue
    fs.writeFileSync(path.join(folder, 'clips', 'b.txt'), 'Edited by hand.')
    await runIn(folder, { sidecarExists: exists, prefix: 'NEWER ' })
    assert.equal(contents(folder)['b.txt'], 'Edited by hand.', 'whether the caption is in it nobody knows')
  }
})

test('sidecars can be asked for once the run is finished; a run begun anew replaces its own', async () => {
  const folder = furnish(['a.mp4'], { 'a.txt': 'Mine.' })
  await runIn(folder, { sidecar: false })
  assert.deepEqual(contents(folder), { 'a.txt': 'Mine.' })
  const { captioned, sidecars } = await runIn(folder, { sidecarExists: 'append' })
  assert.deepEqual([captioned, sidecars.written], [0, 1])
  await runIn(folder, { sidecarExists: 'append', restart: true })
  assert.equal(contents(folder)['a.txt'], 'Mine. A film of a.mp4.')
  await runIn(folder, { sidecarExists: 'append', restart: true, suffix: ' Cut.' })
  assert.equal(contents(folder)['a.txt'], 'Mine. A film of a.mp4. Cut.')
  assert.ok(!fs.existsSync(path.join(folder, 'out.csv.vcap', 'before')))
})

test("rows that share a name have one sidecar, the first one's, and it is said", async () => {
  const folder = furnish(['a.mp4', 'a.webm', 'a.mp4', 'b.mp4', 'a.png'])
  const { sidecars, warnings } = await runIn(folder, {})
  assert.deepEqual(sidecars, { written: 2, kept: 0, failed: 0, shared: 2 })
  assert.match(warnings.join('\n'), /2 rows have no sidecar, since .*: the first is that of .*a\.webm to .*a\.txt/)
  assert.equal(contents(folder)['a.txt'], 'A film of a.mp4.')
})

test('what cannot be written is counted and tried again', async () => {
  const folder = furnish(['a.mp4', 'gone/b.mp4', 'c.mp4'])
  fs.mkdirSync(path.join(folder, 'clips', 'a.txt'))
  const { sidecars, warnings } = await runIn(folder, {})
  assert.deepEqual(sidecars, { written: 1, kept: 0, failed: 2, shared: 0 })
  assert.match(warnings.join('\n'), /2 sidecars could not be written, the captions are in the output: .*a\.txt: EISDIR/)
  fs.rmdirSync(path.join(folder, 'clips', 'a.txt'))
  fs.mkdirSync(path.join(folder, 'clips', 'gone'))
  const again = await runIn(folder, {})
  assert.deepEqual(again.sidecars, { written: 2, kept: 1, failed: 0, shared: 0 })
})

test('neither the table nor the output nor a video is taken for a sidecar', async () => {
  const folder = furnish(['../in.mp4', '../out.mp4'])
  const before = fs.readFileSync(path.join(folder, 'in.csv'), 'utf8')
  const { sidecars } = await runIn(folder, { sidecarExt: '.csv', sidecarExists: 'overwrite' })
  assert.equal(sidecars.failed, 2)
  assert.equal(fs.readFileSync(path.join(folder, 'in.csv'), 'utf8'), before)
  for (const sidecarExt of ['.mp4', '.PNG', '.tar.webm', 'txt', '', './x', '.a/b']) {
    await assert.rejects(runIn(folder, { sidecarExt }), { code: 'usage', message: /ending such as \.txt/ })
  }
  await assert.rejects(runIn(folder, { prefix: 'two\nlines' }), { code: 'usage', message: /without line breaks/ })
})

test('a sidecar that is a link is written where it leads', async () => {
  const folder = furnish(['a.mp4'], { 'real.caption': 'Mine.' })
  fs.symlinkSync('real.caption', path.join(folder, 'clips', 'a.txt'))
  await runIn(folder, { sidecarExists: 'append' })
  assert.equal(contents(folder)['real.caption'], 'Mine. A film of a.mp4.')
  assert.ok(fs.lstatSync(path.join(folder, 'clips', 'a.txt')).isSymbolicLink())
})

test('killed before or after any rename, a run adds each caption once', () => {
  const script = path.join(root, 'test', 'helpers', 'sidecar-run.mjs')
  const names = ['a.mp4', 'b.mp4', 'c.mp4', 'd.mp4']
  const start = (...args) => spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' })
  for (const exists of ['append', 'prepend']) {
    const folder = furnish(names, { 'a.txt': 'Mine.', 'c.txt': 'Mine.\n' })
    // Each call gets one file further than the one before, and is killed around its rename.
    for (const [when, at] of [
      ['before', '1'],
      ['after', '1'],
      ['before', '2'],
      ['after', '1'],
      ['before', '1'],
      ['after', '2']
    ]) {
      const { signal, stderr } = start(folder, exists, when, at)
      assert.ok(signal === 'SIGKILL' || stderr === '', stderr)
    }
    const { status, stderr } = start(folder, exists)
    assert.equal(status, 0, stderr)
    const own = (name) => `A film of ${name}.mp4.`
    const both = (name) => (exists === 'append' ? `Mine. ${own(name)}` : `${own(name)} Mine.`)
    const expected = { 'a.txt': both('a'), 'b.txt': own('b'), 'c.txt': both('c'), 'd.txt': own('d') }
    assert.deepEqual(contents(folder), expected, 'and no temporary file is left')
  }
})

test('the command writes them, and ends with 3 where one could not be', async () => {
  const folder = furnish(['a.png'])
  ffmpeg('-f', 'lavfi', '-i', 'color=red:s=64x64', '-frames:v', '1', path.join(folder, 'clips', 'a.png'))
  fs.mkdirSync(path.join(folder, 'clips', 'a.txt'))
  const args = ['run', 'in.csv', 'out.csv', '--model', 'demo', '--gpus', 'none', '--sidecar', '--prefix', 'TRIGGER, ']
  const failed = await cli(args, { cwd: folder })
  assert.equal(failed.status, 3)
  assert.match(failed.stderr, /0 sidecars written, 1 failed\n/)
  fs.rmdirSync(path.join(folder, 'clips', 'a.txt'))
  const { status, stderr } = await cli(args, { cwd: folder })
  assert.equal(status, 0)
  assert.match(stderr, /1 sidecar written\n/)
  const [{ text }] = readRows(path.join(folder, 'out.csv'))
  assert.ok(text.startsWith('TRIGGER, '))
  assert.equal(fs.readFileSync(path.join(folder, 'clips', 'a.txt'), 'utf8'), text)
})
