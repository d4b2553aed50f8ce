import { VcapError } from '../errors'
import { isObject, type JsonSchema } from './json-schema'

/** What was made of each object that came, and of which text. */
const known = new WeakMap<object, { text: string; schema: JsonSchema }>()

/**
 * A JSON Schema as it would stand in a file: plain objects and lists that nobody changes later. The same one for the
 * same object, as long as that says the same. Throws `usage` for what cannot be written as JSON, or is no object then.
 */
export function plainSchema(given: object): JsonSchema {
  const text = written(given)
  const before = known.get(given)
  if (before?.text === text) return before.schema
  const schema: unknown = JSON.parse(text)
  if (!isObject(schema)) {
    throw new VcapError('usage', 'The JSON Schema becomes no object when it is written as JSON: give a plain one')
  }
  known.set(given, { text, schema })
  return schema
}

function written(given: object): string {
  try {
    return JSON.stringify(given) ?? 'null'
  } catch (cause) {
    throw new VcapError('usage', 'The JSON Schema cannot be written as JSON: give a plain object', { cause })
  }
}
