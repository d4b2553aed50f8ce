/** JSON Schemas as grammars: what is taken, what is refused, and where. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fieldsOf, fieldValues } from '../../dist/form/columns.js'
import { schemaGrammar } from '../../dist/form/json-schema.js'
import { numbers, wholeNumbers } from '../../dist/form/numbers.js'
import { loadAddon } from '../../dist/native/load.js'
import { parseImageCaptionOptions } from '../../dist/options/index.js'
import { schemas } from '../helpers/json-answers.mjs'

const usage = (message) => (error) => error.code === 'usage' && error.message.includes(message)

/** An expression without rules as a regular expression: the two write it nearly alike. */
const matcher = (expression) => new RegExp(`^(${expression.replaceAll('"."', '\\.').replace(/[ "]/g, '')})$`)

test('every schema that is taken becomes a grammar that the addon reads', () => {
  for (const schema of schemas) loadAddon().checkGrammar(schemaGrammar(schema))
  const leaf = fc.oneof(
    fc.constant({ type: 'boolean' }),
    fc.record({ type: fc.constant('string'), maxLength: fc.nat(40) }),
    fc.record({ enum: fc.uniqueArray(fc.jsonValue({ maxDepth: 1 }), { minLength: 1, maxLength: 4 }) }),
    fc.tuple(fc.integer(), fc.nat()).map(([minimum, more]) => ({ type: 'integer', minimum, maximum: minimum + more }))
  )
  const { schema } = fc.letrec((tie) => ({
    schema: fc.oneof({ maxDepth: 3 }, leaf, tie('object'), tie('array'), tie('any')),
    object: fc
      .tuple(fc.dictionary(fc.string(), tie('schema'), { maxKeys: 4 }), fc.array(fc.nat(3)))
      .map(([properties, chosen]) => ({
        type: 'object',
        properties,
        required: [...new Set(chosen.flatMap((i) => Object.keys(properties)[i] ?? []))]
      })),
    array: fc.record({ type: fc.constant('array'), items: tie('schema'), maxItems: fc.nat(5) }),
    any: fc.record({ anyOf: fc.array(tie('schema'), { minLength: 1, maxLength: 3 }) })
  }))
  fc.assert(
    fc.property(schema, (one) => loadAddon().checkGrammar(schemaGrammar(one))),
    { numRuns: 200 }
  )
})

test('numbers between limits are those and no others', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -2000, max: 2000 }),
      fc.nat(3000),
      fc.integer({ min: -9000, max: 9000 }),
      (least, more, tried) => {
        const within = tried >= least && tried <= least + more
        assert.equal(
          matcher(wholeNumbers(least, least + more)).test(String(tried)),
          within,
          `${tried} of ${least}, ${more}`
        )
        const broken = tried / 100
        const isWithin = broken >= least && broken <= least + more
        assert.equal(
          matcher(numbers(least, least + more)).test(String(broken)),
          isWithin,
          `${broken} of ${least}, ${more}`
        )
      }
    ),
    { numRuns: 2000 }
  )
  for (const [expression, yes, no] of [
    [wholeNumbers(), ['0', '-1', '999999999999999'], ['-0', '01', '1000000000000000', '1.0', '']],
    [wholeNumbers(100, 234), ['100', '234', '199'], ['99', '235', '0100']],
    [numbers(0, 1), ['0', '0.25', '1'], ['1.1', '-0.5', '00.1', '.5', '0.']],
    [numbers(), ['3.25', '-12'], ['1e5', '+1']]
  ]) {
    for (const text of yes) assert.match(text, matcher(expression))
    for (const text of no) assert.doesNotMatch(text, matcher(expression))
  }
})

test('what no grammar is made of is refused in a sentence that names the place', () => {
  const of = (property) => ({ type: 'object', properties: { a: property } })
  const deep = (levels) => (levels === 0 ? { type: 'null' } : { type: 'array', items: deep(levels - 1) })
  for (const [schema, message] of [
    [{}, 'The JSON Schema has no type'],
    [of({ type: 'string', pattern: '^a' }), '/properties/a has pattern, of which no grammar is made'],
    [of({ type: 'string', format: 'date' }), '/properties/a has format'],
    [of({ type: 'string', minimum: 1 }), '/properties/a has minimum'],
    [of({ type: 'text' }), '/properties/a/type is none of object'],
    [of({ type: 'array' }), '/properties/a has no items'],
    [of({ type: 'array', items: { type: 'null' }, uniqueItems: true }), 'uniqueItems'],
    [of({ type: 'number', minimum: 0.5 }), 'no whole number'],
    [of({ type: 'number', exclusiveMinimum: 0 }), 'exclusiveMinimum'],
    [of({ type: 'integer', minimum: 3, maximum: 2 }), 'above its maximum'],
    [of({ type: 'integer', minimum: 1.2, maximum: 1.8 }), 'no whole number'],
    [of({ type: 'string', maxLength: 1e6 }), 'more than 10000'],
    [of({ type: 'string', maxLength: '5' }), '/properties/a/maxLength is no number'],
    [of({ enum: [] }), '/properties/a/enum is empty'],
    [of({ enum: ['x', 1], type: 'string' }), '/properties/a/enum/1 is of none of the types string'],
    [of({ const: 1, type: 'integer', maximum: 3 }), 'beside const'],
    [of({ $ref: '#/$defs/none' }), '/properties/a/$ref names #/$defs/none'],
    [of({ $ref: 'http://x/y' }), 'is no place in this schema'],
    [of({ $ref: '#' }), 'leads back to itself'],
    [of({ anyOf: [], type: 'string' }), 'beside anyOf'],
    [of({ anyOf: [] }), '/anyOf is no list'],
    [of({ oneOf: [{ type: 'integer' }, { type: 'number' }] }), '/properties/a/oneOf/1 may have values that 0 has'],
    [of({ not: { type: 'null' } }), '/properties/a has not'],
    [of(true), '/properties/a is no schema'],
    [{ type: 'object', additionalProperties: { type: 'null' } }, '/additionalProperties is a schema'],
    [{ type: 'object', properties: {}, required: ['b'] }, '/required names "b"'],
    [{ type: 'object', properties: { 'a/b~c': { type: 'x' } } }, '/properties/a~1b~0c/type'],
    [{ type: 'object', patternProperties: {} }, 'has patternProperties'],
    [deep(80), 'deeper than 50 levels']
  ]) {
    assert.throws(() => schemaGrammar(schema), usage(message), `${JSON.stringify(schema)}: ${message}`)
  }
})

test('columns are the properties, each with the kind of all its values', () => {
  const fields = fieldsOf({
    $ref: '#/$defs/whole',
    $defs: {
      whole: {
        type: 'object',
        properties: {
          a: { type: ['string', 'null'] },
          b: { enum: [1, 2, null] },
          c: { anyOf: [{ type: 'number' }, { type: 'integer' }] },
          d: { $ref: '#/$defs/yes' },
          e: { type: 'array', items: { type: 'string' } },
          f: { enum: ['x', 1] }
        }
      },
      yes: { type: 'boolean' }
    }
  })
  assert.deepEqual(
    fields.map(({ name, kind }) => `${name} ${kind}`),
    ['a text', 'b integer', 'c number', 'd boolean', 'e json', 'f json']
  )
  const none = undefined
  assert.deepEqual(fieldValues(fields, '{"a": null, "b": 1, "e": ["x"]}'), [null, 1, none, none, ['x'], none])
  for (const text of ['', 'a cat', '{"a": ', '3', 'null']) {
    assert.deepEqual(fieldValues(fields, text), Array(6).fill(none), text)
  }
  assert.throws(() => fieldsOf({ type: 'array', items: { type: 'null' } }), usage('names none'))
})

test('a schema is taken as it would stand in a file, as it is when it is given', () => {
  const schemaOf = (jsonSchema) => parseImageCaptionOptions({ jsonSchema }).jsonSchema
  const given = { type: 'object', properties: { a: { type: 'string' }, b: undefined }, required: ['a'] }
  const taken = schemaOf(given)
  assert.deepEqual(taken, { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] })
  assert.equal(schemaOf(given), taken)
  given.properties.a.maxLength = 5
  assert.equal(taken.properties.a.maxLength, undefined)
  assert.equal(schemaOf(given).properties.a.maxLength, 5)
})

test('an object that is no JSON is refused as a schema', () => {
  const throwing = () => {
    throw new Error('mine')
  }
  const circular = { type: 'object' }
  circular.properties = { again: circular }
  const hostile = [
    circular,
    { const: 1n },
    { type: 'object', properties: new Proxy({}, { get: throwing, ownKeys: throwing }) },
    new Proxy({}, { get: throwing, ownKeys: throwing }),
    { toJSON: throwing }
  ]
  for (const jsonSchema of hostile) {
    assert.throws(() => parseImageCaptionOptions({ jsonSchema }), usage('cannot be written as JSON'))
  }
  for (const toJSON of [() => undefined, () => 'text', () => [1]]) {
    assert.throws(() => parseImageCaptionOptions({ jsonSchema: { toJSON } }), usage('becomes no object'))
  }
})
