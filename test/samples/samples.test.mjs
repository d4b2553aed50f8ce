/** Tables of a folder: which columns, what is left out, and that `run` reads them. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import { parse } from 'csv-parse/sync'
import { run, samples } from '../../dist/index.js'
import { openTable } from '../../dist/rows/table.js'
import { cli, readRows } from '../helpers/cli.mjs'
import { countingClip, ffmpeg, temporaryFolder } from '../helpers/media.mjs'
import { nullCaptioner } from '../helpers/null-captioner.mjs'

const folder = temporaryFolder()
const at = (...names) => path.join(folder, ...names)
const clips = at('clips')
fs.mkdirSync(at('clips', 'sub'), { recursive: true })
const h264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p']
const clip = (name, options) => countingClip(at('clips', name), h264, options)
clip('clip2.mp4', { count: 30, width: 320, height: 240, fps: 15 })
clip('clip10.mkv', { count: 60, width: 128, height: 96, fps: '30000/1001' })
clip('sub/clip2.mov', { count: 8, width: 320, height: 240, fps: 25 })
ffmpeg('-f', 'lavfi', '-i', 'color=teal:s=40x60', '-frames:v', '1', at('clips', 'picture.png'))
fs.writeFileSync(at('clips', 'broken.mp4'), 'no video')
fs.writeFileSync(at('clips', 'notes.txt'), 'nothing')

const facts = ['num_frames', 'height', 'width', 'aspect_ratio', 'fps', 'resolution', 'duration']
const inOrder = ['broken.mp4', 'clip2.mp4', 'clip10.mkv', 'picture.png', 'sub/clip2.mov']

/** What is in the folder once a table was written: nothing that was temporary. */
const leftOf = (place) => fs.readdirSync(place).filter((name) => name.startsWith('.') || name.includes('vcap'))

test('a table of absolute paths, of relative ones, and with ids', async () => {
  const events = []
  const summary = await samples(clips, at('plain.csv'), { onEvent: (event) => events.push(event) })
  const whole = { videos: 4, images: 1, others: 1, rows: 5, unreadable: 0, dropped: {} }
  assert.deepEqual(summary, { output: at('plain.csv'), ...whole })
  assert.deepEqual(events, [])
  assert.deepEqual(
    readRows(at('plain.csv')),
    inOrder.map((name) => ({ path: at('clips', name) }))
  )
  fs.mkdirSync(at('tables'))
  const options = { relative: true, id: true, type: 'video', onEvent: (event) => events.push(event) }
  await samples(clips, at('tables', 'relative.csv'), options)
  const videos = inOrder.filter((name) => name !== 'picture.png')
  assert.deepEqual(
    readRows(at('tables', 'relative.csv')),
    videos.map((name) => ({ path: `../clips/${name}`, id: path.parse(name).name }))
  )
  assert.deepEqual(events, [
    { type: 'warning', message: '1 id stands in 2 rows, such as "clip2": only the path tells those apart' }
  ])
  assert.deepEqual([...leftOf(folder), ...leftOf(at('tables'))], [])
})

/** Of each file, in the order of `facts`. */
const known = {
  'broken.mp4': ['', '', '', '', '', '', ''],
  'clip2.mp4': ['30', '240', '320', '0.75', '15', '76800', '2'],
  'clip10.mkv': ['60', '96', '128', '0.75', '29.97', '12288', '2.002'],
  'picture.png': ['1', '60', '40', '1.5', '', '2400', ''],
  'sub/clip2.mov': ['8', '240', '320', '0.75', '25', '76800', '0.32']
}

test('--probe: what each file is, by both readers; what cannot be read has empty cells', async () => {
  for (const more of [[], ['--ffmpeg', '/usr/bin/ffmpeg']]) {
    const { status, stderr } = await cli(['samples', clips, at('probed.csv'), '--probe', ...more])
    assert.equal(status, 3, stderr)
    const table = parse(fs.readFileSync(at('probed.csv')))
    assert.deepEqual(table[0], ['path', ...facts])
    assert.deepEqual(
      table.slice(1),
      inOrder.map((name) => [at('clips', name), ...known[name]])
    )
    assert.match(stderr, /broken\.mp4: unreadable: It is no video or image that FFmpeg knows/)
    assert.match(stderr, /^5 rows of 4 videos and 1 image; 1 file of other kinds: .*probed\.csv$/m)
    assert.match(stderr, /^1 file could not be read: empty cells$/m)
    assert.equal(stderr.trimEnd().split('\n').length, 3, stderr)
  }
})

test('num_frames is what a run writes, whose table may be the probed one', async () => {
  await samples(clips, at('for-run.csv'), { probe: true, relative: true })
  const { status, stderr } = await cli([
    'run',
    at('for-run.csv'),
    at('captions.csv'),
    '--model',
    'demo',
    '--gpus',
    'none',
    '--max-tokens',
    '2'
  ])
  assert.equal(status, 3, stderr)
  assert.match(stderr, /column num_frames will be replaced/)
  const captioned = readRows(at('captions.csv'))
  assert.deepEqual(
    captioned.map(({ num_frames: frames }) => frames),
    inOrder.map((name) => known[name][0])
  )
})

test('what cannot be used is left out, each file for its first reason', async () => {
  const told = async (...flags) => {
    const { status, stderr } = await cli(['samples', clips, at('left.csv'), ...flags])
    const paths = readRows(at('left.csv')).map((row) => path.relative(clips, row.path))
    return {
      status,
      paths,
      last: stderr.trimEnd().split('\n').at(-1),
      columns: fs.readFileSync(at('left.csv'), 'utf8').split('\n')[0]
    }
  }
  const all = await told('--min-frames', '20', '--min-side', '100', '--max-seconds', '60')
  assert.deepEqual(all.paths, ['clip2.mp4'])
  assert.equal(all.columns, 'path')
  assert.equal(all.status, 3)
  const why = '2 with fewer than 20 frames, 1 with a side below 100 pixels, 1 that could not be read'
  assert.equal(all.last, `Left out 4: ${why}`)
  assert.deepEqual((await told('--max-seconds', '1')).paths, ['picture.png', 'sub/clip2.mov'])
  assert.deepEqual((await told('--min-frames', '8')).paths, ['clip2.mp4', 'clip10.mkv', 'sub/clip2.mov'])
  const both = await told('--min-side', '60', '--probe', '--id')
  assert.equal(both.columns, `path,id,${facts}`)
  assert.deepEqual(both.paths, ['clip2.mp4', 'clip10.mkv', 'sub/clip2.mov'])
})

test('to standard output, with what else is said on stderr', async () => {
  const { status, stdout, stderr } = await cli(['samples', 'clips', '-', '--relative', '--type', 'image'], {
    cwd: folder
  })
  assert.deepEqual([status, stdout], [0, 'path\nclips/picture.png\n'])
  assert.match(stderr, /^1 row of 0 videos and 1 image/)
})

test('wrong usage writes nothing', async () => {
  const wrong = async (args, message) => {
    const { status, stderr } = await cli(['samples', ...args])
    assert.equal(status, 2, stderr)
    assert.match(stderr, message)
  }
  await wrong([at('none'), at('x.csv')], /^vcap-native: Input .*none not found$/m)
  await wrong([clips, at('none', 'x.csv')], /the folder .*none does not exist/)
  await wrong([clips, at('clips', 'clip2.mp4')], /has the name of a video or image: name a table/)
  await wrong([clips, at('x.csv'), '--min-frames', '0'], /integer between 1 and/)
  await wrong([clips, at('x.csv'), '--max-seconds', 'long'], /number of seconds above 0/)
  await wrong([clips, at('x.csv'), '--type', 'gif'], /one of video, image, all/)
  await wrong([clips, at('x.csv'), '--probe', '--ffmpeg', at('none')], /Expected an executable file for ffmpeg/)
  await assert.rejects(samples(clips, at('x.csv'), { minSide: -1 }), { code: 'usage' })
  assert.ok(!fs.existsSync(at('x.csv')))
  assert.deepEqual(leftOf(folder), ['captions.csv.vcap'])
  assert.ok(fs.statSync(at('clips', 'clip2.mp4')).size > 1000)
})

test('an empty folder gives a table without rows, and says so', async () => {
  fs.mkdirSync(at('empty'))
  const { status, stderr } = await cli(['samples', at('empty'), at('empty.csv'), '--probe'])
  assert.equal(status, 0)
  assert.match(stderr, /has no videos or images to list/)
  assert.equal(fs.readFileSync(at('empty.csv'), 'utf8'), `path,${facts}\n`)
})

test('many files at once are no leak of listeners', async () => {
  fs.mkdirSync(at('many'))
  for (let index = 0; index < 40; index++) fs.copyFileSync(at('clips', 'picture.png'), at('many', `${index}.png`))
  const { status, stderr } = await cli(['samples', at('many'), at('many.csv'), '--probe'])
  assert.deepEqual([status, stderr], [0, `40 rows of 0 videos and 40 images: ${at('many.csv')}\n`])
})

test('a stop amid the files leaves the earlier table as it was', async () => {
  fs.writeFileSync(at('stopped.csv'), 'as it was')
  const stop = new AbortController()
  const onEvent = ({ type }) => type === 'file' && stop.abort()
  const stopped = samples(clips, at('stopped.csv'), { probe: true, signal: stop.signal, onEvent })
  await assert.rejects(stopped, { code: 'aborted' })
  assert.equal(fs.readFileSync(at('stopped.csv'), 'utf8'), 'as it was')
  const args = ['samples', clips, at('stopped.csv'), '--probe', '--decoders', '1']
  let interrupted = false
  const onStderr = (text, child) => {
    if (!interrupted && text.includes('broken')) interrupted = child.kill('SIGINT')
  }
  const { status, stderr } = await cli(args, { onStderr })
  assert.equal(status, 130, stderr)
  assert.match(stderr, /Stopped by SIGINT; no output was written/)
  assert.equal(fs.readFileSync(at('stopped.csv'), 'utf8'), 'as it was')
  assert.deepEqual(leftOf(folder), ['captions.csv.vcap'])
})

test('a folder in the place of a table: files that come are captioned, files that go are gone', async () => {
  const place = at('growing')
  fs.mkdirSync(place)
  const put = (name) => fs.copyFileSync(at('clips', 'sub/clip2.mov'), path.join(place, name))
  const asked = []
  const captioner = nullCaptioner()
  const { captionRow } = captioner
  captioner.captionRow = (row, ...rest) => {
    asked.push(path.basename(row.path))
    return captionRow.call(captioner, row, ...rest)
  }
  const goOn = async () => {
    asked.length = 0
    const { already } = await run(place, at('grown.csv'), { captioner })
    const names = readRows(at('grown.csv')).map((row) => path.relative(place, row.path))
    return { asked: asked.toSorted(), names, already }
  }
  put('b.mov')
  put('a10.mov')
  assert.deepEqual(await goOn(), { asked: ['a10.mov', 'b.mov'], names: ['a10.mov', 'b.mov'], already: false })
  assert.deepEqual(await goOn(), { asked: [], names: ['a10.mov', 'b.mov'], already: true })
  put('a9.mov')
  assert.deepEqual(await goOn(), { asked: ['a9.mov'], names: ['a9.mov', 'a10.mov', 'b.mov'], already: false })
  fs.rmSync(path.join(place, 'b.mov'))
  assert.deepEqual(await goOn(), { asked: [], names: ['a9.mov', 'a10.mov'], already: false })
  // As many as before, and others.
  fs.rmSync(path.join(place, 'a9.mov'))
  put('b.mov')
  assert.deepEqual(await goOn(), { asked: [], names: ['a10.mov', 'b.mov'], already: false })
  await assert.rejects(run(place, path.join(place, 'b.mov'), { captioner }), { code: 'usage', message: /name a table/ })
})

test('one file in the place of a table', async () => {
  await run(at('clips', 'clip2.mp4'), at('one.csv'), { captioner: nullCaptioner() })
  assert.deepEqual(
    readRows(at('one.csv')).map((row) => row.path),
    [at('clips', 'clip2.mp4')]
  )
})

test('in every format, numbers as numbers', async () => {
  const numbers = {
    num_frames: 30,
    height: 240,
    width: 320,
    aspect_ratio: 0.75,
    fps: 15,
    resolution: 76800,
    duration: 2
  }
  for (const name of ['table.jsonl', 'table.tsv', 'table.parquet', 'table.csv.gz', 'no-ending']) {
    const more = name === 'no-ending' ? { format: 'jsonl' } : {}
    await samples(clips, at(name), { probe: true, type: 'video', minFrames: 30, ...more })
    const table = await openTable(at(name), name === 'no-ending' ? { format: 'jsonl' } : {})
    assert.deepEqual(table.columns, ['path', ...facts])
    const records = []
    for await (const cells of table.records()) records.push(cells.map((cell, i) => (i === 0 ? cell : Number(cell))))
    assert.deepEqual(records[0], [at('clips', 'clip2.mp4'), ...Object.values(numbers)])
    assert.equal(records.length, 2)
    table.close()
  }
  const [line] = fs.readFileSync(at('table.jsonl'), 'utf8').split('\n')
  assert.deepEqual(JSON.parse(line), { path: at('clips', 'clip2.mp4'), ...numbers })
  await run(clips, at('captions.jsonl'), { captioner: nullCaptioner(), format: 'jsonl' })
  assert.equal(fs.readFileSync(at('captions.jsonl'), 'utf8').trimEnd().split('\n').length, inOrder.length)
})
