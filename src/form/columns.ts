import { VcapError } from '../errors'
import type { JsonSchema } from './json-schema'
import { partOf } from './pointer'

/** What a property of an answer holds, as far as all its values are of one kind. */
export type FieldKind = 'text' | 'integer' | 'number' | 'boolean' | 'json'

/** A top-level property of the answers, as a column. */
export interface Field {
  name: string
  kind: FieldKind
}

const kinds: Record<string, FieldKind> = {
  string: 'text',
  integer: 'integer',
  number: 'number',
  boolean: 'boolean'
}

/** The properties of the objects that a schema describes, in its order. Throws `usage` where it describes none. */
export function fieldsOf(schema: JsonSchema): Field[] {
  const { properties } = resolved(schema, schema)
  const fields = Object.entries((properties ?? {}) as JsonSchema)
  if (fields.length === 0) {
    throw new VcapError('usage', 'Columns are made of the properties of an object, and the JSON Schema names none')
  }
  return fields.map(([name, property]) => ({ name, kind: kindOf(property, schema) }))
}

/** The values of these properties in an answer; undefined where it lacks one, and for what is no object. */
export function fieldValues(fields: Field[], text: string): unknown[] {
  const answer = parsed(text)
  const isObject = typeof answer === 'object' && answer !== null
  return fields.map(({ name }) => (isObject && Object.hasOwn(answer, name) ? answer[name as never] : undefined))
}

/** Undefined for what is no JSON: of a server that does not hold to a schema, or was cut in the midst. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function kindOf(property: unknown, root: JsonSchema): FieldKind {
  const found = new Set(typesOf(property, root, 0))
  found.delete('null')
  if (found.has('number')) found.delete('integer')
  const [only] = found
  return found.size === 1 ? (kinds[only!] ?? 'json') : 'json'
}

/** The types of the values that a schema describes. */
function typesOf(schema: unknown, root: JsonSchema, depth: number): string[] {
  const { type, enum: listed, anyOf, oneOf, ...rest } = resolved(schema, root)
  if (type !== undefined) return [type].flat().map(String)
  const values = 'const' in rest ? [rest.const] : listed
  if (Array.isArray(values)) return values.map(typeOf)
  const either = anyOf ?? oneOf
  return Array.isArray(either) && depth < 8 ? either.flatMap((one) => typesOf(one, root, depth + 1)) : ['anything']
}

function typeOf(value: unknown): string {
  if (value === null || typeof value === 'object') return value === null ? 'null' : 'object'
  return Number.isInteger(value) ? 'integer' : typeof value
}

/** A schema, or the one that it refers to. */
function resolved(schema: unknown, root: JsonSchema): JsonSchema {
  let found = schema
  for (let steps = 0; steps < 16; steps++) {
    const { $ref, allOf } = (found ?? {}) as JsonSchema
    if (Array.isArray(allOf) && allOf.length === 1) [found] = allOf
    else if (typeof $ref === 'string') found = partOf(root, $ref)
    else break
  }
  return (typeof found === 'object' && found !== null ? found : {}) as JsonSchema
}
