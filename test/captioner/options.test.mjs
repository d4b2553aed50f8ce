/** Options: checked once, completed, and refused in one sentence with the value and its type. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  optionField,
  parseBenchOptions,
  parseCaptionOptions,
  parseEmbedOptions,
  parseFrameOptions,
  parseImageCaptionOptions,
  parseLoadOptions,
  parsePlanOptions,
  parseRunOptions,
  pickCaptionOptions,
  pickLoadOptions
} from '../../dist/options/index.js'
import { cli } from '../helpers/cli.mjs'

const usage = (message) => ({ name: 'VcapError', code: 'usage', message })

test('what is left out is filled in', () => {
  assert.deepEqual(parseFrameOptions(undefined), {
    numFrames: 3,
    decodeTimeout: 120,
    decodeMemory: 4,
    allowPartial: false
  })
  assert.deepEqual(parseEmbedOptions({}), { anyres: 'auto' })
  assert.deepEqual(parseImageCaptionOptions({}), {
    anyres: 'auto',
    maxTokens: 300,
    temperature: 0,
    topP: 1,
    ignoreEos: false,
    repetitionStop: true,
    seed: 0
  })
  assert.deepEqual(parsePlanOptions({}), {
    model: 'llava-v1.6-34b',
    rpc: [],
    anyres: 'auto',
    maxTokens: 300,
    contextPerSequence: 0,
    kvType: 'f16',
    chatTemplate: '',
    splitMode: 'layer',
    sizes: ['1280x720', '720x1280', '640x480', '597x336']
  })
  const { model, splitMode, sequences, mmap, threads, decoders } = parseLoadOptions({})
  assert.deepEqual(
    { model, splitMode, sequences, mmap, threads, decoders },
    { model: 'llava-v1.6-34b', splitMode: 'layer', sequences: undefined, mmap: true, threads: 0, decoders: 0 }
  )
})

test('what is given stays as it is, undefined counts as left out', () => {
  const { signal } = new AbortController()
  const parsed = parseCaptionOptions({
    numFrames: 64,
    seed: 0xffffffff,
    prompt: 'tags',
    signal,
    maxTokens: undefined
  })
  assert.equal(parsed.signal, signal)
  assert.deepEqual([parsed.numFrames, parsed.seed, parsed.prompt, parsed.maxTokens], [64, 4294967295, 'tags', 300])
})

for (const [parse, given, message] of [
  [
    parseFrameOptions,
    { numFrames: 0 },
    'Expected integer between 1 and 64 for numFrames but received 0 of type number'
  ],
  [
    parseFrameOptions,
    { numFrames: 65 },
    'Expected integer between 1 and 64 for numFrames but received 65 of type number'
  ],
  [
    parseFrameOptions,
    { numFrames: 2.5 },
    'Expected integer between 1 and 64 for numFrames but received 2.5 of type number'
  ],
  [
    parseFrameOptions,
    { numFrames: '3' },
    'Expected integer between 1 and 64 for numFrames but received "3" of type string'
  ],
  [
    parseFrameOptions,
    { numFrames: null },
    'Expected integer between 1 and 64 for numFrames but received null of type null'
  ],
  [
    parseFrameOptions,
    { numFrames: NaN },
    'Expected integer between 1 and 64 for numFrames but received NaN of type number'
  ],
  [parseFrameOptions, { resize: 0 }, 'Expected integer between 1 and 16384 for resize but received 0 of type number'],
  [parseFrameOptions, { ffmpeg: '' }, 'Expected path of ffmpeg for ffmpeg but received "" of type string'],
  [
    parseFrameOptions,
    { decodeTimeout: 0 },
    'Expected number of seconds above 0 and up to 86400 for decodeTimeout but received 0 of type number'
  ],
  [parseFrameOptions, { signal: {} }, 'Expected AbortSignal for signal but received {} of type object'],
  [
    parseCaptionOptions,
    { anyres: 'some' },
    'Expected one of auto, full, off for anyres but received "some" of type string'
  ],
  [parseCaptionOptions, { topP: 0 }, 'Expected number above 0 and up to 1 for topP but received 0 of type number'],
  [
    parseCaptionOptions,
    { temperature: -1 },
    'Expected number between 0 and 10 for temperature but received -1 of type number'
  ],
  [parseCaptionOptions, { ignoreEos: 'yes' }, 'Expected boolean for ignoreEos but received "yes" of type string'],
  [
    parseCaptionOptions,
    { prompt: ['x'.repeat(100)] },
    `Expected non-empty string for prompt but received ["${'x'.repeat(75)}... of type object`
  ],
  [parseCaptionOptions, { text: 10n }, 'Expected string for text but received 10 of type bigint'],
  [parseLoadOptions, { rpc: ['host'] }, 'Expected list of host:port for rpc but received ["host"] of type object'],
  [parseLoadOptions, { rpc: 'a:1' }, 'Expected list of host:port for rpc but received "a:1" of type string'],
  [parseLoadOptions, { mmap: 'no' }, 'Expected true or false for mmap but received "no" of type string'],
  [parseLoadOptions, { kvType: 'f8' }, 'Expected one of f32, f16, q8_0 for kvType but received "f8" of type string'],
  [parseLoadOptions, { onProgress: 1 }, 'Expected function for onProgress but received 1 of type number'],
  [parseRunOptions, { compat: 'other' }, 'Expected open-sora for compat but received "other" of type string'],
  [parseRunOptions, { onEvent: {} }, 'Expected function for onEvent but received {} of type object'],
  [parseBenchOptions, { clips: 0 }, 'Expected integer between 1 and 1000000 for clips but received 0 of type number'],
  [parseFrameOptions, 7, 'Expected object for options but received 7 of type number'],
  [parseFrameOptions, null, 'Expected object for options but received null of type null'],
  [
    parseFrameOptions,
    { frames: 3 },
    'Expected one of numFrames, fps, resize, ffmpeg, decodeTimeout, decodeMemory, allowPartial, signal as an option ' +
      'but received frames'
  ],
  [
    parseEmbedOptions,
    { a: 1, b: 2 },
    'Expected one of anyres, framePool, framePoolMode, framePoolPlace, frameNewline, signal as an option ' +
      'but received a, b'
  ]
]) {
  test(message, () => {
    assert.throws(() => parse(given), usage(message))
  })
}

test('options of loading are not options of a caption, and the other way round they are', () => {
  assert.throws(() => parseCaptionOptions({ model: 'demo' }), usage(/as an option but received model$/))
  const all = { model: 'demo', numFrames: 5, seed: 3, root: '/x', clips: 4 }
  assert.deepEqual(pickCaptionOptions(all), { numFrames: 5, seed: 3 })
  assert.deepEqual(pickLoadOptions(all), { model: 'demo', numFrames: 5, seed: 3 })
})

for (const [command, option, kind, initial] of [
  ['run', 'model', 'text', 'llava-v1.6-34b'],
  ['run', 'mmproj', 'text', undefined],
  ['run', 'gpus', 'text', undefined],
  ['run', 'rpc', 'list', []],
  ['run', 'splitMode', 'text', 'layer'],
  ['run', 'sequences', 'number', undefined],
  ['run', 'numFrames', 'number', undefined],
  ['run', 'anyres', 'text', 'auto'],
  ['run', 'resize', 'number', undefined],
  ['run', 'prompt', 'text', undefined],
  ['run', 'maxTokens', 'number', 300],
  ['run', 'temperature', 'number', 0],
  ['run', 'topP', 'number', 1],
  ['run', 'seed', 'number', 0],
  ['run', 'chatTemplate', 'text', ''],
  ['run', 'contextPerSequence', 'number', 0],
  ['run', 'kvType', 'text', 'f16'],
  ['run', 'mmap', 'flag', true],
  ['run', 'threads', 'number', 0],
  ['run', 'decoders', 'number', 0],
  ['run', 'decodeTimeout', 'number', 120],
  ['run', 'decodeMemory', 'number', 4],
  ['run', 'ffmpeg', 'text', undefined],
  ['run', 'root', 'text', undefined],
  ['run', 'compat', 'text', undefined],
  ['bench', 'clips', 'number', undefined],
  ['bench', 'root', 'text', undefined],
  ['bench', 'model', 'text', 'llava-v1.6-34b'],
  ['plan', 'rpc', 'list', []],
  ['plan', 'maxTokens', 'number', 300],
  ['plan', 'kvType', 'text', 'f16'],
  ['demo', 'out', 'text', 'demo-out'],
  ['demo', 'seed', 'number', 1]
]) {
  test(`flag of ${command}: ${option}`, () => {
    const field = optionField(command, option)
    assert.deepEqual({ kind: field.kind, initial: field.initial }, { kind, initial })
  })
}

test('a command has no flags of options it does not take', () => {
  for (const [command, option] of [
    ['run', 'clips'],
    ['run', 'out'],
    ['bench', 'compat'],
    ['plan', 'seed'],
    ['plan', 'resize'],
    ['demo', 'model'],
    ['run', 'nonsense']
  ]) {
    assert.equal(optionField(command, option), undefined, `${command} ${option}`)
  }
})

test("a flag's value is checked as the option is", () => {
  const { check } = optionField('demo', 'seed')
  assert.equal(check(7), 7)
  assert.throws(
    () => check('abc'),
    usage('Expected integer between 0 and 4294967295 but received "abc" of type string')
  )
  assert.throws(() => check(-1), usage('Expected integer between 0 and 4294967295 but received -1 of type number'))
  assert.throws(() => optionField('run', 'rpc').check(['x']), usage(/^Expected list of host:port but received /))
})

test('the command: a seed that is no number ends it with 2 before it draws anything', async () => {
  for (const seed of ['abc', '1.5', '-1', '', '4294967296']) {
    const { status, stderr, stdout } = await cli(['demo', '--seed', seed, '--out', '/no/such/folder'])
    assert.equal(status, 2, `${seed}: ${stderr}`)
    assert.match(stderr, /--seed.*Expected integer between 0 and 4294967295 but received /)
    assert.equal(stdout, '')
  }
})

test('whoever goes beyond a bound is told the bound', () => {
  for (const [command, option] of [
    ['run', 'contextPerSequence'],
    ['run', 'maxTokens'],
    ['run', 'resize'],
    ['run', 'sequences'],
    ['run', 'numFrames'],
    ['run', 'threads'],
    ['run', 'decoders'],
    ['run', 'decodeTimeout'],
    ['run', 'decodeMemory'],
    ['run', 'seed'],
    ['run', 'temperature'],
    ['run', 'topP'],
    ['bench', 'clips'],
    ['demo', 'seed']
  ]) {
    const { check } = optionField(command, option)
    let bound
    try {
      check(2 ** 40)
    } catch (error) {
      bound = Number(/(?:and|up to) (\d+) but received/.exec(error.message)?.[1])
    }
    assert.doesNotThrow(() => check(bound), `${command} ${option}: ${bound}`)
    assert.throws(() => check(bound + 1), { code: 'usage' }, `${command} ${option}: ${bound}`)
  }
})
