import type { RowCaption } from '../caption'
import { Malformed, oneLine } from './fault'

/** What a server answered, as far as a caption needs it. */
export interface ApiAnswer {
  status: 'ok' | 'truncated' | 'empty'
  /** One line. */
  text: string
  error: string | null
  flags: string[]
  /** Null where the server does not tell. */
  usage: { promptTokens: number; tokens: number } | null
}

/** Throws `Malformed` for what is no answer. The text is that of a stranger: anything may be in it. */
export function readAnswer(completion: unknown): ApiAnswer {
  const choice = fieldOf(listOf(fieldOf(completion, 'choices'))[0], 'message')
  if (typeof choice !== 'object' || choice === null) throw new Malformed('its answer has no message')
  const finish = fieldOf(listOf(fieldOf(completion, 'choices'))[0], 'finish_reason')
  const usage = readUsage(fieldOf(completion, 'usage'))
  const refusal = fieldOf(choice, 'refusal')
  if (typeof refusal === 'string' && refusal !== '') return refused(`The model refused: ${oneLine(refusal)}`, usage)
  if (finish === 'content_filter') return refused("The server's content filter ended the answer", usage)
  const text = textOf(fieldOf(choice, 'content'))
  const wasCut = finish === 'length'
  if (text === '') {
    const error = wasCut ? 'All of its tokens went into thoughts before an answer: allow more tokens' : null
    return { status: 'empty', text, error, flags: [], usage }
  }
  return { status: wasCut ? 'truncated' : 'ok', text, error: null, flags: [], usage }
}

/** A row about which the server says nothing: no caption, and the reason. */
export function refused(error: string, usage: ApiAnswer['usage']): ApiAnswer {
  return { status: 'empty', text: '', error, flags: ['refusal'], usage }
}

/** What is known of a row's file. */
export interface KnownFile {
  numFrames: number | null
  partial?: true | undefined
}

export function toCaption(answer: ApiAnswer, { numFrames, partial }: KnownFile, cost: number | undefined): RowCaption {
  const { status, text, error, flags, usage } = answer
  return {
    status,
    text,
    numFrames,
    error,
    // A server counts the tokens of pictures among the prompt's.
    usage: usage && { imageTokens: 0, ...usage, ...(cost !== undefined && { cost }) },
    ...(partial && { partial }),
    ...(flags.length > 0 && { flags })
  }
}

function textOf(content: unknown): string {
  const parts = typeof content === 'string' ? [content] : listOf(content).map((part) => fieldOf(part, 'text'))
  const text = parts.filter((part) => typeof part === 'string').join(' ')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a caption is one line, whatever a server sends
  return text.replace(/[ \t]*[\x00-\x1f\x7f-\x9f\u2028\u2029]+[ \t]*/g, ' ').trim()
}

function readUsage(usage: unknown): ApiAnswer['usage'] {
  const promptTokens = fieldOf(usage, 'prompt_tokens')
  const tokens = fieldOf(usage, 'completion_tokens')
  return isCount(promptTokens) && isCount(tokens) ? { promptTokens, tokens } : null
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
}
