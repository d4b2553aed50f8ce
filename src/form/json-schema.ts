import { VcapError } from '../errors'
import { numbers, wholeNumbers } from './numbers'
import { decodePointer, encodePointer, partOf } from './pointer'

/** Characters of a string and items of an array whose schema sets no limit: without one an answer need not end. */
const defaultLength = 500
const defaultItems = 20
/** What a schema may ask for at most. */
const mostLength = 10_000
const mostItems = 1000
const mostDepth = 50

export type JsonSchema = Record<string, unknown>

/** Says something to people, or to those who refer to it. */
const annotations = new Set(
  (
    '$schema $id $anchor $comment $defs definitions ' +
    'title description default examples deprecated readOnly writeOnly'
  ).split(' ')
)

const types = ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null'] as const
type Type = (typeof types)[number]

/** What a type's schema may say, besides annotations, `type`, `enum` and `const`. */
const keywords: Record<Type, string[]> = {
  object: ['properties', 'required', 'additionalProperties'],
  array: ['items', 'minItems', 'maxItems'],
  string: ['minLength', 'maxLength'],
  number: ['minimum', 'maximum'],
  integer: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'],
  boolean: [],
  null: []
}

/**
 * A grammar in GBNF whose texts are JSON of a schema: on one line, a blank behind each colon and comma, an object's
 * properties in the schema's order and no others, strings and arrays never without a bound. Throws `usage` for whatever
 * the schema says that no grammar is made of here, naming the place.
 */
export function schemaGrammar(schema: JsonSchema): string {
  return new Converter(schema).convert()
}

class Converter {
  /** Rules by name. */
  readonly #rules = new Map<string, string>()
  /** Names by rules. */
  readonly #names = new Map<string, string>()
  #named = 0
  /** Rules of what is referred to, by place. */
  readonly #references = new Map<string, string>()
  /** Places that are being converted: one that leads to itself has no end. */
  readonly #open = new Set<string>()

  constructor(private readonly root: JsonSchema) {}

  convert(): string {
    const whole = this.#value(this.root, '', 0)
    const rules = [...this.#rules].map(([name, body]) => `${name} ::= ${body}\n`)
    return `root ::= ${whole}\n${rules.join('')}`
  }

  #value(schema: unknown, at: string, depth: number): string {
    if (!isObject(schema)) refuse(at, 'is no schema: expected an object')
    if (depth > mostDepth) refuse(at, `lies deeper than ${mostDepth} levels`)
    const said = Object.keys(schema).filter((key) => !annotations.has(key))
    for (const key of ['$ref', 'allOf', 'anyOf', 'oneOf']) {
      if (!said.includes(key)) continue
      const beside = said.find((other) => other !== key)
      if (beside !== undefined) refuse(at, `has ${beside} beside ${key}: move it into what ${key} names`)
      return this.#combined(key, schema[key], at, depth)
    }
    const ofType = typesOf(schema, at)
    const known = ['type', 'enum', 'const', ...ofType.flatMap((type) => keywords[type])]
    const unknown = said.find((key) => !known.includes(key))
    if (unknown !== undefined) refuse(at, `has ${unknown}, of which no grammar is made: leave it out`)
    if ('const' in schema || 'enum' in schema) return this.#listed(schema, ofType, said, at)
    if (ofType.length === 0) refuse(at, 'has no type: say which it is, or give enum, const or anyOf')
    return alternatives(ofType.map((type) => this.#ofType(type, schema, at, depth)))
  }

  #combined(key: string, given: unknown, at: string, depth: number): string {
    if (key === '$ref') return this.#reference(given, `${at}/$ref`, depth)
    if (!Array.isArray(given) || given.length === 0) refuse(`${at}/${key}`, 'is no list of schemas')
    if (key === 'allOf' && given.length > 1) refuse(`${at}/allOf`, 'has several schemas: write them as one')
    if (key === 'oneOf') {
      for (const [i, one] of given.entries()) {
        const other = given.slice(0, i).findIndex((before) => !this.#areDistinct(before, one))
        if (other >= 0) refuse(`${at}/oneOf/${i}`, `may have values that ${other} has as well: use anyOf`)
      }
    }
    return alternatives(given.map((one, i) => this.#value(one, `${at}/${key}/${i}`, depth + 1)))
  }

  #reference(ref: unknown, at: string, depth: number): string {
    const target = this.#find(ref, at)
    const place = ref as string
    const known = this.#references.get(place)
    if (known !== undefined) return known
    if (this.#open.has(place)) refuse(at, `leads back to itself (${place}): write out how deep it may go`)
    this.#open.add(place)
    const name = `ref-${this.#named++}`
    this.#rules.set(name, this.#value(target, place.slice(1), depth + 1))
    this.#open.delete(place)
    this.#references.set(place, name)
    return name
  }

  #find(ref: unknown, at: string): unknown {
    if (typeof ref !== 'string' || !/^#(\/|$)/.test(ref)) refuse(at, 'is no place in this schema, such as #/$defs/name')
    const found = partOf(this.root, ref)
    if (found === undefined) refuse(at, `names ${ref}, which is not there`)
    return found
  }

  #listed(schema: JsonSchema, ofType: Type[], said: string[], at: string): string {
    const key = 'const' in schema ? 'const' : 'enum'
    const beside = said.find((other) => other !== key && other !== 'type')
    if (beside !== undefined) refuse(at, `has ${beside} beside ${key}, which says it all: leave it out`)
    const values = key === 'const' ? [schema.const] : schema.enum
    if (!Array.isArray(values)) refuse(`${at}/enum`, 'is no list of values')
    if (values.length === 0) refuse(`${at}/enum`, 'is empty, and no answer would do: name the values, or leave it out')
    for (const [i, value] of values.entries()) {
      const fits = ofType.length === 0 || ofType.some((type) => isOfType(value, type))
      if (!fits) refuse(key === 'enum' ? `${at}/enum/${i}` : `${at}/const`, `is of none of the types ${ofType.join()}`)
    }
    return alternatives([...new Set(values.map((value) => literal(written(value))))])
  }

  #ofType(type: Type, schema: JsonSchema, at: string, depth: number): string {
    switch (type) {
      case 'object':
        return this.#object(schema, at, depth)
      case 'array':
        return this.#array(schema, at, depth)
      case 'string':
        return this.#string(schema, at)
      case 'number':
        return this.#number(schema, at)
      case 'integer':
        return this.#integer(schema, at)
      case 'boolean':
        return '("true" | "false")'
      case 'null':
        return '"null"'
    }
  }

  /** Each optional property may be left out: a comma stands only between two that are there. */
  #object(schema: JsonSchema, at: string, depth: number): string {
    const { properties = {}, required = [], additionalProperties } = schema
    if (!isObject(properties)) refuse(`${at}/properties`, 'is no object of schemas')
    if (isObject(additionalProperties)) {
      refuse(`${at}/additionalProperties`, 'is a schema: an answer has the properties that are named, and no others')
    }
    if (!Array.isArray(required)) refuse(`${at}/required`, 'is no list of names')
    const missing = required.find((name) => typeof name !== 'string' || !Object.hasOwn(properties, name))
    if (missing !== undefined) refuse(`${at}/required`, `names ${JSON.stringify(missing)}, which is not in properties`)
    const place = (name: string) => `${at}/properties/${encodePointer(name)}`
    const members = Object.entries(properties).map(([name, value]) => ({
      text: `${literal(`${written(name)}: `)} ${this.#value(value, place(name), depth + 1)}`,
      isRequired: required.includes(name)
    }))
    // What may follow from a member on, where something stands before it and where nothing does.
    let later = '""'
    let first = '""'
    for (const { text, isRequired } of members.reverse()) {
      const member = this.#rule('member', text)
      const behind = later === '""' ? '' : ` ${later}`
      const begun = `${member}${behind}`
      first = this.#rule('first', isRequired ? begun : `${begun} | ${first}`)
      later = this.#rule('later', isRequired ? `", " ${begun}` : `", " ${begun} | ${later}`)
    }
    return members.length === 0 ? '"{}"' : `"{" ${first} "}"`
  }

  #array(schema: JsonSchema, at: string, depth: number): string {
    if (schema.items === undefined) refuse(at, 'has no items: say what they are')
    const [least, most] = bounds(schema, at, ['minItems', 'maxItems'], defaultItems, mostItems)
    if (most === 0) return '"[]"'
    const item = this.#rule('item', this.#value(schema.items, `${at}/items`, depth + 1))
    const some = `${item} (", " ${item}){${Math.max(least, 1) - 1},${most - 1}}`
    return least > 0 ? `"[" ${some} "]"` : `"[" (${some})? "]"`
  }

  #string(schema: JsonSchema, at: string): string {
    const [least, most] = bounds(schema, at, ['minLength', 'maxLength'], defaultLength, mostLength)
    const name = `string-${least}-${most}`
    this.#rules.set('char', String.raw`[^"\\\x00-\x1F\x7F] | "\\" ["\\/bfnrt]`)
    this.#rules.set(name, String.raw`"\"" char{${least},${most}} "\""`)
    return name
  }

  #number(schema: JsonSchema, at: string): string {
    const [least, most] = limits(schema, at, ['minimum', 'maximum'])
    const isWhole = (limit: number | undefined) => limit === undefined || Number.isSafeInteger(limit)
    if (!isWhole(least) || !isWhole(most)) refuse(at, 'has a limit that is no whole number: take the next one')
    return this.#rule('number', numbers(least, most))
  }

  #integer(schema: JsonSchema, at: string): string {
    const [least = -Infinity, most = Infinity] = limits(schema, at, ['minimum', 'maximum'])
    const [above = -Infinity, below = Infinity] = limits(schema, at, ['exclusiveMinimum', 'exclusiveMaximum'])
    const from = Math.max(Math.ceil(least), Math.floor(above) + 1)
    const to = Math.min(Math.floor(most), Math.ceil(below) - 1)
    if (from > to) refuse(at, 'has limits between which there is no whole number')
    return this.#rule('integer', wholeNumbers(from, to))
  }

  /** A rule of its own for an expression: the same for the same. */
  #rule(kind: string, body: string): string {
    const known = this.#names.get(body)
    if (known !== undefined) return known
    const name = `${kind}-${this.#named++}`
    this.#rules.set(name, body)
    this.#names.set(body, name)
    return name
  }

  /** Whether it is plain that no value is of both schemas. */
  #areDistinct(one: unknown, other: unknown): boolean {
    const [a, b] = [this.#target(one), this.#target(other)]
    if (!isObject(a) || !isObject(b)) return false
    const [valuesOfA, valuesOfB] = [a, b].map(listedValues)
    if (valuesOfA && valuesOfB) return valuesOfA.every((value) => !valuesOfB.includes(value))
    const [typesOfA, typesOfB] = [a, b].map(impliedTypes)
    if (typesOfA!.length === 0 || typesOfB!.length === 0) return false
    const isShared = (type: string) =>
      typesOfB!.includes(type) ||
      ((type === 'integer' || type === 'number') && typesOfB!.some((t) => /^int|^num/.test(t)))
    if (!typesOfA!.some(isShared)) return true
    if (String(typesOfA) !== 'object' || String(typesOfB) !== 'object') return false
    const names = [a.required, b.required].map((required) => (Array.isArray(required) ? required : []))
    return names[0]!.some(
      (name) =>
        names[1]!.includes(name) &&
        this.#areDistinct((a.properties as JsonSchema)?.[name], (b.properties as JsonSchema)?.[name])
    )
  }

  #target(schema: unknown): unknown {
    return isObject(schema) && '$ref' in schema ? this.#find(schema.$ref, '/$ref') : schema
  }
}

function listedValues(schema: JsonSchema): string[] | undefined {
  if ('const' in schema) return [written(schema.const)]
  return Array.isArray(schema.enum) ? schema.enum.map(written) : undefined
}

/** The types that a schema names, or those of the values that it lists. */
function impliedTypes(schema: JsonSchema): string[] {
  if (schema.type !== undefined) return [schema.type].flat().map(String)
  const values: unknown[] = 'const' in schema ? [schema.const] : Array.isArray(schema.enum) ? schema.enum : []
  return values.flatMap((value) => types.find((type) => isOfType(value, type)) ?? [])
}

function typesOf(schema: JsonSchema, at: string): Type[] {
  const given = schema.type === undefined ? [] : [schema.type].flat()
  const isType = (type: unknown): type is Type => types.includes(type as Type)
  if (!given.every(isType) || (schema.type !== undefined && given.length === 0)) {
    refuse(`${at}/type`, `is none of ${types.join(', ')}`)
  }
  const found = given as Type[]
  // Every whole number is a number.
  return found.filter((type) => type !== 'integer' || !found.includes('number'))
}

function isOfType(value: unknown, type: Type): boolean {
  if (type === 'null') return value === null
  if (type === 'array') return Array.isArray(value)
  if (type === 'integer') return Number.isInteger(value)
  return type === 'object' ? isObject(value) : typeof value === type
}

function limits(
  schema: JsonSchema,
  at: string,
  [low, high]: [string, string]
): [least: number | undefined, most: number | undefined] {
  const [least, most] = [low, high].map((key) => {
    const limit = schema[key]
    if (limit !== undefined && (typeof limit !== 'number' || !Number.isFinite(limit)))
      refuse(`${at}/${key}`, 'is no number')
    return limit as number | undefined
  })
  if (least !== undefined && most !== undefined && least > most) refuse(at, `has a ${low} above its ${high}`)
  return [least, most]
}

/** How many there may be, at least and at most. */
function bounds(
  schema: JsonSchema,
  at: string,
  [low, high]: [string, string],
  initial: number,
  limit: number
): [least: number, most: number] {
  const count = (key: string, otherwise: number) => {
    const value = schema[key] ?? otherwise
    if (!Number.isSafeInteger(value) || (value as number) < 0) refuse(`${at}/${key}`, 'is no number of 0 or more')
    return value as number
  }
  const least = count(low, 0)
  const most = count(high, Math.max(initial, least))
  if (most > limit) refuse(at, `may have more than ${limit}: set a lower ${high}`)
  if (least > most) refuse(at, `has a ${low} above its ${high}`)
  return [least, most]
}

/** Throws `usage`: of the schema's part `at`, a JSON pointer. */
function refuse(at: string, why: string): never {
  const place = at === '' ? 'The JSON Schema' : `The JSON Schema's ${decodePointer(at)}`
  throw new VcapError('usage', `${place} ${why}`)
}

export function isObject(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A value as answers have it: JSON on one line, a blank behind each colon and comma. */
function written(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(written).join(', ')}]`
  if (!isObject(value)) return JSON.stringify(value) ?? 'null'
  const members = Object.entries(value).map(([name, each]) => `${JSON.stringify(name)}: ${written(each)}`)
  return `{${members.join(', ')}}`
}

/** A text as a literal in GBNF. */
function literal(text: string): string {
  const hex = (character: string) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a literal stands on one line
  return `"${text.replace(/["\\]/g, '\\$&').replace(/[\x00-\x1f\x7f]/g, hex)}"`
}

function alternatives(all: string[]): string {
  return all.length === 1 ? all[0]! : `(${all.join(' | ')})`
}
