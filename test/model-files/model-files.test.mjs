/** Model files as they should not be: each gives a code, and a sentence that names the file and the field. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import test from 'node:test'
import { GgufWriter } from '../../tools/models/gguf.mjs'
import { languageModel, projector } from '../../tools/models/llava.mjs'
import { temporaryFolder } from '../helpers/media.mjs'
import { tinyModel, tinyProjector } from '../helpers/tiny-models.mjs'

const addon = createRequire(import.meta.url)('../../dist/native/load.js').loadAddon()
const folder = temporaryFolder()

let count = 0
function write(writer) {
  const file = path.join(folder, `${count++}.gguf`)
  writer.write(file)
  return file
}
const model = write(languageModel(tinyModel))
const mmproj = write(projector(tinyProjector))

/** A copy of `file` whose metadata value of `key` is overwritten where it stands, behind the key and its type. */
function edited(file, key, bytes) {
  const whole = fs.readFileSync(file)
  const at = whole.indexOf(Buffer.from(key)) + key.length + 4
  Buffer.from(bytes).copy(whole, at)
  const copy = path.join(folder, `${count++}.gguf`)
  fs.writeFileSync(copy, whole)
  return copy
}
const u32 = (value) => [...new Uint8Array(Uint32Array.of(value).buffer)]

function refusal(modelFile, mmprojFile, template = '') {
  try {
    addon.inspect(modelFile, mmprojFile, template)
  } catch (error) {
    assert.match(error.message, /[^.]$/, 'no full stop, since more may follow')
    assert.doesNotMatch(error.message, /(^|\s)--\w/, 'the library has no flags')
    return error
  }
  return assert.fail('accepted')
}

test('a pair that is one is accepted', () => {
  const facts = addon.inspect(model, mmproj, '')
  assert.equal(facts.embeddingWidth, 64)
  assert.equal(facts.vision.pinpoints.length, 5)
})

/** A copy of the projector with its first bytes edited, and its end cut off. */
const header = (edit, end) => {
  const whole = fs.readFileSync(mmproj)
  edit(whole)
  const file = path.join(folder, `${count++}.gguf`)
  fs.writeFileSync(file, whole.subarray(0, end))
  return file
}

for (const [what, file, field] of [
  ['no heads', () => edited(mmproj, 'clip.vision.attention.head_count', u32(0)), /attention\.head_count is 0/],
  [
    'heads that do not divide the width',
    () => edited(mmproj, 'clip.vision.attention.head_count', u32(7)),
    /embedding_length is no multiple/
  ],
  [
    'an absurd width',
    () => edited(mmproj, 'clip.vision.embedding_length', u32(0xffffffff)),
    /embedding_length is 4294967295/
  ],
  [
    'a patch that does not divide the image',
    () => edited(mmproj, 'clip.vision.patch_size', u32(13)),
    /image_size is no moderate multiple/
  ],
  ['a patch of nothing', () => edited(mmproj, 'clip.vision.patch_size', u32(0)), /patch_size is 0/],
  ['no blocks', () => edited(mmproj, 'clip.vision.block_count', u32(0)), /block_count is 0/],
  [
    'an unknown merge type',
    () => edited(mmproj, 'clip.vision.mm_patch_merge_type', [13, 0, 0, 0, 0, 0, 0, 0, ...Buffer.from('spatial_stack')]),
    /mm_patch_merge_type is 'spatial_stack'/
  ],
  [
    'another projector',
    () =>
      write(
        new GgufWriter()
          .set('general.architecture', 'string', 'clip')
          .set('clip.has_vision_encoder', 'bool', true)
          .set('clip.projector_type', 'string', 'qwen2vl_merger')
      ),
    /projector_type is 'qwen2vl_merger'/
  ],
  [
    'no vision tower',
    () => write(new GgufWriter().set('general.architecture', 'string', 'clip')),
    /has_vision_encoder is not true/
  ],
  [
    'a grid that is no grid',
    () =>
      write(
        projector({
          ...tinyProjector,
          grid: [
            [1, 2],
            [65, 2]
          ]
        })
      ),
    /image_grid_pinpoints has 3640 x 112/
  ],
  [
    'a huge number of tensors',
    () => header((bytes) => bytes.writeBigUInt64LE(0x7fffffffffffffffn, 8)),
    /header cannot be read/
  ],
  [
    'a huge number of values',
    () => header((bytes) => bytes.writeBigUInt64LE(0xffffffffffffffffn, 16)),
    /header cannot be read/
  ],
  ['an unknown version', () => header((bytes) => bytes.writeUInt32LE(77, 4)), /of version 77, newer than version 3/],
  ['an end missing', () => header((bytes) => bytes, -5000), /is cut off: tensor/]
]) {
  test(`projector with ${what}`, () => {
    const made = file()
    const error = refusal(model, made)
    assert.equal(error.code, 'model_invalid', error.message)
    assert.ok(error.message.includes(made), error.message)
    assert.match(error.message, field)
  })
}

test('a tensor whose shape contradicts the header is named when it is loaded', async () => {
  const wide = edited(mmproj, 'clip.vision.feed_forward_length', u32(256))
  const options = {
    model,
    mmproj: wide,
    devices: [],
    splitMode: 'layer',
    tensorSplit: [],
    sequences: 1,
    contextPerSequence: 256,
    threads: 1,
    kvType: 'f16',
    chatTemplate: ''
  }
  await assert.rejects(addon.loadModel(options, () => {}).promise, (error) => {
    assert.equal(error.code, 'model_invalid')
    assert.match(
      error.message,
      /tensor v\.blk\.0\.ffn_down\.weight is 64 x 128, but the header's widths make it 64 x 256/
    )
    return true
  })
})

test('language models: no tokenizer, no heads, another architecture, another width', () => {
  assert.match(
    refusal(write(new GgufWriter().set('general.architecture', 'string', 'llama')), mmproj).message,
    /has no tokenizer/
  )
  assert.match(
    refusal(edited(model, 'llama.attention.head_count', u32(0)), mmproj).message,
    /llama\.attention\.head_count is 0/
  )
  assert.match(
    refusal(write(new GgufWriter().set('general.architecture', 'string', 'mamba')), mmproj).message,
    /general\.architecture is 'mamba'/
  )
  const error = refusal(write(languageModel({ ...tinyModel, width: 128 })), mmproj)
  assert.equal(error.code, 'model_mismatch')
  assert.match(error.message, /projects to 64 values, but .* takes 128/)
})

test('the template comes from the metadata where they leave no doubt', () => {
  const other = (name, extra = (writer) => writer) => write(extra(languageModel({ ...tinyModel, name, chatml: false })))
  const template = (file, asked = '') => addon.inspect(file, mmproj, asked).chatTemplate
  assert.equal(template(model), 'chatml_direct')
  assert.equal(template(other('llava-v1.6-mistral-7b')), 'mistral_instruct')
  assert.equal(template(other('llava-v1.6-vicuna-13b')), 'llava_v1')
  assert.equal(
    template(other('x', (writer) => writer.set('tokenizer.chat_template', 'string', '{{ "[INST] " }}'))),
    'mistral_instruct'
  )
  assert.equal(
    template(other('x', (writer) => writer.set('tokenizer.chat_template', 'string', 'USER: ... ASSISTANT:'))),
    'llava_v1'
  )
  const unclear = other('some model')
  assert.match(
    refusal(unclear, mmproj).message,
    /Name the one that it was trained with: chatml_direct, mistral_instruct, vicuna_v1, llava_v1, .*phi3_chat$/
  )
  assert.equal(template(unclear, 'vicuna_v1'), 'vicuna_v1')
  const unknown = refusal(unclear, mmproj, 'alpaca')
  assert.equal(unknown.code, 'usage')
  assert.match(unknown.message, /There are: chatml_direct, mistral_instruct, vicuna_v1, llava_v1/)
})

test('a model whose end comes before its header says so, wherever it is cut', () => {
  const whole = fs.readFileSync(mmproj)
  for (const length of [0, 3, 4, 23, 24, 100, 1000, whole.length - 1]) {
    const cut = path.join(folder, `cut-${length}.gguf`)
    fs.writeFileSync(cut, whole.subarray(0, length))
    assert.equal(refusal(model, cut).code, 'model_invalid', `${length} bytes`)
  }
})
