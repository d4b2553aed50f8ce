/** Outputs as trainers read them: each form is held to a sample in the words of the trainer's own documentation. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { parse } from 'csv-parse/sync'
import { exportCaptions, run } from '../../dist/index.js'
import { cli } from '../helpers/cli.mjs'
import { temporaryFolder } from '../helpers/media.mjs'
import { namingCaptioner } from '../helpers/naming-captioner.mjs'

/** A folder with a finished run over these files, which are there but for those named gone…, and hold nothing. */
async function finishedRun(names, { table = 'captions.csv', options } = {}) {
  const folder = fs.realpathSync(temporaryFolder())
  for (const name of names) {
    if (/gone/.test(name)) continue
    fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true })
    fs.writeFileSync(path.join(folder, name), '')
  }
  const cell = (name) => (/[",\n]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name)
  fs.writeFileSync(path.join(folder, 'in.csv'), `path\n${names.map((name) => `${cell(name)}\n`).join('')}`)
  const at = (name) => path.join(folder, name)
  await run(at('in.csv'), at(table), { captioner: namingCaptioner(), ...options })
  return { folder, at, output: at(table), read: (name) => fs.readFileSync(at(name), 'utf8') }
}
const mixed = ['clips/a.mp4', 'clips/bad.mp4', 'clips/b.webm', 'clips/c.png', 'clips/gone.mp4']
const says = (name) => `A film of ${name}.`

/** Readers as the trainers have them. */
const readJsonl = (text) =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
// biome-ignore lint/suspicious/noControlCharactersInRegex: Python's str.splitlines
const splitLines = (text) => text.split(/\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/).slice(0, -1)

/** What each trainer's page shows. */
const samples = {
  musubiVideos:
    '{"video_path": "/data/one.mp4", "caption": "First."}\n{"video_path": "/data/two.mp4", "caption": "2."}\n',
  musubiImages: '{"image_path": "/data/one.jpg", "caption": "First."}\n',
  ltxJson: '[\n  {\n    "caption": "First.",\n    "media_path": "videos/one.mp4"\n  }\n]\n',
  ltxJsonl: '{"caption": "First.", "media_path": "videos/one.mp4"}\n',
  ltxCsv: 'caption,media_path\n"First.","videos/one.mp4"\n',
  prompts: 'First.\nSecond.\n',
  videos: 'videos/00000.mp4\nvideos/00001.mp4\n',
  hfCsv: 'file_name,text\n0001.mp4,First\n0002.mp4,"Second, and more"\n',
  hfJsonl: '{"file_name": "0001.mp4", "text": "First"}\n'
}
const keysOf = (rows) => [...new Set(rows.map((row) => Object.keys(row).join()))]

test('musubi-tuner: a JSONL of each kind, with absolute paths', async () => {
  const { output, at, read, folder } = await finishedRun(mixed)
  const made = await exportCaptions(output, { for: 'musubi' })
  assert.deepEqual(made.files, [at('videos.jsonl'), at('images.jsonl')])
  const { videos, images, failed, missing } = made
  assert.deepEqual({ videos, images, failed, missing }, { videos: 2, images: 1, failed: 1, missing: 1 })
  assert.deepEqual(keysOf(readJsonl(read('videos.jsonl'))), keysOf(readJsonl(samples.musubiVideos)))
  assert.deepEqual(keysOf(readJsonl(read('images.jsonl'))), keysOf(readJsonl(samples.musubiImages)))
  assert.deepEqual(readJsonl(read('videos.jsonl')), [
    { video_path: at('clips/a.mp4'), caption: says('a.mp4') },
    { video_path: at('clips/b.webm'), caption: says('b.webm') }
  ])
  assert.deepEqual(readJsonl(read('images.jsonl')), [{ image_path: at('clips/c.png'), caption: says('c.png') }])
  const one = await exportCaptions(output, { for: 'musubi', kind: 'video', out: at('sets/mine.jsonl') })
  assert.deepEqual([one.files, one.otherKind], [[at('sets/mine.jsonl')], 1])
  await assert.rejects(exportCaptions(output, { for: 'musubi', out: at('both.jsonl') }), { code: 'usage' })
  assert.deepEqual(
    fs.readdirSync(folder).filter((name) => /tmp|both/.test(name)),
    []
  )
})

test('LTX-Video-Trainer: one list of all, relative to its own folder, as JSON, JSONL or CSV', async () => {
  const { output, at, read } = await finishedRun(mixed)
  const expected = ['a.mp4', 'b.webm', 'c.png'].map((name) => ({ caption: says(name), media_path: `clips/${name}` }))
  const made = await exportCaptions(output, { for: 'ltx' })
  assert.deepEqual(made.files, [at('dataset.json')])
  assert.deepEqual(JSON.parse(read('dataset.json')), expected)
  assert.deepEqual(keysOf(JSON.parse(samples.ltxJson)), keysOf(expected))
  await exportCaptions(output, { for: 'ltx', out: at('d.jsonl') })
  assert.deepEqual(readJsonl(read('d.jsonl')), expected)
  assert.deepEqual(keysOf(readJsonl(samples.ltxJsonl)), keysOf(expected))
  await exportCaptions(output, { for: 'ltx', out: at('d.csv') })
  assert.deepEqual(parse(read('d.csv'), { columns: true }), expected)
  assert.equal(read('d.csv').split('\n')[0], samples.ltxCsv.split('\n')[0])
  const below = await exportCaptions(output, { for: 'ltx', out: at('clips') })
  assert.deepEqual([below.linked, JSON.parse(read('clips/dataset.json'))[0].media_path], [0, 'a.mp4'])
  await assert.rejects(exportCaptions(output, { for: 'ltx', out: at('d.txt') }), {
    code: 'usage',
    message: /\.json or \.jsonl or \.csv for this trainer/
  })
})

test('LTX-Video-Trainer: what it would lose or misread is warned of', async () => {
  const { output } = await finishedRun(['a.mp4', 'a.webm', 'c.bmp', 'd.png'])
  const { warnings } = await exportCaptions(output, { for: 'ltx' })
  assert.match(warnings.join('\n'), /^a\.webm has the name of another file .*\nc\.bmp is an image .*PNG or JPEG$/)
})

test('finetrainers: two lists of as many lines, in a folder of their own for each kind', async () => {
  const { output, at, read } = await finishedRun(['videos/a.mp4', 'videos/b.mp4', 'videos/bad.mp4'])
  const made = await exportCaptions(output, { for: 'finetrainers' })
  assert.deepEqual(made.files, [at('prompts.txt'), at('videos.txt')])
  assert.deepEqual(splitLines(read('prompts.txt')), [says('a.mp4'), says('b.mp4')])
  assert.deepEqual(splitLines(read('videos.txt')), ['videos/a.mp4', 'videos/b.mp4'])
  assert.equal(splitLines(samples.prompts).length, splitLines(samples.videos).length)

  const both = await finishedRun(mixed)
  const { files, linked } = await exportCaptions(both.output, { for: 'finetrainers', out: both.at('set') })
  const names = ['videos/prompts.txt', 'videos/videos.txt', 'images/prompts.txt', 'images/images.txt']
  assert.deepEqual(
    files,
    names.map((name) => both.at(`set/${name}`))
  )
  assert.equal(linked, 3)
  assert.deepEqual(splitLines(both.read('set/videos/videos.txt')), ['media/a.mp4', 'media/b.webm'])
  assert.equal(fs.realpathSync(both.at('set/videos/media/b.webm')), both.at('clips/b.webm'))
  assert.deepEqual(splitLines(both.read('set/images/images.txt')), ['media/c.png'])
})

test('finetrainers: no caption breaks its list, and no name', async () => {
  const { output, at, read } = await finishedRun(['a\u2028b.mp4', 'c.mp4'])
  const ends = '\n \r\n \v \f \x1c \x85 \u2028 \u2029'
  fs.writeFileSync(output, `path,text\n"a\u2028b.mp4",x\nc.mp4,"one${ends}two"\n`)
  const { refused, videos } = await exportCaptions(output, { for: 'finetrainers' })
  assert.deepEqual([refused, videos], [1, 1])
  assert.equal(splitLines(read('prompts.txt')).length, 1)
  assert.deepEqual(splitLines(read('videos.txt')), ['c.mp4'])
  await exportCaptions(output, { for: 'hf-folder' })
  const rows = parse(read('metadata.csv'), { columns: true })
  assert.equal(rows[1].text, `one${ends}two`, 'a CSV keeps them')
  assert.ok(fs.existsSync(at('prompts.txt')))
})

test("datasets' folder: metadata beside the files, each kind in a folder of its own", async () => {
  const { output, at, read } = await finishedRun(['clips/a.mp4', 'clips/x/b, c.mp4', 'clips/bad.mp4'])
  const made = await exportCaptions(output, { for: 'hf-folder', out: at('clips') })
  assert.deepEqual([made.files, made.linked], [[at('clips/metadata.csv')], 0])
  const [header] = parse(samples.hfCsv)
  assert.deepEqual(parse(read('clips/metadata.csv'))[0], header)
  assert.deepEqual(parse(read('clips/metadata.csv'), { columns: true }), [
    { file_name: 'a.mp4', text: says('a.mp4') },
    { file_name: 'x/b, c.mp4', text: says('b, c.mp4') }
  ])
  await exportCaptions(output, { for: 'hf-folder', out: at('clips/metadata.jsonl') })
  assert.deepEqual(keysOf(readJsonl(read('clips/metadata.jsonl'))), keysOf(readJsonl(samples.hfJsonl)))
  await assert.rejects(exportCaptions(output, { for: 'hf-folder', out: at('clips/other.csv') }), { code: 'usage' })

  const both = await finishedRun(mixed)
  const { files } = await exportCaptions(both.output, { for: 'hf-folder', out: both.at('set') })
  assert.deepEqual(files, [both.at('set/videos/metadata.csv'), both.at('set/images/metadata.csv')])
  const rows = parse(both.read('set/videos/metadata.csv'), { columns: true })
  for (const { file_name } of rows) assert.ok(fs.statSync(both.at(`set/videos/${file_name}`)).isFile())
})

test('files of one name from several folders are linked under names of their own, once more the same', async () => {
  const { output, at, read } = await finishedRun(['one/a.mp4', 'two/a.mp4', 'two/a.mp4'])
  for (let time = 0; time < 2; time++) {
    const { linked } = await exportCaptions(output, { for: 'hf-folder', out: at('set') })
    assert.equal(linked, 2)
    const names = parse(read('set/metadata.csv'), { columns: true }).map((row) => row.file_name)
    assert.deepEqual(names, ['media/a.mp4', 'media/a-2.mp4', 'media/a-2.mp4'])
    assert.equal(fs.realpathSync(at('set/media/a-2.mp4')), at('two/a.mp4'))
  }
})

test('an output of any format, with paths as they were in the run', async () => {
  for (const table of ['out/captions.csv', 'out/captions.jsonl', 'out/captions.parquet', 'out/captions.tsv.gz']) {
    const folder = fs.realpathSync(temporaryFolder())
    const at = (name) => path.join(folder, name)
    for (const name of ['data', 'out']) fs.mkdirSync(at(name))
    for (const name of ['a.mp4', 'b.gif']) fs.writeFileSync(at(`data/${name}`), '')
    fs.writeFileSync(at('data/in.csv'), 'path\na.mp4\nb.gif\n')
    await run(at('data/in.csv'), at(table), { captioner: namingCaptioner(), prefix: 'TRIGGER, ' })
    await exportCaptions(at(table), { for: 'musubi', out: at('set') })
    assert.deepEqual(readJsonl(fs.readFileSync(at('set/videos.jsonl'), 'utf8')), [
      { video_path: at('data/a.mp4'), caption: `TRIGGER, ${says('a.mp4')}` },
      { video_path: at('data/b.gif'), caption: `TRIGGER, ${says('b.gif')}` }
    ])
  }
})

test('text_status of a run with one caption a row is a column like others', async () => {
  const folder = fs.realpathSync(temporaryFolder())
  const at = (name) => path.join(folder, name)
  for (const name of ['a', 'b']) fs.writeFileSync(at(`${name}.mp4`), '')
  fs.writeFileSync(at('in.csv'), 'path,text_status\na.mp4,draft\nb.mp4,ok\nbad.mp4,ok\n')
  await run(at('in.csv'), at('out.csv'), { captioner: namingCaptioner() })
  const { videos, failed } = await exportCaptions(at('out.csv'), { for: 'musubi', out: at('set') })
  assert.deepEqual([videos, failed], [2, 1])
})

test("the reference's own output, without a status and a run, is exported as well", async () => {
  const folder = fs.realpathSync(temporaryFolder())
  const at = (name) => path.join(folder, name)
  for (const name of ['a.mp4', 'b.mp4', 'c.gif']) fs.writeFileSync(at(name), '')
  fs.writeFileSync(at('theirs.csv'), 'path,text,num_frames\na.mp4,A.,24\nb.mp4,,24\nc.gif,C.,1\n')
  const { videos, images, failed } = await exportCaptions(at('theirs.csv'), { for: 'musubi' })
  assert.deepEqual([videos, images, failed], [1, 1, 1])
  fs.writeFileSync(at('none.csv'), 'path\na.mp4\n')
  await assert.rejects(exportCaptions(at('none.csv'), { for: 'musubi' }), { message: /no column named text/ })
})

test('an unfinished run is refused; --partial takes what it has', async () => {
  const folder = fs.realpathSync(temporaryFolder())
  const at = (name) => path.join(folder, name)
  for (const name of ['a', 'b', 'c', 'd']) fs.writeFileSync(at(`${name}.mp4`), '')
  fs.writeFileSync(at('in.csv'), 'path\na.mp4\nb.mp4\nbad.mp4\nc.mp4\nd.mp4\n')
  const captioner = namingCaptioner()
  captioner.info.window = 1
  const answer = captioner.captionRow
  captioner.captionRow = async (row) => {
    if (row.path.endsWith('c.mp4')) throw Object.assign(new Error('gone'), { code: 'engine_lost' })
    return answer(row)
  }
  await assert.rejects(run(at('in.csv'), at('out.csv'), { captioner }), { code: 'engine_lost' })
  const options = { for: 'musubi', out: at('set') }
  await assert.rejects(exportCaptions(at('out.csv'), options), { code: 'usage', message: /is not finished/ })
  const { videos, failed } = await exportCaptions(at('out.csv'), { ...options, partial: true })
  assert.deepEqual([videos, failed], [2, 1])
  await assert.rejects(exportCaptions(at('nothing.csv'), options), { code: 'usage', message: /No run of/ })
  captioner.captionRow = answer
  await run(at('in.csv'), at('out.csv'), { captioner })
  assert.equal((await exportCaptions(at('out.csv'), options)).videos, 4)
})

test('nothing is written where there is nothing to export, or over the output itself', async () => {
  const { output, at, read } = await finishedRun(['bad.mp4', 'gone.mp4', 'c.png'], { table: 'metadata.csv' })
  await assert.rejects(exportCaptions(output, { for: 'ltx', kind: 'video' }), {
    code: 'usage',
    message: /no row to export: 1 without a caption, 1 whose file is not there, 1 of another kind/
  })
  const before = read('metadata.csv')
  await assert.rejects(exportCaptions(output, { for: 'hf-folder' }), { code: 'usage', message: /is the output/ })
  assert.equal(read('metadata.csv'), before)
  assert.ok(!fs.existsSync(at('metadata.csv.vcap.tmp')))
})

test('the command names the files on stdout, and what was left out on stderr', async () => {
  const { output, folder, at } = await finishedRun(mixed)
  const { status, stdout, stderr } = await cli(['export', output, '--for', 'musubi', '--out', 'set'], { cwd: folder })
  assert.equal(status, 0, stderr)
  assert.equal(stdout, `${at('set/videos.jsonl')}\n${at('set/images.jsonl')}\n`)
  assert.match(stderr, /^2 videos and 1 image exported; left out: 1 without a caption, 1 whose file is not there\n/)
  assert.equal((await cli(['export', output, '--for', 'kohya'], { cwd: folder })).status, 2)
  assert.equal((await cli(['export', output], { cwd: folder })).status, 2)
})
