/** Options and flags of any value: what is no option is refused in one line of usage, and nothing else happens. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CommanderError } from 'commander'
import fc from 'fast-check'
import { benchCommand } from '../../dist/cli/bench.js'
import { demoCommand } from '../../dist/cli/demo.js'
import { diffCommand } from '../../dist/cli/diff.js'
import { toOptions } from '../../dist/cli/flags.js'
import { joinCommand } from '../../dist/cli/join.js'
import { mergeCommand } from '../../dist/cli/merge.js'
import { planCommand } from '../../dist/cli/plan.js'
import { runCommand } from '../../dist/cli/run.js'
import { splitCommand } from '../../dist/cli/split.js'
import { VcapError } from '../../dist/errors.js'
import * as options from '../../dist/options/index.js'

const parsers = Object.entries(options).filter(([name]) => /^parse.*Options$/.test(name))
const commands = {
  run: runCommand,
  bench: benchCommand,
  plan: planCommand,
  demo: demoCommand,
  merge: mergeCommand,
  diff: diffCommand,
  join: joinCommand,
  split: splitCommand
}
/** What a command line has to have beside its flags. */
const needed = {
  run: ['in.csv', 'out.csv'],
  merge: ['a.csv', 'b.csv'],
  diff: ['a.csv', 'b.csv'],
  join: ['a.csv', 'b.csv', '-o', 'c.csv'],
  split: ['a.csv', '-o', 'b.csv']
}

/** The options that a parser takes, as it says itself. */
function namesOf(parse) {
  try {
    parse({ 'no such option': 1 })
  } catch ({ message }) {
    return /^Expected one of (.*) as an option/.exec(message)[1].split(', ')
  }
  return assert.fail('it takes anything')
}

const throwing = () => {
  throw new Error('first\nsecond')
}
const circular = {}
circular.self = circular

/** Values of every type, and objects that resist being shown. */
const value = fc.oneof(
  fc.anything({
    withBigInt: true,
    withBoxedValues: true,
    withDate: true,
    withMap: true,
    withNullPrototype: true,
    withObjectString: true,
    withSet: true,
    withSparseArray: true,
    withTypedArray: true
  }),
  fc.integer(),
  fc.double(),
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.array(fc.oneof(fc.string(), fc.webAuthority())),
  fc.constantFrom(
    Symbol('a\nb'),
    throwing,
    circular,
    { toJSON: throwing },
    { toJSON: () => undefined },
    { toString: throwing, [Symbol.toPrimitive]: throwing },
    new Proxy({}, { get: throwing, ownKeys: throwing }),
    new AbortController().signal,
    'a\r\nb',
    '5%',
    'auto',
    'demo'
  )
)

/** Throws where `work` throws anything but an error of usage in one line. */
function mayRefuse(work) {
  try {
    return work()
  } catch (error) {
    assert.ok(error instanceof VcapError, String(error?.stack))
    assert.equal(error.code, 'usage')
    assert.match(error.message, /^[^\r\n]{10,}$/)
    return undefined
  }
}

const runs = { numRuns: Number(process.env.VCAP_FUZZ_RUNS ?? 400) }

for (const [name, parse] of parsers) {
  test(`${name}: any value of any option, and anything in place of options`, () => {
    const names = namesOf(parse)
    const key = fc.oneof({ weight: 20, arbitrary: fc.constantFrom(...names) }, fc.string({ unit: 'binary' }))
    const one = fc.tuple(key, value).map(([option, given]) => ({ [option]: given }))
    const several = fc.dictionary(key, value, { maxKeys: 4 })
    const unreadable = fc
      .constantFrom(...names)
      .map((option) => Object.defineProperty({}, option, { get: throwing, enumerable: true }))
    fc.assert(
      fc.property(fc.oneof({ weight: 4, arbitrary: one }, several, unreadable, value), (given) => {
        const parsed = mayRefuse(() => parse(given))
        if (parsed !== undefined)
          assert.deepEqual(
            Object.keys(parsed).filter((option) => !names.includes(option)),
            []
          )
      }),
      runs
    )
  })
}

/** Texts as people type them, and as nobody does. */
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.integer().map(String),
  fc.double().map(String),
  fc.constantFrom(
    '',
    '-',
    '--',
    '0',
    '1',
    '-1',
    '1e3',
    '0x10',
    ' 3 ',
    '5%',
    'auto',
    'full',
    'f16',
    'demo',
    'all',
    'a:1,b:2',
    '1_0',
    '\u0661'
  )
)

for (const [name, make] of Object.entries(commands)) {
  test(`flags of ${name}: what is taken is an option of the library, and the rest is refused`, () => {
    const flags = make().options.map(({ long }) => long)
    const part = fc.oneof(
      fc.tuple(fc.constantFrom(...flags), text).map(([flag, given]) => [`${flag}=${given}`]),
      fc.tuple(fc.constantFrom(...flags), text),
      text.map((given) => [given])
    )
    fc.assert(
      fc.property(fc.array(part, { maxLength: 4 }), (parts) => {
        let taken
        const said = []
        const write = (line) => said.push(line)
        const command = make().exitOverride().configureOutput({ writeErr: write, writeOut: write })
        command.action((...given) => (taken = given.at(-2)))
        try {
          command.parse([...(needed[name] ?? []), ...parts.flat()], { from: 'user' })
        } catch (error) {
          assert.ok(error instanceof CommanderError, String(error?.stack))
          assert.ok(said.join('').length > 0)
          return
        }
        const { [`parse${name[0].toUpperCase()}${name.slice(1)}Options`]: parse } = Object.fromEntries(parsers)
        // Prompts may lack a name, and flags that are right by themselves may not go together.
        const options = mayRefuse(() => toOptions(taken, name))
        if (!parse || !options) return
        if (parts.length === 1) parse(options)
        else mayRefuse(() => parse(options))
      }),
      runs
    )
  })
}
