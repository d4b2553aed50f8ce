import type { OpenAI } from 'openai'

/** The library's client. */
export type OpenaiClient = OpenAI

/** The package openai, loaded when it is first asked for: nothing else needs it, and it has many files. */
export function loadOpenai(): typeof import('openai') {
  return require('openai') as typeof import('openai')
}
