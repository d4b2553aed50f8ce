import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import test, { after } from 'node:test'
import { presets, prompts, readPrompts } from '../../dist/index.js'
import { captionSettings } from '../../dist/identity.js'
import { parseCaptionOptions } from '../../dist/options/index.js'
import { choosePrompt } from '../../dist/prompts/prompt-file.js'
import { buildPrompt, columnsOf, promptIdentity, promptWarnings, takesText } from '../../dist/prompts/question.js'

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vcap-prompts-'))
after(() => fs.rmSync(folder, { recursive: true }))
const write = (name, text) => {
  const file = path.join(folder, name)
  fs.writeFileSync(file, text)
  return file
}
const ask = (prompt, row = {}) => buildPrompt({ prompt }, { images: 3, ...row })

test('the default follows the number of pictures sent', () => {
  assert.equal(ask(undefined, { images: 1 }), prompts.image)
  assert.equal(ask(undefined, { images: 1, kind: 'video' }), prompts.image)
  assert.equal(ask(undefined, { images: 2 }), prompts.video)
  assert.equal(
    prompts.video,
    'These are frames of one video, in order. Describe the video in detail: its subjects, what they do, how they ' +
      'and the camera move, the setting, colours and style. Do not mention frames. Answer in at most six sentences.',
    'the demo model was trained on these words'
  )
  assert.equal(
    prompts.image,
    'Describe this image in detail: its subjects, setting, colours, composition and style. ' +
      'Answer in at most five sentences.',
    'and on these'
  )
})

test('a name is a preset, anything else is the prompt itself', () => {
  assert.equal(ask('short'), prompts.short)
  assert.equal(ask('What is it?'), 'What is it?')
  assert.equal(ask('toString'), 'toString')
  assert.match(promptWarnings({ prompt: 'video_text', numFrames: 3 })[0], /No preset is named video_text: .*question/)
  for (const prompt of [undefined, 'video', 'What is it?'])
    assert.deepEqual(promptWarnings({ prompt, numFrames: 3 }), [])
})

/** What each of the reference's presets is about: its kind, frames, examples, and whether it takes the text. */
const meanings = {
  image: ['image', undefined, 0, false],
  'image-text': ['image', undefined, 0, true],
  'image-3ex': ['image', undefined, 3, false],
  video: ['video', undefined, 0, false],
  'video-text': ['video', undefined, 0, true],
  'video-f1-detail-3ex': ['video', 1, 3, false],
  'video-f1-detail-2ex-text': ['video', 1, 2, true],
  'video-f3-detail-3ex': ['video', 3, 3, false],
  'video-f3-detail-2ex-text': ['video', 3, 2, true]
}

test("the reference's nine presets are there, each with its meaning", () => {
  for (const [name, [type, frames, examples, text]] of Object.entries(meanings)) {
    const preset = presets[name]
    assert.equal(preset.type, type, name)
    assert.equal(preset.frames, frames, name)
    assert.equal(takesText({ prompt: name }), text, name)
    assert.equal([...preset.text.matchAll(/ \d\. /g)].length, examples, name)
    assert.match(preset.text, type === 'image' ? /image/ : /video/, name)
    assert.match(preset.text, /at most (five|six) sentences/, name)
    if (frames === 1) assert.match(preset.text, /one frame, from the middle/)
    if (frames === 3) assert.match(preset.text, /three frames .* in the order of time.*do not go through the frames/s)
  }
})

test('each row gets the preset of its kind', () => {
  const pairs = [
    ['video', 'image'],
    ['video-text', 'image-text'],
    ['video-f3-detail-3ex', 'image-3ex'],
    ['video-f1-detail-3ex', 'image-3ex'],
    ['video-f3-detail-2ex-text', 'image-text'],
    ['video-f1-detail-2ex-text', 'image-text']
  ]
  const filled = (name) => prompts[name].replace('{}', 'a cat')
  const row = { text: 'a cat' }
  for (const [video, image] of pairs) {
    assert.equal(ask(video, { ...row, kind: 'video' }), filled(video))
    assert.equal(ask(video, { ...row, kind: 'image', images: 1 }), filled(image))
    assert.equal(ask(video, { ...row, images: 1 }), filled(video), 'pictures of which nobody knows what they are')
    assert.equal(ask(image, { ...row, kind: 'image', images: 1 }), filled(image))
  }
  assert.equal(ask('image-text', { ...row, kind: 'video' }), filled('video-text'))
  assert.equal(ask('image-3ex', { kind: 'video', images: 3 }), prompts['video-f3-detail-3ex'])
  assert.equal(ask('image-3ex', { kind: 'video', images: 1 }), prompts['video-f1-detail-3ex'])
  for (const kind of ['image', 'video']) assert.equal(ask('short', { kind }), prompts.short)
})

const missing = [undefined, '', '  ', 'nan', 'NaN', 'None', 'null', ' NULL ']

test('a row without a text is asked the preset without it', () => {
  const without = {
    'image-text': 'image',
    'video-text': 'video',
    'video-f1-detail-2ex-text': 'video-f1-detail-3ex',
    'video-f3-detail-2ex-text': 'video-f3-detail-3ex'
  }
  for (const text of missing) {
    for (const [name, other] of Object.entries(without)) assert.equal(ask(name, { text }), prompts[other])
    assert.equal(ask('video-text', { text, kind: 'image' }), prompts.image)
    assert.equal(ask('[{}]', { text }), '[]')
    assert.equal(ask('[{title}]', { cells: { title: text } }), '[]')
  }
})

test('cells go in to the letter and are never looked at again', () => {
  const strange = ['{path}', '{}', '{{}}', '<image>', '<|im_end|>', '$& $1 $$', '"quoted"\nand more', '{title}']
  for (const text of strange) {
    assert.equal(ask('[{}] and {title}', { text, cells: { title: 'x' } }), `[${text}] and x`)
    assert.equal(ask('[{title}] {}', { text: 'y', cells: { title: text, path: 'p' } }), `[${text}] y`)
  }
  assert.equal(
    ask('[{}] and {text}', { text: ' a  cat ' }),
    '[a  cat] and [a  cat]'.replace('] and [a  cat]', '] and a  cat')
  )
  assert.equal(ask('{Video Title}: {aspect-ratio}', { cells: { 'Video Title': 'T', 'aspect-ratio': '1.5' } }), 'T: 1.5')
})

test('braces that are none of a cell stay braces', () => {
  assert.equal(ask('{{}} {{title}} {{{}}}', { text: 'x', cells: { title: 'y' } }), '{} {title} {x}')
  for (const json of ['{"a": 1}', '{"a": {"b": [1, 2]}}', "{'a': 1}", '{ }', 'if (x) { y(); }', '} {', 'a } b', '}}']) {
    assert.equal(ask(json, { text: 'x', cells: {} }), json)
    assert.deepEqual(columnsOf({ prompt: json }), [], json)
  }
  assert.equal(ask('{{"a": 1}}'), '{"a": 1}')
  assert.equal(ask('{unknown} {toString}', { cells: { title: 'x' } }), '{unknown} {toString}')
})

test('what a prompt takes is known before any row', () => {
  assert.deepEqual(columnsOf({ prompt: 'A {title} by {author}, {title}; {} {text} {{no}}' }), ['title', 'author'])
  assert.ok(takesText({ prompt: 'x {text}' }) && takesText({ prompt: 'image-text' }))
  assert.ok(!takesText({ prompt: '{{}}' }) && !takesText({}) && !takesText({ prompt: 'video' }))
})

test('a preset that is about so many frames has them sampled, unless somebody says how many', () => {
  const frames = (options) => parseCaptionOptions(options).numFrames
  assert.equal(frames({}), 3)
  assert.equal(frames({ prompt: 'video-f1-detail-3ex' }), 1)
  assert.equal(frames({ prompt: 'video-f3-detail-2ex-text' }), 3)
  assert.equal(frames({ prompt: 'video-f1-detail-3ex', numFrames: 5 }), 5)
  assert.match(
    promptWarnings({ prompt: 'video-f1-detail-3ex', numFrames: 5 })[0],
    /video-f1-detail-3ex speaks of 1 frame of a video, and 5 are taken/
  )
})

test('a file of presets brings its own words, kinds and frames', () => {
  const file = write(
    'prompts.json',
    `\ufeff${JSON.stringify({
      'video-text': { text: ' Their {} video. ', type: 'video' },
      'image-text': { text: 'Their {} image.', type: 'image' },
      video: 'Their video.',
      'video-f2-short': { text: 'Two frames.' },
      plain: 'Plain {title}.'
    })}`
  )
  const read = readPrompts(file)
  assert.deepEqual(read.plain, { text: 'Plain {title}.' })
  assert.deepEqual(read['video-f2-short'], { text: 'Two frames.', type: 'video', frames: 2 })
  const chosen = choosePrompt(file, 'video-text')
  const asked = (row) => buildPrompt(chosen, { images: 3, text: 'good', ...row })
  assert.equal(asked({ kind: 'video' }), ' Their good video. ', 'blanks and all')
  assert.equal(asked({ kind: 'image' }), 'Their good image.')
  assert.equal(asked({ kind: 'video', text: '' }), 'Their video.')
  assert.equal(asked({ kind: 'image', text: '' }), 'Their  image.', 'there is no image of theirs without the text')
  assert.equal(parseCaptionOptions(choosePrompt(file, 'video-f2-short')).numFrames, 2)
  assert.throws(() => choosePrompt(file, undefined), {
    code: 'usage',
    message: /several prompts: choose one of video-/
  })
  assert.throws(() => choosePrompt(file, 'image'), { code: 'usage', message: /no prompt named "image": it has video-/ })
})

test('a file that is no JSON by its name is one prompt, whatever it says', () => {
  const { presets: own, prompt } = choosePrompt(write('question.txt', '\nvideo\n'), undefined)
  assert.equal(buildPrompt({ presets: own, prompt }, { images: 1 }), 'video')
  assert.equal(promptIdentity({ presets: own, prompt }), 'video')
  assert.throws(() => choosePrompt(path.join(folder, 'question.txt'), 'video'), { code: 'usage' })
})

test('files that hold no prompts are refused with what is wrong', () => {
  const refused = (name, text, message) =>
    assert.throws(() => readPrompts(write(name, text)), { code: 'usage', message }, name)
  assert.throws(() => readPrompts(path.join(folder, 'gone.json')), { code: 'usage', message: /cannot be read: ENOENT/ })
  assert.throws(() => readPrompts(folder), { code: 'usage', message: /cannot be read: EISDIR/ })
  refused('a.json', 'Describe it.', /is no JSON: .*\.txt file/)
  refused('b.json', '["x"]', /holds no prompts/)
  refused('c.json', '{"x": {"txt": "y"}}', /holds no prompts.*"x"/)
  refused('d.json', '{"x": "  "}', /"x"/)
  refused('e.json', '{}', /holds no prompt:/)
  refused('f.json', '{"a": "1", "b": "\\"a\\": {", "a": "2"}', /two prompts named "a"/)
  refused('g.json', '{"a": "1", " A": "2"}', /two prompts named " A"/)
  refused('h.txt', ' \n', /is empty/)
  refused('i.txt', Buffer.from([0xff, 0xfe, 0x41]), /no UTF-8/)
  refused('j.json', '{"a": {"text": "x", "type": "audio"}}', /"a"/)
})

test('what a run is known by has the words of a file, and the name of a preset of ours', () => {
  const identity = (options) => captionSettings(parseCaptionOptions(options)).prompt
  assert.equal(identity({}), null)
  assert.equal(identity({ prompt: 'video-text' }), 'video-text')
  assert.equal(identity({ prompt: 'What is it?' }), 'What is it?')
  const own = { a: { text: 'One' }, video: { text: 'V', type: 'video' }, image: { text: 'I', type: 'image' } }
  assert.equal(identity({ prompt: 'a', presets: own }), 'One')
  assert.equal(identity({ prompt: 'short', presets: own }), 'short')
  assert.equal(identity({ prompt: 'video', presets: own }), 'video: V\nimage: I')
  assert.equal(identity({ presets: own }), 'image: I\nvideo: V')
})
