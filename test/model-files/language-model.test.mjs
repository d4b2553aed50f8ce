/**
 * Language models that llama.cpp would abort on, in loading or in a row, or fail on without the cause. Each is refused
 * before llama.cpp gets it, with a sentence that names the file, the key or tensor, what it has and what is expected.
 */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import { loadAddon } from '../../dist/native/load.js'
import { languageModel, projector, tokenTypes } from '../../tools/models/llava.mjs'
import { temporaryFolder } from '../helpers/media.mjs'
import { tinyModel, tinyProjector } from '../helpers/tiny-models.mjs'

const addon = loadAddon()
const folder = temporaryFolder()

let count = 0
function write(writer, name = `${count++}.gguf`) {
  const file = path.join(folder, name)
  writer.write(file)
  return file
}
const mmproj = write(projector(tinyProjector))

/** The error with which a model is refused, which names the file `named` and is one line. */
function refusal(model, named = model) {
  try {
    addon.inspect(model, mmproj, '')
  } catch (error) {
    assert.equal(error.code, 'model_invalid', error.message)
    assert.ok(error.message.startsWith(`${named}: `), error.message)
    assert.match(error.message, /^[^\n]*[^.]$/)
    return error.message
  }
  return assert.fail('accepted')
}

const plain = languageModel(tinyModel)
const tokens = []
const types = []
{
  // What languageModel() wrote, read back from the file: 512 tokens.
  const bytes = fs.readFileSync(write(plain))
  let at = bytes.indexOf('tokenizer.ggml.tokens') + 'tokenizer.ggml.tokens'.length + 16
  for (let id = 0; id < 512; id++) {
    const length = Number(bytes.readBigUInt64LE(at))
    tokens.push(bytes.toString('utf8', at + 8, at + 8 + length))
    at += 8 + length
  }
  at = bytes.indexOf('tokenizer.ggml.token_type') + 'tokenizer.ggml.token_type'.length + 16
  for (let id = 0; id < 512; id++) types.push(bytes.readInt32LE(at + 4 * id))
}
/** The tokens with some of them others, by their ids. */
const withTokens = (others) => (model) =>
  model.setList('tokenizer.ggml.tokens', 'string', Object.assign([...tokens], others))

const set = (key, kind, value) => (model) => model.set(key, kind, value)
const list = (key, kind, values) => (model) => model.setList(key, kind, values)
const bpe = (merges) => (model) =>
  model.set('tokenizer.ggml.model', 'string', 'gpt2').setList('tokenizer.ggml.merges', 'string', merges)
const retyped = (name, type, shape) => (model) => model.drop(name).tensor(name, type, shape)

for (const [what, edit, field] of [
  ['two equal tokens', withTokens({ 500: tokens[300] }), /tokens has '.*' twice, as tokens 300 and 500; expected/],
  ['two tokens equal up to a NUL', withTokens({ 500: 'x\0y', 501: 'x\0z' }), /tokens has 'x' twice/],
  ['an empty token and its name', withTokens({ 500: '', 501: '[EMPTY_500]' }), /'\[EMPTY_500\]' twice/],
  [
    'a byte without a token',
    (model) =>
      withTokens({ 144: 'x144' })(model).setList(
        'tokenizer.ggml.token_type',
        'int32',
        Object.assign([...types], { 144: tokenTypes.normal })
      ),
    /has no byte token <0x0A>.*expected all of <0x00> to <0xFF>/
  ],
  [
    'a byte token that is none',
    list('tokenizer.ggml.token_type', 'int32', Object.assign([...types], { 500: tokenTypes.byte })),
    /token_type says that token 500, '.*', is a byte/
  ],
  ['few scores', list('tokenizer.ggml.scores', 'float32', [1, 2]), /scores has 2 values; expected 512/],
  [
    'scores of text',
    list('tokenizer.ggml.scores', 'string', tokens),
    /scores is a list of str; expected a list of f32/
  ],
  [
    'a score that is no number',
    list(
      'tokenizer.ggml.scores',
      'float32',
      tokens.map(() => NaN)
    ),
    /no number for token 0/
  ],
  ['many types', list('tokenizer.ggml.token_type', 'int32', [...types, 1]), /token_type has 513 values; expected 512/],
  ['another tokenizer', set('tokenizer.ggml.model', 'string', 'bert'), /tokenizer\.ggml\.model is 'bert'/],
  ['no merges', set('tokenizer.ggml.model', 'string', 'gpt2'), /merges is missing; expected the merges of a BPE/],
  ...['whitespace', 'gemma4', 'sarvam-moe'].map((pre) => [
    `the pre-tokenizer ${pre}, which is no byte-level BPE`,
    (model) => bpe(['a b'])(model).set('tokenizer.ggml.pre', 'string', pre),
    /tokenizer\.ggml\.pre is '[a-z0-9-]+', which is no byte-level BPE/
  ]),
  ['a merge of one part', bpe(['a b', 'ab']), /merges has 'ab' as number 1; expected two parts/],
  ['eos as a list', list('tokenizer.ggml.eos_token_id', 'uint32', [7]), /eos_token_id is a list of u32; expected u32/],
  [
    'eos out of range',
    set('tokenizer.ggml.eos_token_id', 'uint32', 512),
    /eos_token_id is 512; expected one of .* 512/
  ],
  ['bos out of range', set('tokenizer.ggml.bos_token_id', 'uint32', 4e9), /bos_token_id is 4000000000; expected/],
  ['a flag that is a number', set('tokenizer.ggml.add_bos_token', 'uint32', 1), /add_bos_token is u32; expected bool/],
  ['Phi-3 by name alone', set('general.name', 'string', 'Phi-3 of mine'), /but tokenizer\.ggml\.tokens has no <\/s>/],
  ['no layers', set('llama.block_count', 'uint32', 0), /block_count is 0, not within 1 to 512/],
  ['more layers than llama.cpp has room for', set('llama.block_count', 'uint32', 513), /block_count is 513/],
  ['a context of nothing', set('llama.context_length', 'uint32', 0), /context_length is 0/],
  ['a context of 64 bits', set('llama.context_length', 'uint64', 512), /context_length is u64; expected u32/],
  [
    'heads for each layer',
    list('llama.attention.head_count', 'uint32', [4]),
    /head_count is a list of u32; expected u32/
  ],
  [
    'heads of an odd width',
    set('llama.attention.key_length', 'uint32', 15),
    /has 15 values .* expected an even number/
  ],
  ['unbounded heads', set('llama.attention.key_length', 'uint32', 4e9), /key_length is 4000000000, not within/],
  ['values unlike keys', set('llama.attention.value_length', 'uint32', 32), /value_length is 32; expected 16/],
  ['rotation of a part', set('llama.rope.dimension_count', 'uint32', 8), /dimension_count is 8; expected 16/],
  ['an unknown rope', set('llama.rope.scaling.type', 'string', 'dynamic'), /scaling\.type is 'dynamic'; expected none/],
  ['a rope base of nothing', set('llama.rope.freq_base', 'float32', 0), /freq_base is 0, not within/],
  ['a rope base that is no number', set('llama.rope.freq_base', 'float32', NaN), /freq_base is -?nan, not within/],
  ['experts', set('llama.expert_count', 'uint32', 8), /expert_count is 8; expected 0, since mixtures of experts/],
  ['pooling', set('llama.pooling_type', 'uint32', 4), /pooling_type is 4; expected 0/],
  ['attention ahead', set('llama.attention.causal', 'bool', false), /causal is false; expected true/],
  ['a negative epsilon', set('llama.attention.layer_norm_rms_epsilon', 'float32', -1), /rms_epsilon is -1, not within/],
  ['a small alignment', set('general.alignment', 'uint32', 8), /general\.alignment is 8; expected a multiple of 32/],
  ['more layers than tensors', set('llama.block_count', 'uint32', 2), /blk\.1\.attn_norm\.weight is missing; expected/],
  ['rows unlike tokens', retyped('token_embd.weight', 'F16', [64, 500]), /is 64 x 500; expected 64 x 512/],
  ['a wide matrix', retyped('blk.0.ffn_up.weight', 'F16', [64, 256]), /ffn_up\.weight is 64 x 256; expected 64 x 128/],
  [
    'a vector of halves',
    retyped('output_norm.weight', 'F16', [64]),
    /output_norm\.weight is of type f16; expected f32/
  ],
  [
    'a matrix of integers',
    retyped('blk.0.attn_q.weight', 'I32', [64, 64]),
    /attn_q\.weight is of type i32, with which/
  ],
  [
    'a tensor too many',
    (model) => model.tensor('blk.7.ffn_up.weight', 'F16', [64, 128]),
    /blk\.7\.ffn_up\.weight is none/
  ]
]) {
  test(`a language model with ${what}`, () => assert.match(refusal(write(edit(languageModel(tinyModel)))), field))
}

test('what is odd and harmless is accepted', () => {
  for (const edit of [
    (model) => model.drop('output.weight'), // tied: the token embeddings are the output
    set('tokenizer.ggml.padding_token_id', 'uint32', 512), // as converters of Vicuna write it
    set('llama.attention.sliding_window', 'uint32', 4096), // as those of Mistral do; llama.cpp looks at it nowhere
    set('llama.rope.scaling.type', 'string', 'none'),
    (model) => model.tensor('rope_freqs.weight', 'F32', [8]),
    (model) => model.tensor('blk.0.attn_q.bias', 'F32', [64])
  ]) {
    assert.equal(addon.inspect(write(edit(languageModel(tinyModel))), mmproj, '').vocabulary, 512)
  }
})

/** A copy of a model with its bytes changed. */
function changed(edit) {
  const bytes = fs.readFileSync(write(languageModel(tinyModel)))
  edit(bytes)
  const file = path.join(folder, `${count++}.gguf`)
  fs.writeFileSync(file, bytes)
  return file
}

test('versions and byte orders that llama.cpp does not read are named, with the remedy', () => {
  const version = (value) => refusal(changed((bytes) => bytes.writeUInt32LE(value, 4)))
  assert.match(version(1), /of version 1, which llama\.cpp no longer reads; convert the model again/)
  assert.match(version(4), /of version 4, newer than version 3, the last that this release reads/)
  assert.match(
    refusal(changed((bytes) => bytes.writeUInt32BE(3, 4))),
    /big-endian GGUF file.*get the little-endian one/
  )
  assert.equal(
    addon.inspect(
      changed((bytes) => bytes.writeUInt32LE(2, 4)),
      mmproj,
      ''
    ).vocabulary,
    512
  )
})

test('a header that announces millions of keys is refused, not read', () => {
  assert.match(refusal(changed((bytes) => bytes.writeBigUInt64LE(1_000_000n, 16))), /announces 1000000 metadata keys/)
})

test('of what llama.cpp says the cause is told, without the names of its functions', async () => {
  const model = write(bpe(['a b'])(languageModel(tinyModel)).set('tokenizer.ggml.pre', 'string', 'none such'))
  const options = { model, mmproj, devices: [], splitMode: 'layer', sequences: 1, contextPerSequence: 256 }
  const rest = { tensorSplit: [], threads: 1, kvType: 'f16', chatTemplate: '' }
  await assert.rejects(addon.loadModel({ ...options, ...rest }, () => {}).promise, (error) => {
    assert.equal(error.code, 'model_invalid')
    assert.match(error.message, /llama\.cpp could not load it \(unknown pre-tokenizer type: 'none such'\)/)
    return true
  })
})

/** Writes a model in two parts: all metadata and the tensors but the last in the first; `edit` changes the second. */
function split(name, edit = (part) => part, shape = tinyModel) {
  const names = [1, 2].map((part) => `${name}-0000${part}-of-00002.gguf`)
  const part = (model, number) =>
    model.set('split.no', 'uint16', number).set('split.count', 'uint16', 2).set('split.tensors.count', 'int32', 12)
  write(part(languageModel(shape).drop('output.weight'), 0), names[0])
  const second = languageModel(shape)
  for (const tensor of second.tensorNames()) if (tensor !== 'output.weight') second.drop(tensor)
  write(edit(part(second, 1)), names[1])
  return names.map((file) => path.join(folder, file))
}

test('parts of two models, or in the wrong places, are told', () => {
  const facts = addon.inspect(split('whole')[0], mmproj, '')
  assert.equal(facts.vocabulary, 512)
  const [, later] = split('later')
  assert.match(refusal(later), /is part 2 of 2; give the first one/)
  const check = (name, edit, field) => {
    const [first, second] = split(name, edit)
    assert.match(refusal(first, second), field)
  }
  check('name', (part) => part.set('general.name', 'string', 'other'), /general\.name is 'other', but 'tiny' in/)
  check('number', (part) => part.set('split.no', 'uint16', 2), /split\.no is 2; expected 1, as part 2 of .*two models/)
  check('type', (part) => part.set('split.no', 'uint32', 1), /split\.no is u32; expected u16/)
  check('count', (part) => part.set('split.tensors.count', 'int32', 99), /tensors\.count is 99; expected 12/)
  const [first] = split('more', (part) => part.tensor('blk.0.attn_q.bias', 'F32', [64]))
  assert.match(refusal(first), /tensors\.count is 12, but its 2 parts have 13 tensors together/)
})
