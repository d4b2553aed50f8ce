/** A form and several prompts: each answer is of the form, whoever captions, and whatever ends the run. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { exportCaptions, loadCaptioner, mergeTables, run } from '../../dist/index.js'
import { cli } from '../helpers/cli.mjs'
import { requireOf, schemas } from '../helpers/json-answers.mjs'
import { nullCaptioner } from '../helpers/null-captioner.mjs'
import { realServer } from '../helpers/rpc.mjs'
import { demoSamples } from '../helpers/samples.mjs'

const { folder, samples, paths } = await demoSamples({ clips: 6, images: 2 })
const at = (name) => path.join(folder, name)
/** A table of as many rows, of which many have one file. */
function table(name, rows) {
  const names = Array.from({ length: rows }, (_, i) => samples[i % samples.length].path)
  fs.writeFileSync(at(name), `path\n${names.join('\n')}\n`)
  return at(name)
}
const rows = 16
const input = table('in.csv', rows)
const [jsonSchema] = schemas
fs.writeFileSync(at('schema.json'), JSON.stringify(jsonSchema))
const prompts = { a: 'Answer in JSON: what is shown?', b: 'Answer in JSON: which shape is it?' }
const properties = Object.keys(jsonSchema.properties)
/** Twelve tokens at most: most answers are cut and completed. */
const options = {
  ...{ model: 'demo', gpus: 'none', sequences: 2, contextPerSequence: 1024, kvType: 'f32', anyres: 'off' },
  ...{ numFrames: 1, maxTokens: 12, prompts, jsonSchema, jsonColumns: true }
}
const command = (output, from = input) => [
  ...['run', from, at(output), '--model', 'demo', '--gpus', 'none', '--bs', '2', '--ctx', '1024'],
  ...['--kv-type', 'f32', '--anyres', 'off', '--num-frames', '1', '--max-tokens', '12'],
  ...Object.entries(prompts).flatMap(([name, question]) => ['--prompt', `${name}=${question}`]),
  ...['--json-schema', at('schema.json'), '--json-columns']
]
const usage = (message) => ({ name: 'VcapError', code: 'usage', message })
const textOf = (name) => fs.readFileSync(at(name), 'utf8')
const rowsOf = (name) => textOf(name).trimEnd().split('\n').map(JSON.parse)
const firstOf = (texts) => texts.map((text) => JSON.parse(text)[properties[0]])

await run(input, at('expected.jsonl'), options)
const expected = textOf('expected.jsonl')

test('every answer is of the form, and is that of its question alone; one that is too long fails alone', async () => {
  const { jsonColumns: _, prompts: __, ...loading } = options
  const captioner = await loadCaptioner(loading)
  try {
    for (const maxTokens of [12, 200]) {
      const { captions, status } = await captioner.caption(paths[0], { prompts, maxTokens })
      for (const [name, prompt] of Object.entries(prompts)) {
        const { error, timings, ...answer } = captions[name]
        const { timings: _, length: __, ...alone } = await captioner.caption(paths[0], { prompt, maxTokens })
        assert.equal(error, null)
        assert.deepEqual(answer, alone)
        requireOf(0, answer.text)
      }
      assert.equal(status, maxTokens === 12 ? 'truncated' : 'ok')
    }
    const { captions } = await captioner.caption(paths[0], { prompts: { ...prompts, long: 'word '.repeat(3000) } })
    assert.equal(captions.long.status, 'context_overflow')
    requireOf(0, captions.b.text)
  } finally {
    await captioner.close()
  }
})

test('each property has a column for each prompt, behind all others, with its type', () => {
  const [first] = rowsOf('expected.jsonl')
  const columns = ['a', 'b'].flatMap((name) => properties.map((property) => `${name}_${property}`))
  assert.deepEqual(Object.keys(first), [
    ...['path', 'a', 'b', 'num_frames', 'status', 'error', 'flags', 'a_status', 'a_flags', 'b_status', 'b_flags'],
    ...columns
  ])
  for (const row of rowsOf('expected.jsonl')) {
    for (const name of ['a', 'b']) {
      requireOf(0, row[name])
      const values = Object.fromEntries(properties.map((property) => [property, row[`${name}_${property}`]]))
      assert.deepEqual(values, JSON.parse(row[name]))
    }
  }
})

test('Parquet has the same columns, with the same values', async () => {
  await run(input, at('typed.parquet'), options)
  await mergeTables([at('typed.parquet')], at('untyped.jsonl'))
  assert.deepEqual(rowsOf('untyped.jsonl'), rowsOf('expected.jsonl'))
})

test('a caption that has none, of a row that has others, has nothing in its columns', async () => {
  const answer = (text) => ({ status: 'ok', text, error: null, usage: null })
  const failed = { status: 'context_overflow', text: '', error: 'too long', usage: null }
  const about = { status: 'ok', text: '', numFrames: 1, error: null, usage: null }
  const made = [
    { ...about, captions: { a: answer('{"x": 1}'), b: failed } },
    { ...about, status: 'missing', error: 'no such file' },
    { ...about, captions: { a: answer('no JSON'), b: answer('{"x": 2}') } }
  ]
  const captioner = nullCaptioner(1)
  captioner.info.captions = ['a', 'b']
  let asked = 0
  captioner.captionRow = async () => made[asked++]
  fs.writeFileSync(at('three.csv'), 'path\n1.mp4\n2.mp4\n3.mp4\n')
  const one = { type: 'object', properties: { x: { type: 'integer' } } }
  await run(at('three.csv'), at('three.jsonl'), { captioner, jsonSchema: one, jsonColumns: true })
  const columns = rowsOf('three.jsonl').map(({ a_x, b_x }) => [a_x, b_x])
  assert.deepEqual(columns, [
    [1, null],
    [null, null],
    [null, 2]
  ])
})

test('the columns come and go without a caption made again; another form is another run', async () => {
  await run(input, at('columns.jsonl'), options)
  const events = []
  await run(input, at('columns.jsonl'), { ...options, jsonColumns: false, onEvent: (event) => events.push(event) })
  assert.ok(!events.some(({ type }) => type === 'row'))
  assert.deepEqual(Object.keys(rowsOf('columns.jsonl')[0]).at(-1), 'b_flags')
  await run(input, at('columns.jsonl'), options)
  assert.equal(textOf('columns.jsonl'), expected)
  const other = { ...options, jsonSchema: schemas[1] }
  await assert.rejects(run(input, at('columns.jsonl'), other), { code: 'run_differs', message: /: form was …?"/ })
  assert.equal(textOf('columns.jsonl'), expected)
})

test('the command by one model and by replicas writes the same to the byte', async () => {
  for (const more of [[], ['--dp-size', '2']]) {
    const { status, stderr } = await cli([...command('command.jsonl'), '--restart', ...more])
    assert.equal(status, 0, stderr)
    assert.equal(textOf('command.jsonl'), expected)
  }
})

test('devices of RPC servers: two that hold one model, and a replica on each', async (t) => {
  const servers = await Promise.all([realServer(), realServer()])
  t.after(() => Promise.all(servers.map(({ kill }) => kill())))
  const rpc = ['--rpc', servers.map(({ endpoint }) => endpoint).join(',')]
  for (const more of [
    ['--tp-size', '2'],
    ['--dp-size', '2']
  ]) {
    const { status, stderr } = await cli([...command('rpc.jsonl'), '--restart', ...rpc, ...more])
    assert.equal(status, 0, stderr)
    assert.equal(textOf('rpc.jsonl'), expected)
  }
})

const many = table('many.csv', 5 * rows)
for (const [how, signal, more] of [
  ['SIGKILL of a run', 'SIGKILL', []],
  ['Ctrl-C of a run with replicas', 'SIGINT', ['--dp-size', '2']]
]) {
  test(`${how}: the same command goes on to the same output`, async () => {
    const output = `stopped-${signal}.jsonl`
    const asked = [...command(output, many), '--json', ...more]
    let hit = false
    const onStderr = (text, child) => {
      if (hit || !text.includes('"type":"row"')) return
      hit = true
      child.kill(signal)
    }
    const first = await cli(asked, { onStderr })
    assert.ok(hit && !fs.existsSync(at(output)), first.stderr)
    const second = await cli(asked)
    assert.equal(second.status, 0, second.stderr)
    const events = second.stderr.split('\n').filter(Boolean).map(JSON.parse)
    const { rows: done } = events.find(({ type }) => type === 'resumed')
    assert.ok(done > 0 && done < 5 * rows, `${done} rows were done`)
    if (!fs.existsSync(at('undisturbed.jsonl'))) await run(many, at('undisturbed.jsonl'), options)
    assert.equal(textOf(output), textOf('undisturbed.jsonl'))
  })
}

test('flagged answers are asked for once more, and the second ones are of the form as well', async () => {
  const { retried, flags } = await run(input, at('again.jsonl'), { ...options, retryFlagged: ['cut'] })
  assert.equal(retried, rows)
  assert.ok(flags.cut > 0)
  for (const row of rowsOf('again.jsonl')) for (const name of ['a', 'b']) requireOf(0, row[name])
})

test('what failed is tried again, and has its columns then', async () => {
  fs.writeFileSync(at('later.csv'), `path\n${samples[0].path}\nlater.png\n`)
  const { failed } = await run(at('later.csv'), at('later.jsonl'), options)
  assert.equal(failed, 1)
  assert.equal(rowsOf('later.jsonl')[1].a_shape, null)
  fs.copyFileSync(paths.at(-1), at('later.png'))
  await run(at('later.csv'), at('later.jsonl'), { ...options, retryFailed: ['missing'] })
  const [first, second] = rowsOf('later.jsonl')
  assert.deepEqual([second.a_shape, second.b_shape], firstOf([second.a, second.b]))
  assert.equal(first.a, rowsOf('expected.jsonl')[0].a)
})

test('sidecars and exports have the JSON of one prompt, and shards are merged to what one run writes', async () => {
  await run(input, at('sidecars.jsonl'), { ...options, sidecar: true, sidecarExt: '.json' })
  assert.equal(textOf('sidecars.jsonl'), expected)
  const [row] = rowsOf('expected.jsonl')
  for (const name of ['a', 'b']) {
    const file = samples[0].path.replace(/\.\w+$/, `.${name}.json`)
    assert.equal(textOf(file), row[name])
  }
  const { files } = await exportCaptions(at('sidecars.jsonl'), { for: 'ltx', out: at('set.jsonl'), caption: 'b' })
  assert.equal(files.length, 1)
  const exported = rowsOf('set.jsonl').map(({ caption }) => caption)
  assert.deepEqual(
    exported,
    rowsOf('expected.jsonl').map(({ b }) => b)
  )
  for (const index of [0, 1]) await run(input, at('part-{shard}.jsonl'), { ...options, shard: `${index}/2` })
  const parts = fs.readdirSync(folder).filter((name) => /^part-.*\.jsonl$/.test(name))
  await mergeTables(parts.map(at), at('merged.jsonl'))
  assert.equal(textOf('merged.jsonl'), expected)
})

test('columns that would have one name are refused before any work', async () => {
  const object = (...names) => ({
    type: 'object',
    properties: Object.fromEntries(names.map((name) => [name, { type: 'boolean' }]))
  })
  for (const [names, schema, message] of [
    [
      ['a', 'b'],
      object('x', 'status'),
      /property status of a cannot be a column, .* named a_status: rename it in the schema, or the prompt$/
    ],
    [['num', 'b'], object('frames'), /property frames of num cannot be a column, .* named num_frames/],
    [['a', 'a_b'], object('b_c', 'c'), /property b_c of a cannot be a column, .* named a_b_c/],
    [['a', 'a_b'], object('b'), /property b of a cannot be a column, .* named a_b:/]
  ]) {
    const asked = Object.fromEntries(names.map((name) => [name, 'short']))
    const told = []
    const clash = { ...options, prompts: asked, jsonSchema: schema, onEvent: ({ type }) => told.push(type) }
    await assert.rejects(run(input, at('clash.csv'), clash), usage(message))
    assert.deepEqual(told, ['begun', 'stopped'])
    assert.ok(!fs.existsSync(at('clash.csv.vcap')))
  }
  const alike = { ...options, prompts: { short: 'short' }, jsonSchema: object('shape', 'text', 'path') }
  await run(at('three.csv'), at('alike.jsonl'), alike)
  assert.deepEqual(Object.keys(rowsOf('alike.jsonl')[0]).slice(-3), ['short_shape', 'short_text', 'short_path'])
})

test('an API takes one question, with a form as well', async () => {
  const { status, stderr } = await cli([
    ...['gpt4', input, at('api.csv'), '--json-schema', at('schema.json'), '--json-columns'],
    ...['--prompt', 'a=short', '--prompt', 'b=tags']
  ])
  assert.equal(status, 2)
  assert.match(stderr, /gpt4 takes one question/)
  await assert.rejects(run(input, at('api.csv'), { prompts, jsonSchema, api: {} }), usage(/one question a row/))
  assert.ok(!fs.existsSync(at('api.csv.vcap')))
})
