/** JSON Schemas, models that would ramble, and whether what they answered is of the schema. */
import fs from 'node:fs'
import path from 'node:path'
import { z } from 'zod'
import { loadCaptioner } from '../../dist/index.js'
import { languageModel, projector } from '../../tools/models/llava.mjs'
import { randomFile } from '../../tools/models/random.mjs'
import { tinyModel, tinyProjector } from './tiny-models.mjs'

const text = (maxLength) => ({ type: 'string', maxLength })

export const schemas = [
  {
    type: 'object',
    properties: {
      shape: { enum: ['circle', 'square', 'triangle', 'cross', 'star'] },
      colours: { type: 'array', items: text(12), minItems: 1, maxItems: 3 },
      caption: { type: 'string', minLength: 5, maxLength: 60 },
      count: { type: 'integer', minimum: 0, maximum: 12 },
      sure: { type: 'number', minimum: 0, maximum: 1 },
      moving: { type: 'boolean' }
    },
    required: ['shape', 'colours', 'caption', 'count', 'sure', 'moving'],
    additionalProperties: false
  },
  {
    type: 'object',
    properties: {
      'a "quoted" name': { type: ['string', 'null'], maxLength: 20 },
      height: { type: 'integer', minimum: -1234, maximum: 98 },
      size: { $ref: '#/$defs/size' },
      other: { anyOf: [{ $ref: '#/$defs/size' }, { type: 'null' }] },
      none: { type: 'object', properties: {} }
    },
    $defs: {
      size: {
        type: 'object',
        properties: { w: { type: 'number' }, h: { type: 'number', minimum: -3 } },
        required: ['w']
      }
    }
  },
  { type: 'array', items: { type: 'integer', exclusiveMinimum: 99, maximum: 100_234 }, minItems: 2, maxItems: 6 },
  {
    oneOf: [
      { type: 'object', properties: { kind: { const: 'one' }, a: text(9) }, required: ['kind', 'a'] },
      {
        type: 'object',
        properties: { kind: { const: 'two' }, b: { const: 'é "x"\n' } },
        required: ['kind', 'b']
      }
    ]
  }
]

const checks = schemas.map((schema) => z.fromJSONSchema(schema))

/**
 * Throws where an answer to `schemas[which]` is not of it. Zod counts what lies above U+FFFF as two characters, and
 * takes no object for a constant.
 */
export function requireOf(which, answer) {
  checks[which].parse(JSON.parse(answer.replace(/[\u{10000}-\u{10FFFF}]/gu, 'x')))
}

/** GPT-2's characters for bytes: printable ones as they are, the others from U+0100 on. */
function byteCharacters() {
  const isPlain = (byte) => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173)
  let next = 256
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPlain(byte) ? byte : next++))
}

/** The same shape with a vocabulary of the BPE kind: bytes, pairs of JSON's marks, and texts that cross them. */
function bpeModel(shape, fill) {
  const bytes = byteCharacters()
  const marks = ['<unk>', '<|startoftext|>', '<|endoftext|>', '<|im_start|>', '<|im_end|>']
  const pairs = [
    [':', 'Ġ'],
    ['"', ':'],
    ['"', ','],
    ['",', 'Ġ'],
    ['",Ġ', '"'],
    ['{', '"'],
    ['"', '}'],
    ['Ã', '©']
  ]
  const tokens = [...marks, ...bytes, ...pairs.map((pair) => pair.join(''))]
  while (tokens.length < shape.vocabulary) tokens.push(`¶${tokens.length}`)
  const types = tokens.map((_, id) => (id < marks.length ? 3 : 1))
  return languageModel(shape, fill)
    .set('tokenizer.ggml.model', 'string', 'gpt2')
    .set('tokenizer.ggml.pre', 'string', 'qwen2')
    .setList(
      'tokenizer.ggml.merges',
      'string',
      pairs.map((pair) => pair.join(' '))
    )
    .setList('tokenizer.ggml.tokens', 'string', tokens)
    .setList('tokenizer.ggml.token_type', 'int32', types)
    .set('tokenizer.ggml.bos_token_id', 'uint32', 1)
    .set('tokenizer.ggml.eos_token_id', 'uint32', 4)
}

/** Pairs by what they are: the demo's, and of random weights with vocabularies of two kinds. */
export function models(folder) {
  const pair = (name, make) => {
    const [model, mmproj] = ['model', 'mmproj'].map((part) => path.join(folder, `${name}-${part}.gguf`))
    if (!fs.existsSync(model)) {
      randomFile(make, { ...tinyModel, context: 1024 }, name).write(model)
      randomFile(projector, tinyProjector, name).write(mmproj)
    }
    return { model, mmproj }
  }
  return {
    demo: { model: 'demo' },
    'random weights, SentencePiece': pair('spm', languageModel),
    'random weights, BPE': pair('bpe', bpeModel)
  }
}

/** Many answers at once at temperature 1, each by one of `schemas`. Throws for the first that is not of it. */
export async function askAll(files, { count, maxTokens = 150, sequences = 8 }) {
  const captioner = await loadCaptioner({ ...files, gpus: 'none', sequences, contextPerSequence: 1024, threads: 1 })
  const picture = (i) => ({ data: new Uint8Array(56 * 56 * 3).fill((i * 41) % 256), width: 56, height: 56 })
  const statuses = {}
  const lengths = []
  try {
    const asked = Array.from({ length: count }, async (_, i) => {
      const which = i % schemas.length
      const options = { jsonSchema: schemas[which], temperature: 1, seed: i, maxTokens, anyres: 'off' }
      const { text: answer, status, tokens } = await captioner.captionImages([picture(i)], options)
      try {
        requireOf(which, answer)
      } catch (cause) {
        throw new Error(`answer ${i} is not of schema ${which}: ${answer}`, { cause })
      }
      statuses[status] = (statuses[status] ?? 0) + 1
      lengths.push(tokens.length)
    })
    await Promise.all(asked)
  } finally {
    await captioner.close()
  }
  return { statuses, tokens: lengths.reduce((sum, length) => sum + length, 0) }
}
