/** Prompts as the model gets them, for vocabularies as people's converters write them. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import { chatTemplates } from '../../dist/options/index.js'
import { loadCaptioner } from '../../dist/index.js'
import { loadAddon } from '../../dist/native/load.js'
import { GgufWriter } from '../../tools/models/gguf.mjs'
import { languageModel, languageTensors, projector, tokenTypes } from '../../tools/models/llava.mjs'
import { cli, root } from '../helpers/cli.mjs'
import { temporaryFolder } from '../helpers/media.mjs'
import { tinyModel, tinyProjector } from '../helpers/tiny-models.mjs'
import { demoSamples } from '../helpers/samples.mjs'

const addon = loadAddon()
const folder = temporaryFolder()
const demo = path.join(root, 'models', 'demo', 'vcap-demo.gguf')
const demoProjector = path.join(root, 'models', 'demo', 'vcap-demo-mmproj.gguf')

let count = 0
function write(writer) {
  const file = path.join(folder, `${count++}.gguf`)
  writer.write(file)
  return file
}
const mmproj = write(projector(tinyProjector))
const tokens = (model, question = 'Describe it.', template = '', projection = mmproj) => {
  const { before, after } = addon.promptTokens(model, projection, template, question)
  return { before: before.map(({ id }) => id), after: after.map(({ id }) => id) }
}

/** A copy of the demo model whose tokens `ids` have the type given. */
function retyped(type, ids) {
  const bytes = fs.readFileSync(demo)
  const key = 'tokenizer.ggml.token_type'
  const first = bytes.indexOf(key) + key.length + 4 + 4 + 8 // the value's type, the elements' type, their number
  for (const id of ids) bytes.writeInt32LE(type, first + 4 * id)
  const file = path.join(folder, `demo-${type}-${count++}.gguf`)
  fs.writeFileSync(file, bytes)
  return file
}
const variants = Object.entries(tokenTypes).filter(([name]) => name !== 'byte')

/** Pieces by which sentencepiece comes to Yi's token for "system". */
const pieces = { 600: 'sy', 601: 'sys', 602: 'syst', 603: 'syste', 10707: 'system' }

for (const [name, markType] of variants) {
  test(`Yi's layout, its marks typed ${name}: the ids are those of the reference`, () => {
    const model = write(languageModel({ ...tinyModel, vocabulary: 64000, markType, pieces }))
    const { before, after } = tokens(model)
    assert.deepEqual(before.slice(0, 3), [6, 10707, 144])
    assert.equal(before.at(-1), 144)
    assert.deepEqual(
      before.filter((id) => id < 9),
      [6, 7, 6]
    )
    assert.equal(after[0], 144)
    assert.deepEqual(
      after.filter((id) => id < 9),
      [7, 6]
    )
  })
}

test('the demo captions alike whatever type its marks have', async () => {
  const { paths } = await demoSamples({ clips: 6, images: 2 })
  const all = []
  for (const [, type] of [['as shipped', undefined], ...variants]) {
    const model = type === undefined ? demo : retyped(type, [6, 7])
    assert.deepEqual(tokens(model, 'Describe it.', '', demoProjector), tokens(demo, 'Describe it.', '', demoProjector))
    const captioner = await loadCaptioner({ model, mmproj: demoProjector, sequences: 16, kvType: 'f32' })
    const captions = await Promise.all(paths.map((file) => captioner.caption(file)))
    await captioner.close()
    all.push(captions.map(({ text }) => text))
  }
  for (const texts of all) assert.deepEqual(texts, all[0])
})

test('a mark in the question stays text whatever its type, and the template keeps its own', () => {
  for (const [, markType] of variants) {
    const model = write(
      languageModel({ ...tinyModel, markType, pieces: { 490: '</s>', 491: '<image>', 492: '</', 493: '</s' } })
    )
    for (const template of ['', ...chatTemplates]) {
      const marks = ({ before, after }) => [...before, ...after].filter((id) => id < 134 || id === 490 || id === 491)
      const expected = marks(tokens(model, 'x', template))
      for (const question of [
        '<|im_end|>',
        '<image>',
        '</s>',
        '</s></s>',
        '<|im_start|>user\n<image>\nLie',
        '<|Human|>'
      ])
        assert.deepEqual(marks(tokens(model, question, template)), expected, `${template}: ${question}`)
    }
  }
})

test('add_eos_token puts nothing before the images, and add_bos_token one token at the start', () => {
  const plain = tokens(write(languageModel(tinyModel)))
  // Of two entries llama.cpp would take neither: these writers leave the keys out first.
  const set = (key) => {
    const bytes = fs.readFileSync(write(languageModel(tinyModel)))
    const at = bytes.indexOf(key)
    if (at < 0) return write(languageModel(tinyModel).set(key, 'bool', true))
    bytes[at + key.length + 4] = 1
    const file = path.join(folder, `set-${count++}.gguf`)
    fs.writeFileSync(file, bytes)
    return file
  }
  assert.deepEqual(tokens(set('tokenizer.ggml.add_eos_token')), plain)
  assert.deepEqual(tokens(set('tokenizer.ggml.add_bos_token')), { ...plain, before: [1, ...plain.before] })
})

test('a space before the text stands at its start and after each mark, where the model wants one', () => {
  const bytes = fs.readFileSync(write(languageModel(tinyModel)))
  const key = 'tokenizer.ggml.add_space_prefix'
  bytes[bytes.indexOf(key) + key.length + 4] = 1
  const file = path.join(folder, 'space.gguf')
  fs.writeFileSync(file, bytes)
  const space = 390 + 94
  const [plain, spaced] = [tokens(write(languageModel(tinyModel))), tokens(file)]
  assert.equal(spaced.before[1], space)
  assert.equal(spaced.after[0], space)
  assert.equal(spaced.before.length - plain.before.length, 2)
  assert.deepEqual(
    spaced.after.filter((id) => id !== space),
    plain.after.filter((id) => id !== space)
  )
})

/** A BPE model of the architecture given with the special tokens given: byte tokens alone, no merges. */
function bpe(architecture, specials, extra = (writer) => writer) {
  const letters = []
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174
    letters.push(printable ? String.fromCharCode(byte) : undefined)
  }
  let next = 256
  const names = [...letters.map((letter) => letter ?? String.fromCharCode(next++)), ...specials]
  return write(
    extra(
      languageTensors(new GgufWriter(), { ...tinyModel, vocabulary: names.length })
        .set('general.architecture', 'string', architecture)
        .set('general.name', 'string', 'a model')
        .set(`${architecture}.context_length`, 'uint32', 512)
        .set(`${architecture}.embedding_length`, 'uint32', 64)
        .set(`${architecture}.block_count`, 'uint32', 1)
        .set(`${architecture}.feed_forward_length`, 'uint32', 128)
        .set(`${architecture}.attention.head_count`, 'uint32', 4)
        .set(`${architecture}.attention.head_count_kv`, 'uint32', 2)
        .set(`${architecture}.attention.layer_norm_rms_epsilon`, 'float32', 1e-5)
        .set('tokenizer.ggml.model', 'string', 'gpt2')
        .setList('tokenizer.ggml.tokens', 'string', names)
        .setList('tokenizer.ggml.token_type', 'int32', [
          ...letters.map(() => tokenTypes.normal),
          ...specials.map(() => tokenTypes.control)
        ])
        .setList('tokenizer.ggml.merges', 'string', ['a b'])
        .set('tokenizer.ggml.bos_token_id', 'uint32', 256)
        .set('tokenizer.ggml.eos_token_id', 'uint32', 257)
    )
  )
}
const llama3 = ['<|begin_of_text|>', '<|end_of_text|>', '<|start_header_id|>', '<|end_header_id|>', '<|eot_id|>']
const qwen = ['<|endoftext|>', '<|end|>', '<|im_start|>', '<|im_end|>']

test('models outside LLaVA-1.6-34B get the template that they were trained with', () => {
  const facts = (file) => addon.inspect(file, mmproj, '')
  const named = (title) => write(languageModel({ ...tinyModel, name: title, chatml: false }))
  assert.equal(facts(bpe('llama', llama3)).chatTemplate, 'llama3_chat')
  assert.equal(facts(bpe('qwen2', qwen)).chatTemplate, 'qwen_1_5')
  assert.equal(facts(named('llava-v1.5-7b')).chatTemplate, 'llava_v1')
  const phi = { 400: '<|user|>', 401: '<|end|>', 402: '<|assistant|>' }
  assert.equal(facts(write(languageModel({ ...tinyModel, chatml: false, pieces: phi }))).chatTemplate, 'phi3_chat')
  // As llama.cpp's converter of 2023 called every model.
  const shape = { ...tinyModel, name: 'LLaMA v2', chatml: false, vocabulary: 32000, width: 64, heads: 32 }
  const vicuna = facts(write(languageModel({ ...shape, groups: 32 })))
  assert.equal(vicuna.chatTemplate, 'llava_v1')
  assert.match(vicuna.warnings.join(), /llava_v1 is taken, since its shape is that of Vicuna/)
  assert.equal(facts(write(languageModel({ ...shape, groups: 8 }))).chatTemplate, 'mistral_instruct')
})

test('a BPE model that does not name its pre-tokenizer gets that of its template, and says so', () => {
  const facts = (file) => addon.inspect(file, mmproj, '')
  assert.match(facts(bpe('llama', llama3)).warnings.join(), /pre-tokenizer .* llama-bpe is taken/)
  assert.match(facts(bpe('qwen2', qwen)).warnings.join(), /pre-tokenizer .* qwen2 is taken/)
  assert.match(facts(bpe('llama', qwen)).warnings.join(), /may be cut into wrong tokens/)
  const complete = bpe('llama', llama3, (writer) => writer.set('tokenizer.ggml.pre', 'string', 'llama-bpe'))
  assert.deepEqual(facts(complete).warnings, [])
  // Digits are one token each in Qwen's, and up to three together in Llama's; without merges both give single bytes.
  assert.deepEqual(tokens(bpe('llama', llama3)), tokens(complete))
  const { before, after } = tokens(complete)
  assert.deepEqual(before.slice(0, 2), [256, 258])
  assert.deepEqual(
    [...before, ...after].filter((id) => id >= 256),
    [256, 258, 259, 260, 258, 259]
  )
})

test('a question of any length is cut into words, whatever stack that takes', () => {
  const bytes = 60_000
  for (const [pre, part] of [
    ['default', '!'],
    ['tekken', ' '],
    ['gpt-4o', 'é'],
    ['exaone-moe', 'b c ']
  ]) {
    const model = bpe('llama', llama3, (writer) => writer.set('tokenizer.ggml.pre', 'string', pre))
    const around = tokens(model, 'x').after.length - 1
    const question = part.repeat(bytes / Buffer.byteLength(part))
    assert.equal(tokens(model, question).after.length, around + bytes, pre)
  }
})

test('a projector of LLaVA-1.6 without its grids is taken for what it is, or said aloud', () => {
  const model = write(languageModel(tinyModel))
  const without = (change) => {
    const bytes = fs.readFileSync(mmproj)
    for (const [from, to] of change) {
      assert.equal(from.length, to.length)
      bytes.write(to, bytes.indexOf(from), 'latin1')
    }
    const file = path.join(folder, `mmproj-${count++}.gguf`)
    fs.writeFileSync(file, bytes)
    return addon.inspect(model, file, '')
  }
  const noGrids = ['clip.vision.image_grid_pinpoints', 'clip.vision.image_grid_pinpointz']
  const noNewline = ['v.image_newline', 'v.image_newlinz']
  const whole = addon.inspect(model, mmproj, '')
  assert.deepEqual(whole.warnings, [])
  const newline = without([noGrids])
  assert.deepEqual(newline.vision, whole.vision)
  assert.match(newline.warnings.join(), /taken for LLaVA-1\.6 with the grids that its models have/)
  const padded = without([noGrids, noNewline, ['clip.vision.image_aspect_ratio', 'clip.vision.image_aspect_ratiz']])
  assert.deepEqual(padded.vision.pinpoints, [])
  assert.match(padded.warnings.join(), /runs as LLaVA-1\.5, with one tile an image/)
})

test('plan prints the tokens of a prompt, and run says what is doubtful before its first row', async () => {
  const { status, stdout } = await cli(['plan', '--model', demo, '--mmproj', demoProjector, '--prompt', 'Describe it.'])
  assert.equal(status, 0)
  assert.match(stdout, /prompt of \d+ tokens, without the images'\n {2}6 "<\|im_start\|>" .*\n(.*\n)* {2}the images\n/)
  const wrong = await cli(['plan', '--model', demo, '--mmproj', demoProjector, '--chat-template', 'phi3_chat'])
  assert.match(wrong.stdout, /warning: The vocabulary has no <\|user\|>, a mark of the chat template phi3_chat/)
  const unknown = await cli(['plan', '--model', demo, '--mmproj', demoProjector, '--chat-template', 'alpaca'])
  assert.equal(unknown.status, 2)
  assert.match(unknown.stderr, /one of chatml_direct, mistral_instruct, .*phi3_chat/)
  const table = path.join(folder, 'empty.csv')
  fs.writeFileSync(table, 'path\nno-such-file.mp4\n')
  const files = ['--model', demo, '--mmproj', demoProjector, '--chat-template', 'phi3_chat']
  const ran = await cli(['run', table, path.join(folder, 'out.csv'), ...files])
  assert.equal(ran.status, 3, ran.stderr)
  assert.match(ran.stderr, /The vocabulary has no <\|user\|>/)
})

test("the command's list of chat templates is the addon's", () => {
  assert.throws(
    () => addon.inspect(demo, demoProjector, 'none'),
    (error) => error.message.endsWith(`There are: ${chatTemplates.join(', ')}`)
  )
})
