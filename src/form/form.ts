import { VcapError } from '../errors'
import { schemaGrammar, type JsonSchema } from './json-schema'

/** The form that an answer is held to. */
export interface FormSettings {
  jsonSchema?: JsonSchema | undefined
  grammar?: string | undefined
}

/** Of each schema that was converted: one is asked for at every caption. */
const converted = new WeakMap<JsonSchema, string>()

/** The grammar of every answer, in GBNF; empty where answers are free. Throws `usage`. */
export function grammarOf({ jsonSchema, grammar }: FormSettings): string {
  if (grammar !== undefined) return grammar
  if (!jsonSchema) return ''
  const known = converted.get(jsonSchema)
  if (known !== undefined) return known
  const made = schemaGrammar(jsonSchema)
  converted.set(jsonSchema, made)
  return made
}

/** Throws `usage` where two forms are asked for, or one that cannot be. The addon reads a grammar of the user's own. */
export function requireForm(settings: FormSettings & { ignoreEos?: boolean | undefined }): void {
  const { jsonSchema, grammar, ignoreEos } = settings
  if (jsonSchema && grammar !== undefined) {
    throw new VcapError('usage', 'Expected either jsonSchema or grammar but received both')
  }
  if (ignoreEos && (jsonSchema || grammar !== undefined)) {
    throw new VcapError('usage', 'An answer in a form ends where the form does: leave out ignoreEos')
  }
  grammarOf(settings)
}

/** What decides a caption of it; left out where answers are free, so that older runs go on. */
export function formIdentity({ jsonSchema, grammar }: FormSettings): { form?: string } {
  if (grammar !== undefined) return { form: grammar }
  return jsonSchema ? { form: JSON.stringify(jsonSchema) } : {}
}
