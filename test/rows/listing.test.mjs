/** Which files of a folder are listed, in which order, and what is said of the others. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import test from 'node:test'
import { listMedia } from '../../dist/index.js'
import { isListed } from '../../dist/rows/listing.js'
import { openRows } from '../../dist/rows/open.js'
import { root as checkout } from '../helpers/cli.mjs'
import { temporaryFolder } from '../helpers/media.mjs'

const base = temporaryFolder()
let made = 0

/** A folder with these files and links (`name -> target`); a name that ends with `/` is a folder. */
function tree(...names) {
  const folder = path.join(base, `tree-${made++}`)
  fs.mkdirSync(folder)
  for (const name of names) {
    const [own, target] = name.split(' -> ')
    const place = path.join(folder, own)
    fs.mkdirSync(name.endsWith('/') ? place : path.dirname(place), { recursive: true })
    if (target !== undefined) fs.symlinkSync(target, place)
    else if (!name.endsWith('/')) fs.writeFileSync(place, 'x')
  }
  return folder
}

async function list(folder, options) {
  const { files, ...rest } = await listMedia(folder, options)
  for (const file of files) assert.ok(path.isAbsolute(file), file)
  return { files: files.map((file) => path.relative(folder, file)), ...rest }
}

test('by ending, whatever its case, in every folder', async () => {
  const videos = ['mp4', 'avi', 'mov', 'mkv', 'webm', 'm2ts', 'ts', 'mpg', 'flv', 'wmv', 'gif']
  const images = ['jpg', 'jpeg', 'png', 'ppm', 'bmp', 'pgm', 'tif', 'tiff', 'webp', 'avif']
  const named = (endings) => endings.map((ending) => `${ending}.${ending}`).sort()
  const folder = tree(
    ...named([...videos, ...images]),
    'deep/er/B.MP4',
    'deep/C.Png',
    'notes.txt',
    'a.csv',
    'mp4',
    'x.'
  )
  const all = await list(folder)
  assert.deepEqual(all.files.sort(), [...named([...videos, ...images]), 'deep/C.Png', 'deep/er/B.MP4'].sort())
  assert.deepEqual([all.warnings, all.others], [[], 4])
  assert.deepEqual((await list(folder, { type: 'video' })).files.sort(), [...named(videos), 'deep/er/B.MP4'].sort())
  assert.deepEqual((await list(folder, { type: 'image' })).files.sort(), [...named(images), 'deep/C.Png'].sort())
  await assert.rejects(listMedia(folder, { type: 'sound' }), { code: 'usage', message: /one of video, image, all/ })
})

const natural = [
  '2 b/1.mp4',
  '10 a/1.mp4',
  'clip1.mp4',
  'clip2.mp4',
  'clip02.mp4', // alike but for its bytes
  'clip2a.mp4',
  'clip10.mp4',
  'Clip11.mp4',
  'clip99999999999999999998.mp4',
  'clip99999999999999999999.mp4',
  'é.mp4',
  'z.mp4',
  'ß/10.mp4',
  '日.mp4'
]

test('in natural order, the same in every locale', async () => {
  const folder = tree(...natural)
  const { files } = await list(folder)
  assert.deepEqual(files.toSorted(), natural.toSorted())
  const at = (name) => files.indexOf(name)
  assert.ok(
    at('clip1.mp4') < at('clip2.mp4') && at('clip2.mp4') < at('clip10.mp4') && at('clip10.mp4') < at('Clip11.mp4')
  )
  assert.ok(at('clip02.mp4') + 1 === at('clip2.mp4') && at('2 b/1.mp4') < at('10 a/1.mp4'))
  assert.ok(at('clip99999999999999999998.mp4') < at('clip99999999999999999999.mp4'))
  assert.ok(at('é.mp4') < at('z.mp4'))
  const program = `require(${JSON.stringify(checkout)}).listMedia(process.argv[1])
    .then(({ files }) => console.log(JSON.stringify(files)))`
  for (const locale of ['C', 'sv_SE.UTF-8']) {
    const env = { ...process.env, LC_ALL: locale, LANG: locale }
    const said = execFileSync(process.execPath, ['-e', program, folder], { env, encoding: 'utf8' })
    assert.deepEqual(
      JSON.parse(said).map((file) => path.relative(folder, file)),
      files,
      locale
    )
  }
})

test('links: files are followed, folders are listed once, loops are not gone round', async () => {
  const elsewhere = tree('e1.mp4', 'inner/e2.mp4')
  const folder = tree(
    'a/1.mp4',
    'a/up -> ..',
    'a/self -> .',
    'b/2.mp4',
    'b/to-a -> ../a',
    'c/to-b -> ../b',
    `out -> ${elsewhere}`,
    `out-again -> ${elsewhere}`,
    `above -> ${base}`,
    'file.mp4 -> a/1.mp4',
    'data.mp4 -> z.bin',
    'z.bin',
    'gone.mp4 -> nowhere',
    'gone -> nowhere',
    'gone.txt -> nowhere',
    'circle.mp4 -> circle.mp4',
    'device.mp4 -> /dev/null'
  )
  const { files, warnings } = await list(folder)
  assert.deepEqual(files, ['a/1.mp4', 'b/2.mp4', 'data.mp4', 'file.mp4', 'out/e1.mp4', 'out/inner/e2.mp4'])
  const told = warnings.join('\n')
  assert.match(told, /3 links lead to folders that they lie in and are not followed \(.*"a\/up"/)
  assert.match(told, /3 folders are reached twice and listed once, not under these names \(.*"out-again"/)
  assert.match(told, /3 links lead nowhere \(.*"gone\.mp4"/)
  assert.match(told, /1 name of a video or image is that of a pipe, a socket or a device \("device\.mp4"\)/)
  for (const warning of warnings) assert.ok(warning.startsWith(`${folder}: `), warning)
})

test('a link as the folder itself, and folders with names of videos', async () => {
  const folder = tree('x.mp4/1.mp4', 'x.mp4/y.png/2.png')
  const link = path.join(base, 'link')
  fs.symlinkSync(folder, link)
  assert.deepEqual((await listMedia(link)).files, [`${link}/x.mp4/1.mp4`, `${link}/x.mp4/y.png/2.png`])
})

test('hidden, special and unnamable: left out and told', async () => {
  const folder = tree('1.mp4', '.2.mp4', '.git/3.mp4', '.DS_Store', 'sub/._4.mp4')
  execFileSync('mkfifo', [path.join(folder, 'pipe.mp4')])
  const server = net.createServer().listen(path.join(folder, 'socket.mp4'))
  await new Promise((resolve) => server.on('listening', resolve))
  const bytes = (...names) => Buffer.from(path.join(folder, ...names), 'latin1')
  fs.writeFileSync(bytes('caf\xe9.mp4'), 'x')
  fs.writeFileSync(bytes('caf\xe9.txt'), 'x')
  fs.mkdirSync(bytes('\xff'))
  fs.writeFileSync(bytes('\xff', '5.mp4'), 'x')
  fs.writeFileSync(path.join(folder, '\ufffd.mp4'), 'x') // a character like another, and what bad bytes read as
  const { files, warnings, others } = await list(folder)
  server.close()
  assert.deepEqual(files, ['1.mp4', '\ufffd.mp4'])
  const told = warnings.join('\n')
  assert.match(told, /3 hidden files and folders are left out \(/)
  for (const name of ['".2.mp4"', '".git"', '"sub/._4.mp4"']) assert.ok(told.includes(name), told)
  assert.match(told, /2 names of videos or images are those of pipes, sockets or devices/)
  assert.match(told, /2 names are not UTF-8, so that no table can hold them, and are left out: rename them \(/)
  assert.ok(told.includes('"caf\\xe9.mp4"') && told.includes('"\\xff"'), told)
  assert.equal(others, 2)
})

test('names that a table has to quote come back as they are', async () => {
  const names = ['a "b", c.mp4', 'new\nline.mp4', 'tab\tand ünïcode 🎬.mp4', ' spaces .mp4', "it's.mp4"]
  const folder = tree(...names)
  assert.deepEqual((await list(folder)).files.sort(), names.toSorted())
})

test('a folder that cannot be read is told and costs itself alone', async () => {
  const folder = tree('1.mp4', 'locked/2.mp4', 'open/3.mp4')
  fs.chmodSync(path.join(folder, 'locked'), 0)
  const isRoot = process.getuid() === 0
  fs.chmodSync(base, 0o755)
  const program = `require(${JSON.stringify(checkout)}).listMedia(process.argv[1])
    .catch(({ code, message }) => ({ code, message })).then((told) => console.log(JSON.stringify(told)))`
  const asSomebody = (place) => {
    const user = isRoot ? { uid: 54321, gid: 54321 } : {}
    const options = { ...user, cwd: '/', encoding: 'utf8' }
    const { stdout, stderr } = spawnSync(process.execPath, ['-e', program, place], options)
    assert.notEqual(stdout, '', stderr)
    return JSON.parse(stdout)
  }
  const { files, warnings } = asSomebody(folder)
  assert.deepEqual(files, [`${folder}/1.mp4`, `${folder}/open/3.mp4`])
  assert.match(warnings.join('\n'), /1 folder or file cannot be read and is left out \("locked" \(EACCES/)
  const refused = asSomebody(path.join(folder, 'locked'))
  assert.equal(refused.code, 'usage')
  assert.match(refused.message, /^Folder .*locked cannot be read: EACCES/)
  fs.chmodSync(path.join(folder, 'locked'), 0o755)
})

test('nothing to list, and what is no folder', async () => {
  const empty = tree('notes.txt', 'sub/')
  assert.deepEqual(await list(empty), { files: [], warnings: [`${empty}: has no videos or images to list`], others: 1 })
  const images = tree('a.png')
  assert.deepEqual((await list(images, { type: 'video' })).warnings, [`${images}: has no videos to list`])
  await assert.rejects(listMedia(path.join(base, 'none')), { code: 'usage', message: /Input .*none not found/ })
  const table = path.join(tree('t.csv'), 't.csv')
  await assert.rejects(listMedia(table), {
    code: 'usage',
    message: /is no folder, and no video or image by its name or/
  })
  await assert.rejects(listMedia(images, { signal: AbortSignal.abort() }), { code: 'aborted' })
})

test('one video or image: by its ending, or by its first bytes', async () => {
  const folder = tree('a.mp4', 'notes.txt', 'table.csv')
  const write = (name, bytes) => {
    fs.writeFileSync(path.join(folder, name), Buffer.from(bytes, 'latin1'))
    return path.join(folder, name)
  }
  for (const file of [
    path.join(folder, 'a.mp4'),
    write('movie', '\0\0\0\x20ftypisom\0\0\0\0'),
    write('picture.data', '\x89PNG\r\n\x1a\n'),
    write('photo.heic', '\0\0\0\x18ftypheic\0\0\0\0'),
    write('film.m4v', '\0\0\0\x1cftypM4V \0\0\0\0')
  ]) {
    assert.ok(isListed(file), file)
    assert.deepEqual((await listMedia(file)).files, [file])
    const source = await openRows(file, {})
    const rows = []
    for await (const row of source.rows()) rows.push(row)
    assert.deepEqual(rows, [{ index: 0, cells: [file], input: { path: file, text: undefined } }])
  }
  for (const file of ['notes.txt', 'table.csv', 'none']) assert.ok(!isListed(path.join(folder, file)), file)
  assert.ok(!isListed('-'))
})

test('a folder of 5,000 files is read in pieces', async () => {
  const folder = tree('many/')
  const name = (index) => path.join(folder, 'many', `clip ${index}.mp4`)
  for (let index = 0; index < 5000; index++) fs.closeSync(fs.openSync(name((index * 7919) % 5000), 'w'))
  const { files } = await listMedia(folder)
  assert.equal(files.length, 5000)
  assert.ok(files.every((file, index) => file === name(index)))
})
