import type { z } from 'zod'
import { VcapError } from '../errors'

export function parser<T extends z.ZodObject>(schema: T): (options: unknown) => z.output<T>
export function parser<T extends z.ZodObject, S>(
  schema: T,
  complete: (parsed: z.output<T>) => S
): (options: unknown) => S
export function parser<T extends z.ZodObject>(
  schema: T,
  complete = (parsed: unknown) => parsed
): (options: unknown) => unknown {
  return (options = {}) => {
    let read: { parsed: z.output<T> } | { why: string }
    try {
      const { success, data, error } = schema.safeParse(options)
      const unknown = error?.issues.find(({ code }) => code === 'unrecognized_keys')
      read = success ? { parsed: data } : { why: explain(schema, options, unknown ?? error.issues[0]!) }
    } catch (cause) {
      if (cause instanceof VcapError) throw cause
      // A getter or a proxy of theirs throws.
      throw new VcapError('usage', `Expected options that can be read but received ${describe(options)}`, { cause })
    }
    if ('why' in read) throw new VcapError('usage', read.why)
    return complete(read.parsed)
  }
}

function explain(schema: z.ZodObject, options: unknown, issue: z.core.$ZodIssue): string {
  const fields = schema.shape as Record<string, z.ZodType>
  if (issue.code === 'unrecognized_keys') {
    const received = oneLine(issue.keys.join(', '))
    return `Expected one of ${Object.keys(fields).join(', ')} as an option but received ${received}`
  }
  const field = issue.path[0]
  if (field === undefined) return `Expected object for options but received ${describe(options)}`
  const expected = `Expected ${fields[String(field)]?.description ?? 'valid value'} for ${String(field)}`
  const received = (options as Record<PropertyKey, unknown>)[field]
  if (secrets.includes(String(field))) return `${expected} but received a value of type ${typeof received}`
  return `${expected} but received ${describe(received)}`
}

/** Options that no message shows, nor what holds one. */
const secrets = ['key', 'api', 'baseUrl']

/** A value and its type, for messages. */
export function describe(value: unknown): string {
  const shown = oneLine(show(value))
  return `${shown.length > 80 ? `${shown.slice(0, 77)}...` : shown} of type ${value === null ? 'null' : typeof value}`
}

function show(value: unknown): string {
  const text = () => (typeof value === 'object' || typeof value === 'string' ? JSON.stringify(value) : String(value))
  try {
    return text() ?? 'something'
  } catch {
    return 'something' // it leads to itself, has a big integer in it, or throws when it is looked at
  }
}

function oneLine(text: string): string {
  return text.replace(/[\r\n]+/g, ' ')
}
