/** Answers in a form, by the library and the command. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { after, test } from 'node:test'
import { loadCaptioner, run } from '../../dist/index.js'
import { parseCaptionOptions, parseRunOptions } from '../../dist/options/index.js'
import { askAll, models, requireOf, schemas } from '../helpers/json-answers.mjs'
import { cli } from '../helpers/cli.mjs'
import { temporaryFolder } from '../helpers/media.mjs'
import { demoSamples } from '../helpers/samples.mjs'

const folder = temporaryFolder()
const here = (name) => path.join(folder, name)
const usage = (message) => (error) => error.code === 'usage' && error.exitCode === 2 && error.message.includes(message)
const captioner = await loadCaptioner({
  model: 'demo',
  gpus: 'none',
  sequences: 2,
  contextPerSequence: 2048,
  anyres: 'off'
})
after(() => captioner.close())
const picture = { data: new Uint8Array(112 * 112 * 3).fill(90), width: 112, height: 112 }

for (const [name, files] of Object.entries(models(folder))) {
  test(`answers by JSON Schemas are of them: ${name}`, async () => {
    const { statuses } = await askAll(files, { count: 24, maxTokens: 90 })
    assert.equal(
      Object.values(statuses).reduce((sum, count) => sum + count, 0),
      24
    )
    assert.ok(statuses.ok > 0, 'some end by themselves')
    assert.ok(statuses.truncated > 0, 'some were cut and completed')
  })
}

test('an answer that is cut anywhere is completed to JSON of its schema', async () => {
  for (let maxTokens = 1; maxTokens < 40; maxTokens += 3) {
    const options = { jsonSchema: schemas[0], maxTokens, temperature: 1 }
    const { text, status, flags, tokens } = await captioner.captionImages([picture], options)
    requireOf(0, text)
    if (tokens.length < maxTokens) continue
    assert.equal(status, 'truncated')
    assert.deepEqual(flags.includes('cut'), true, flags.join())
  }
})

test('a string that goes round is ended, and the JSON completed', async () => {
  const jsonSchema = { type: 'object', properties: { a: { type: 'string', maxLength: 10_000 } }, required: ['a'] }
  const grammar = String.raw`root ::= "{\"a\": \"" ("round and " | "round it goes "){80,} "\"}"`
  const { text, status, flags, tokens } = await captioner.captionImages([picture], { grammar, maxTokens: 900 })
  assert.equal(status, 'truncated')
  assert.ok(flags.includes('repetition') && !flags.includes('cut'), `${flags} ${text}`)
  assert.ok(tokens.length < 300, `${tokens.length} tokens`)
  assert.match(JSON.parse(text).a, /^(round (and|it goes) )+$/)
  const free = await captioner.captionImages([picture], { jsonSchema, maxTokens: 60 })
  assert.equal(typeof JSON.parse(free.text).a, 'string')
})

test('a grammar of the user is held to the letter, and a free answer beside it is as ever', async () => {
  const [plain, held, again] = await Promise.all([
    captioner.captionImages([picture]),
    captioner.captionImages([picture], { grammar: 'root ::= "yes\\n" [0-9]{2} "  "' }),
    captioner.captionImages([picture])
  ])
  assert.match(held.text, /^yes\n\d\d {2}$/)
  assert.equal(held.status, 'ok')
  assert.deepEqual(again.tokens, plain.tokens)
})

test('what cannot be a form is refused before anything is captioned', async () => {
  const jsonSchema = schemas[0]
  for (const [options, message] of [
    [{ grammar: 'root ::= x' }, "grammar's line 1 cannot be read: there is no rule x"],
    [{ grammar: 'root ::= root' }, 'never ends'],
    [{ jsonSchema: { type: 'strin' } }, '/type is none of'],
    [{ jsonSchema: [] }, 'JSON Schema that is an object'],
    [{ jsonSchema, grammar: 'root ::= "a"' }, 'either jsonSchema or grammar'],
    [{ jsonSchema, ignoreEos: true }, 'leave out ignoreEos']
  ]) {
    await assert.rejects(captioner.captionImages([picture], options), usage(message), message)
    await assert.rejects(loadCaptioner({ model: 'demo', gpus: 'none', ...options }), usage(message), message)
    const asked = { model: 'demo', gpus: 'none', ...options }
    await assert.rejects(run(here('any.csv'), here('none.csv'), asked), usage(message), message)
  }
  for (const [options, message] of [
    [{ jsonSchema, clean: true }, 'leave out clean'],
    [{ grammar: 'root ::= "a"', trimSentence: true }, 'leave out trimSentence'],
    [{ jsonSchema, prefix: 'TRIGGER, ' }, 'leave out prefix'],
    [{ jsonColumns: true }, 'need a JSON Schema'],
    [{ jsonColumns: true, grammar: 'root ::= "a"' }, 'need a JSON Schema'],
    [{ jsonColumns: true, jsonSchema, compat: 'open-sora' }, 'leave out compat']
  ]) {
    assert.throws(() => parseRunOptions(options), usage(message), message)
  }
  assert.equal(parseRunOptions({ grammar: 'root ::= "a"', prefix: 'TRIGGER, ' }).prefix, 'TRIGGER, ')
  const taken = () => parseCaptionOptions({ jsonSchema }).jsonSchema
  assert.equal(taken(), taken(), 'one object for the same, converted once')
})

test('a form, or prompts, of one caption stand in the place of any that the captioner was loaded with', async () => {
  const [grammar, prompts] = ['root ::= "yes"', { a: 'short' }]
  const loaded = { model: 'demo', gpus: 'none', anyres: 'off', maxTokens: 20, contextPerSequence: 1024, sequences: 1 }
  const asking = async (defaults, options) => {
    const one = await loadCaptioner({ ...loaded, ...defaults })
    try {
      return await one.captionImages([picture], options)
    } finally {
      await one.close()
    }
  }
  requireOf(0, (await asking({ grammar }, { jsonSchema: schemas[0] })).text)
  assert.equal((await asking({ jsonSchema: schemas[0] }, { grammar })).text, 'yes')
  assert.notEqual((await asking({ grammar }, { grammar: undefined })).text, 'yes')
  assert.deepEqual(Object.keys((await asking({ prompt: 'tags' }, { prompts })).captions), ['a'])
  const { text, captions } = await asking({ prompts, grammar }, { prompt: 'short' })
  assert.deepEqual([text, captions], ['yes', undefined])
  const both = { jsonSchema: schemas[0], grammar }
  await assert.rejects(captioner.captionImages([picture], both), usage('either jsonSchema or grammar'))
})

test('a grammar that cannot be is refused before the first row where a loaded captioner gets it for a run', () => {
  assert.throws(() => captioner.rows({ grammar: 'root ::= x' }), usage('there is no rule x'))
})

test('a run writes each property into a column with its type, goes on, and tells another schema', async () => {
  const { csv } = await demoSamples({ clips: 2, images: 2 })
  const table = here('samples.csv')
  fs.writeFileSync(table, `${fs.readFileSync(csv, 'utf8').trimEnd()}\n${here('none.mp4')}\n`)
  const options = {
    model: 'demo',
    gpus: 'none',
    root: path.dirname(csv),
    jsonSchema: schemas[0],
    jsonColumns: true,
    maxTokens: 80
  }
  const rowsOf = (name) => fs.readFileSync(here(name), 'utf8').trimEnd().split('\n').map(JSON.parse)
  await run(table, here('out.jsonl'), options)
  const rows = rowsOf('out.jsonl')
  assert.equal(rows.length, 5)
  for (const { text, shape, colours, caption, count, sure, moving, status } of rows) {
    if (status === 'missing') {
      assert.deepEqual([text, shape, colours, caption, count, sure, moving], Array(7).fill(null))
      continue
    }
    assert.deepEqual({ shape, colours, caption, count, sure, moving }, JSON.parse(text))
  }
  // Columns are made of the journal's texts: no row is captioned again for them.
  const resumed = []
  const { jsonColumns: _, ...plain } = options
  await run(table, here('out.jsonl'), { ...plain, onEvent: (event) => resumed.push(event) })
  assert.ok(!resumed.some(({ type }) => type === 'row'), 'nothing is captioned again')
  assert.ok(!('shape' in rowsOf('out.jsonl')[0]))
  await assert.rejects(run(table, here('out.jsonl'), { ...options, jsonSchema: schemas[1] }), { code: 'run_differs' })
  // Of forms as long as these no more is shown than where they differ.
  const longer = structuredClone(schemas[0])
  longer.properties.moving = { type: 'integer', description: 'x'.repeat(5000) }
  await run(table, here('out.jsonl'), { ...options, restart: true })
  await assert.rejects(run(table, here('out.jsonl'), { ...options, jsonSchema: longer }), ({ message }) => {
    assert.match(
      message,
      /form was ….*"moving\\":\{\\"type\\":\\"boolean\\"\}.* and is ….*"moving\\":\{\\"type\\":\\"integer/
    )
    return message.length < 800
  })
  const clash = { ...options, jsonSchema: { type: 'object', properties: { text: { type: 'string' } } } }
  await assert.rejects(run(table, here('clash.csv'), clash), usage('property text cannot be a column'))
})

test('the command reads both forms from files, and says what is wrong with one', async () => {
  const { csv } = await demoSamples({ clips: 1, images: 1 })
  fs.writeFileSync(here('schema.json'), JSON.stringify(schemas[0]))
  fs.writeFileSync(here('answer.gbnf'), 'root ::= "A " ("red" | "blue") " shape."\n')
  const common = ['run', csv, here('cli.csv'), '--model', 'demo', '--gpus', 'none', '--restart']
  const good = await cli([...common, '--json-schema', here('schema.json'), '--json-columns', '--max-tokens', '60'])
  assert.equal(good.status, 0, good.stderr)
  const [header, first] = fs.readFileSync(here('cli.csv'), 'utf8').split('\n')
  assert.match(header, /flags,shape,colours,caption,count,sure,moving$/)
  assert.match(first, /"\[""/)
  const held = await cli([...common, '--grammar', here('answer.gbnf')])
  assert.equal(held.status, 0, held.stderr)
  assert.match(fs.readFileSync(here('cli.csv'), 'utf8'), /,A (red|blue) shape\.,/)
  fs.writeFileSync(here('bad.json'), '{"type": "object"')
  fs.writeFileSync(here('bad.gbnf'), 'root ::= "a"\nroot ::= (')
  for (const [flags, message] of [
    [['--json-schema', here('bad.json')], /JSON Schema in .*bad\.json is no JSON/],
    [['--json-schema', here('none.json')], /cannot be read/],
    [['--grammar', here('bad.gbnf')], /grammar's line 2 cannot be read: a second rule root/],
    [['--grammar', here('answer.gbnf'), '--json-schema', here('schema.json')], /either jsonSchema or grammar/]
  ]) {
    const { status, stderr } = await cli([...common, ...flags])
    assert.equal(status, 2, stderr)
    assert.match(stderr, message)
  }
})
