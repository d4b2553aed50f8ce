import fs from 'node:fs'
import path from 'node:path'
import { z } from 'zod'
import { VcapError } from '../errors'
import { parseJson } from '../parse-json'
import type { PromptPreset } from './presets'

/** Bytes that a file of prompts may have. */
const mostBytes = 1 << 20

export const presetSchema: z.ZodType<PromptPreset> = z.strictObject({
  text: z.string().regex(/\S/),
  type: z.enum(['image', 'video']).optional(),
  frames: z.int().min(1).max(64).optional()
})
const presetsSchema = z.record(z.string(), z.union([z.string().regex(/\S/), presetSchema]))

/**
 * Reads presets from a file: JSON with a text, or `{ text, type, frames }`, by name where its name ends in .json; else
 * the whole file is one prompt, named after the file. A preset whose name says how many frames it is about
 * (`video-f3-…`) is about so many. Throws `usage`.
 *
 * @example
 * ```js
 * const presets = readPrompts('prompts.json')
 * await run('samples.csv', 'captions.csv', { presets, prompt: 'video-text' })
 * ```
 */
export function readPrompts(file: string): Record<string, PromptPreset> {
  const text = readText(file)
  if (!/\.json$/i.test(file)) return { [path.basename(file)]: { text: text.trim() } }
  const presets = parsePresets(file, text)
  const names = Object.keys(presets)
  if (names.length === 0) throw new VcapError('usage', `${file} holds no prompt: expected an object of texts by name`)
  requireDistinct(file, topKeys(text))
  return presets
}

/** The presets of a file and which of them is asked: the one, or the one that `prompt` names. Throws `usage`. */
export function choosePrompt(
  file: string,
  prompt: string | undefined
): { presets: Record<string, PromptPreset>; prompt: string } {
  const presets = readPrompts(file)
  const names = Object.keys(presets)
  const [only] = names
  if (prompt === undefined && names.length === 1) return { presets, prompt: only! }
  if (prompt !== undefined && Object.hasOwn(presets, prompt)) return { presets, prompt }
  const listed = names.join(', ')
  if (prompt === undefined) throw new VcapError('usage', `${file} holds several prompts: choose one of ${listed}`)
  throw new VcapError('usage', `${file} has no prompt named ${JSON.stringify(prompt)}: it has ${listed}`)
}

function readText(file: string): string {
  let bytes: Buffer
  try {
    if (fs.statSync(file).size > mostBytes) throw new VcapError('usage', `${file} is too long to hold prompts`)
    bytes = fs.readFileSync(file)
  } catch (cause) {
    if (cause instanceof VcapError) throw cause
    throw new VcapError('usage', `The prompts in ${file} cannot be read: ${(cause as Error).message}`, { cause })
  }
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new VcapError('usage', `${file} is no UTF-8: save the prompts as UTF-8 text`, { cause })
  }
  if (text.trim() === '') throw new VcapError('usage', `${file} is empty: expected a prompt`)
  return text
}

function parsePresets(file: string, text: string): Record<string, PromptPreset> {
  let json: unknown
  try {
    json = parseJson(text)
  } catch (cause) {
    const { message } = cause as Error
    throw new VcapError('usage', `${file} is no JSON: ${message}. A prompt as it stands goes into a .txt file`, {
      cause
    })
  }
  const result = presetsSchema.safeParse(json)
  if (!result.success) {
    const [name] = result.error.issues[0]!.path
    const which = name === undefined ? 'the file' : JSON.stringify(name)
    throw new VcapError(
      'usage',
      `${file} holds no prompts: expected a text or {"text", "type": "image" or "video", "frames"} by name; ` +
        `see ${which}`
    )
  }
  return Object.fromEntries(Object.entries(result.data).map(([name, given]) => [name, complete(name, given)]))
}

function complete(name: string, given: string | PromptPreset): PromptPreset {
  const preset = typeof given === 'string' ? { text: given } : given
  const type = preset.type ?? (/^(image|video)(?=-|$)/.exec(name)?.[0] as PromptPreset['type'])
  const frames = preset.frames ?? (type === 'video' ? framesIn(name) : undefined)
  return { text: preset.text, ...(type && { type }), ...(frames !== undefined && { frames }) }
}

function framesIn(name: string): number | undefined {
  const frames = Number(/-f([1-9]\d?)(?=-|$)/.exec(name)?.[1])
  return frames >= 1 && frames <= 64 ? frames : undefined
}

/** Names that are one but for blanks and capitals collide, as does a name that stands there twice. */
function requireDistinct(file: string, names: string[]): void {
  const seen = new Set<string>()
  for (const name of names) {
    const key = name.trim().toLowerCase()
    if (key === '') throw new VcapError('usage', `${file} has a prompt without a name`)
    if (seen.has(key)) {
      throw new VcapError('usage', `${file} has two prompts named ${JSON.stringify(name)}: rename one`)
    }
    seen.add(key)
  }
}

/** The keys of a JSON text's outermost object, as often as they are written: a parser keeps the last of a name. */
function topKeys(json: string): string[] {
  const keys: string[] = []
  let depth = 0
  for (const [token, key] of json.matchAll(/[{}[\]]|("(?:[^"\\]|\\.)*")\s*(?::)?/gs)) {
    if (token === '{' || token === '[') depth++
    else if (token === '}' || token === ']') depth--
    else if (depth === 1 && token.endsWith(':')) keys.push(JSON.parse(key!))
  }
  return keys
}
