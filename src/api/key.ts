import fs from 'node:fs'
import { VcapError } from '../errors'

/** The environment variable that may hold the key. */
export const keyVariable = 'OPENAI_API_KEY'

/** Characters that a key has at least: a shorter one would be found in any text. */
const leastHidden = 8
const shownInstead = '[key]'

/** A key that is shown nowhere: not by `console.log`, not as JSON, not in a text that went through `hide`. */
export class ApiKey {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  /** For the header of a request, and for nothing else. */
  reveal(): string {
    return this.#value
  }

  /** The text without the key: a server may say it back, in a message or an answer. */
  hide(text: string): string {
    if (this.#value.length < leastHidden) return text
    const forms = new Set([this.#value, encodeURIComponent(this.#value), JSON.stringify(this.#value).slice(1, -1)])
    let hidden = text
    for (const form of forms) hidden = hidden.replaceAll(form, shownInstead)
    return hidden
  }

  toString(): string {
    return shownInstead
  }

  toJSON(): string {
    return shownInstead
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return shownInstead
  }
}

/** What is known of a key: undefined where none was given anywhere, as local servers allow. */
export interface FoundKey {
  key: ApiKey | undefined
  /** What its owner should know. */
  warnings: string[]
}

/**
 * The key: as it was given, else out of the file, else out of `OPENAI_API_KEY`. Throws `usage` for what cannot be one,
 * without showing it.
 */
export function findKey({ key, keyFile }: { key?: string | undefined; keyFile?: string | undefined }): FoundKey {
  if (key !== undefined) return { key: toKey(key, 'the key given'), warnings: [] }
  if (keyFile !== undefined) return readKeyFile(keyFile)
  const found = process.env[keyVariable]?.trim()
  return { key: found ? toKey(found, keyVariable) : undefined, warnings: [] }
}

function readKeyFile(file: string): FoundKey {
  let text: string
  let mode: number
  try {
    text = fs.readFileSync(file, 'utf8')
    const stat = fs.statSync(file)
    mode = stat.isFile() ? stat.mode : 0
  } catch (error) {
    throw new VcapError('usage', `The key's file ${file} cannot be read: ${(error as Error).message}`)
  }
  const others = mode & 0o077
  const warnings = others === 0 ? [] : [`The key's file ${file} can be read or changed by others: chmod 600 ${file}`]
  return { key: toKey(text.trim(), `the file ${file}`), warnings }
}

/** A header takes visible characters of ASCII alone. */
function toKey(text: string, source: string): ApiKey {
  if (/^[\x21-\x7e]+$/.test(text)) return new ApiKey(text)
  const what = text === '' ? 'nothing' : 'blanks, line ends or letters that no key has'
  throw new VcapError('usage', `Expected a key in ${source} but there is ${what} in it`)
}
