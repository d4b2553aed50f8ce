/**
 * What a grammar costs: milliseconds a token of answers that are free, of those held to a JSON Schema, and of those
 * whose every token the model would choose otherwise, with a vocabulary of 32,000 tokens (random weights, `60m`). Each
 * round does all of them in turn.
 *
 *   npm run bench:grammar -- [--tokens 100] [--sequences 16] [--rounds 3]
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { loadCaptioner } from '../dist/index.js'
import { languageModel, projector } from '../tools/models/llava.mjs'
import { randomFile, shapes } from '../tools/models/random.mjs'
import { warnIfBusy } from './machine.mjs'
import { median } from './rounds.mjs'

const { values } = parseArgs({
  options: {
    tokens: { type: 'string', default: '100' },
    sequences: { type: 'string', default: '16' },
    rounds: { type: 'string', default: '3' }
  }
})
const [maxTokens, sequences, rounds] = [values.tokens, values.sequences, values.rounds].map(Number)
const jsonSchema = {
  type: 'object',
  properties: {
    subject: { type: 'string', maxLength: 200 },
    tags: { type: 'array', items: { type: 'string', maxLength: 60 }, minItems: 5, maxItems: 10 },
    caption: { type: 'string', minLength: 9000, maxLength: 10_000 }
  },
  required: ['subject', 'tags', 'caption']
}
const ways = [
  ['free', { ignoreEos: true, repetitionStop: false }],
  ['JSON Schema', { jsonSchema, repetitionStop: false }],
  ['digits alone', { grammar: 'root ::= [0-9]+', repetitionStop: false }]
].flatMap(([name, options]) => [
  [`${name}, greedy`, options],
  [`${name}, temperature 1`, { ...options, temperature: 1 }]
])

warnIfBusy()
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vcap-grammar-'))
const files = { model: path.join(folder, 'model.gguf'), mmproj: path.join(folder, 'mmproj.gguf') }
const shape = shapes['60m']
randomFile(languageModel, { ...shape.languageModel, type: 'F16' }, 'grammar').write(files.model)
randomFile(projector, { ...shape.projector, type: 'F16' }, 'grammar').write(files.mmproj)
const captioner = await loadCaptioner({ ...files, gpus: 'none', sequences, contextPerSequence: 2048, anyres: 'off' })
try {
  const found = ways.map(() => [])
  for (let round = -1; round < rounds; round++) {
    for (const [i, [, options]] of ways.entries()) {
      const cost = await costOf(options)
      if (round >= 0) found[i].push(cost) // the first round warms up
    }
  }
  for (const [i, [name]] of ways.entries()) {
    const each = median(found[i].map(({ ms }) => ms))
    console.log(
      `${name}: ${each.toFixed(2)} ms a token of one of ${sequences} answers (${found[i][0].tokens} tokens each)`
    )
  }
} finally {
  await captioner.close()
  fs.rmSync(folder, { recursive: true, force: true })
}

/** Of as many answers at once as there are sequences. */
async function costOf(options) {
  const image = (i) => ({ data: new Uint8Array(3 * 336 * 336).fill(i * 9), width: 336, height: 336 })
  const answers = await Promise.all(
    Array.from({ length: sequences }, (_, seed) =>
      captioner.captionImages([image(seed)], { ...options, maxTokens, seed })
    )
  )
  const each = answers.map(({ timings, tokens }) => timings.decode / tokens.length)
  return { ms: median(each), tokens: Math.round(median(answers.map(({ tokens }) => tokens.length))) }
}
