import fs from 'node:fs'
import { VcapError } from '../errors'
import { parseJson } from '../parse-json'
import type { FormSettings } from './form'
import { isObject, type JsonSchema } from './json-schema'

/** Bytes that a file with a form may have. */
const mostBytes = 1 << 20

/** Files that a form is read from. */
export interface FormFiles {
  jsonSchemaFile?: string | undefined
  grammarFile?: string | undefined
}

/** The form of these files, in place of one that is given itself. Throws `usage`. */
export function readForm({ jsonSchemaFile, grammarFile }: FormFiles): FormSettings {
  return {
    ...(jsonSchemaFile !== undefined && { jsonSchema: readSchema(jsonSchemaFile) }),
    ...(grammarFile !== undefined && { grammar: readText(grammarFile, 'grammar') })
  }
}

function readSchema(file: string): JsonSchema {
  const text = readText(file, 'JSON Schema')
  let json: unknown
  try {
    json = parseJson(text)
  } catch (cause) {
    throw new VcapError('usage', `The JSON Schema in ${file} is no JSON: ${(cause as Error).message}`, { cause })
  }
  if (isObject(json)) return json
  throw new VcapError('usage', `The JSON Schema in ${file} is no object: expected {"type": "object", …}`)
}

function readText(file: string, what: string): string {
  try {
    if (fs.statSync(file).size > mostBytes) throw new Error(`it has more than ${mostBytes} bytes`)
    const text = new TextDecoder('utf-8', { fatal: true }).decode(fs.readFileSync(file))
    if (text.trim() === '') throw new Error('it is empty')
    return text
  } catch (cause) {
    throw new VcapError('usage', `The ${what} in ${file} cannot be read: ${(cause as Error).message}`, { cause })
  }
}
