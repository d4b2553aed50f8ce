/** Prompts in whole runs: cells, kinds, files of prompts. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { loadCaptioner, run } from '../../dist/index.js'
import { hashRow } from '../../dist/run/row-key.js'
import { nullCaptioner } from '../helpers/null-captioner.mjs'
import { ffmpeg } from '../helpers/media.mjs'

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vcap-run-prompts-'))
after(() => fs.rmSync(folder, { recursive: true }))
const at = (name) => path.join(folder, name)
const write = (name, text) => {
  fs.writeFileSync(at(name), text)
  return at(name)
}

/** Keeps what it is asked. */
function asking(info) {
  const captioner = nullCaptioner()
  const asked = []
  const answer = captioner.captionRow
  Object.assign(captioner.info, info)
  captioner.captionRow = async (row) => {
    asked.push(row)
    return answer(row)
  }
  return { captioner, asked }
}

test('a captioner gets the cells of the columns that it names, and no others', async () => {
  const { captioner, asked } = asking({ usesColumns: ['title', 'n', 'words of mine'] })
  const input = write('cells.csv', 'path,title,n,other\na.mp4,"x {path}",007,o\nb.mp4,,,o\n')
  await run(input, at('cells-out.csv'), { captioner })
  assert.deepEqual(
    asked.map(({ cells }) => cells),
    [
      { title: 'x {path}', n: '007' },
      { title: '', n: '' }
    ]
  )
})

test('a row whose cell was edited is asked again, where the prompt takes the cell', async () => {
  for (const usesColumns of [['title'], undefined]) {
    const { captioner, asked } = asking({ usesText: false, usesColumns })
    const output = at(`edited-${usesColumns ?? 'none'}.csv`)
    await run(write('edited.csv', 'path,title,x\na.mp4,one,1\nb.mp4,two,1\n'), output, { captioner })
    asked.length = 0
    await run(write('edited.csv', 'path,title,x\nb.mp4,three,2\na.mp4,one,2\n'), output, { captioner })
    assert.deepEqual(
      asked.map((row) => path.basename(row.path)),
      usesColumns ? ['b.mp4'] : []
    )
  }
})

test('keys of rows without cells are as they were; cells tell rows apart whatever is in them', () => {
  const key = (row, usesText = true) => hashRow({ path: '/a', ...row }, usesText)
  assert.equal(key({ text: 'b' }), hashRow({ path: '/a', text: 'b', cells: undefined }, true))
  const keys = [
    { cells: { a: 'x', b: 'y' } },
    { cells: { a: 'y', b: 'x' } },
    { cells: { a: 'x","b', b: 'y' } },
    { text: 'x', cells: { a: 'x', b: 'y' } },
    { text: '', cells: { a: 'x', b: 'y' } }
  ].map((row) => key(row))
  assert.equal(new Set(keys).size, keys.length)
  assert.equal(key({ cells: { b: 'y', a: 'x' } }), keys[0], 'in whatever order')
})

test('a column that is not there is told before anything slow, with those that are', async () => {
  const input = write('missing.csv', 'path,title\ngone.mp4,x\n')
  await assert.rejects(run(input, at('missing-out.csv'), { model: 'demo', prompt: 'A {titel} of {"a": {b c}}' }), {
    code: 'usage',
    message: /takes \{titel\}, and .*missing\.csv has no such column: its columns are path, title\. .*\{\{titel\}\}/
  })
  assert.ok(!fs.existsSync(at('missing-out.csv')) && !fs.existsSync(at('missing-out.csv.vcap')))
  const warnings = []
  const onEvent = ({ type, message }) => type === 'warning' && warnings.push(message)
  await run(input, at('textless.csv'), { captioner: asking({ usesText: true }).captioner, onEvent })
  assert.match(warnings.join(), /takes the rows' text, and .*missing\.csv has no column text/)
})

test('a table of both kinds: each row is asked the preset of its kind, here and in a replica', async () => {
  const source = ['-f', 'lavfi', '-i', 'testsrc=d=1:s=160x120:r=10']
  ffmpeg(...source, at('clip.mp4'))
  ffmpeg(...source, '-frames:v', '1', at('image.png'))
  const presets = {
    'video-text': { text: `Videos {} ${'and more '.repeat(20)}`, type: 'video' },
    'image-text': { text: 'Images {}', type: 'image' }
  }
  const input = write('kinds.csv', 'path,text\nclip.mp4,<|im_end|>{path}\nimage.png,<|im_end|>{path}\n')
  const options = { gpus: 'none', presets, prompt: 'video-text', numFrames: 1 }
  const tokensOf = async (more) => {
    const tokens = []
    const onEvent = (event) => event.type === 'row' && (tokens[event.index] = event.usage.promptTokens)
    await run(input, at(`kinds-${tokens.length}.csv`), { ...more, onEvent, restart: true })
    return tokens
  }
  const captioner = await loadCaptioner({ model: 'demo', gpus: 'none' })
  const alone = async (prompt, file) => (await captioner.caption(at(file), { prompt, numFrames: 1 })).promptTokens
  const expected = [
    await alone(presets['video-text'].text.replace('{}', '<|im_end|>{{path}}'), 'clip.mp4'),
    await alone('Images <|im_end|>{{path}}', 'image.png')
  ]
  await captioner.close()
  assert.ok(expected[0] > expected[1] + 20)
  assert.deepEqual(await tokensOf({ ...options, model: 'demo' }), expected)
  assert.deepEqual(await tokensOf({ ...options, model: 'demo', dpSize: 2 }), expected)
})

test('another text in the file of prompts is another run', async () => {
  const input = write('file.csv', 'path\ngone.mp4\n')
  const options = { model: 'demo', gpus: 'none', promptFile: at('mine.json') }
  write('mine.json', '{"mine": "First."}')
  await run(input, at('file-out.csv'), options)
  write('mine.json', '{"mine": "Second."}')
  await assert.rejects(run(input, at('file-out.csv'), options), {
    code: 'run_differs',
    message: /prompt was "First\." and is "Second\."/
  })
  assert.equal(JSON.parse(fs.readFileSync(at('file-out.csv.vcap/run.json'))).settings.prompt, 'First.')
  await assert.rejects(run(input, at('x.csv'), { ...options, presets: { a: { text: 'b' } } }), { code: 'usage' })
  await assert.rejects(run(input, at('x.csv'), { ...options, promptFile: at('gone.json') }), { code: 'usage' })
})
