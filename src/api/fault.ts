import { retryAfter, rootOf } from '../waiting'
import { loadOpenai } from './openai'

/*
 * What is to be done about a request that failed. The messages say what the server said, in one line.
 */

export type Fault =
  /** The server has enough for now. */
  | { kind: 'limited'; message: string; afterMs: number | undefined }
  /** The server is not there now. */
  | { kind: 'unreachable'; message: string }
  /** It may pass. */
  | { kind: 'again'; message: string; afterMs: number | undefined; isLate?: true }
  /** This row cannot be asked so. */
  | { kind: 'row'; code: 'engine_error' | 'context_overflow'; message: string }
  /** The server will not say anything about it. */
  | { kind: 'refusal'; message: string }
  /** No row can be asked. */
  | { kind: 'run'; why: 'key' | 'quota' | 'model' | 'place'; message: string }

/** Milliseconds that a server may ask to wait for; who asks for more wants the run to come back. */
const longestWaitMs = 10 * 60_000

/** What was answered was no answer of such a server. */
export class Malformed extends Error {}

export function faultOf(error: unknown): Fault {
  const { APIError, APIConnectionError, APIConnectionTimeoutError } = loadOpenai()
  if (error instanceof APIConnectionTimeoutError) {
    return { kind: 'again', message: 'no whole answer in time', afterMs: undefined, isLate: true }
  }
  if (error instanceof APIConnectionError || !(error instanceof APIError) || error.status === undefined) {
    const root = rootOf(error)
    const message = rootMessage(root)
    return unreachable.includes(root.code ?? '')
      ? { kind: 'unreachable', message }
      : { kind: 'again', message, afterMs: undefined }
  }
  const { status, headers, code, type } = error
  const what = { status, code: `${code ?? ''} ${type ?? ''}`, message: oneLine(error.message) }
  return faultOfStatus(what, headers instanceof Headers ? retryAfter(headers) : undefined)
}

/** What a status and the error beside it mean, of an answer over HTTP or within a batch. */
export function faultOfStatus(
  { status, code, message }: { status: number; code: string; message: string },
  afterMs?: number | undefined
): Fault {
  if (status === 401 || status === 403) return { kind: 'run', why: 'key', message }
  const noMoney = /insufficient_quota|billing|credit/.test(code)
  if (status === 402 || (status === 429 && noMoney)) return { kind: 'run', why: 'quota', message }
  if ((afterMs ?? 0) > longestWaitMs) {
    const minutes = Math.ceil(afterMs! / 60_000)
    return { kind: 'run', why: 'quota', message: `${message} (it asks to come back in ${minutes} minutes)` }
  }
  if (status === 429) return { kind: 'limited', message, afterMs }
  if (status === 408 || status === 409 || status === 425 || status >= 500) return { kind: 'again', message, afterMs }
  if (status === 404) return { kind: 'run', why: /model/i.test(`${code} ${message}`) ? 'model' : 'place', message }
  if (status < 400) return { kind: 'run', why: 'place', message: `${message}: it sends requests elsewhere` }
  if (/content_policy|content_filter|moderation|safety/i.test(code)) return { kind: 'refusal', message }
  const isTooLong =
    /context_length|context_window|exceed_context/i.test(code) || /context (length|window|size)/i.test(message)
  return { kind: 'row', code: isTooLong ? 'context_overflow' : 'engine_error', message }
}

/** Codes of requests that reached no server, so that no row can be to blame. */
const unreachable = [
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'UND_ERR_CONNECT_TIMEOUT',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'ERR_TLS_CERT_ALTNAME_INVALID'
]

function rootMessage(root: NodeJS.ErrnoException): string {
  const text = root.message || root.code || root.name
  return oneLine(root instanceof SyntaxError ? `its answer is no JSON (${text})` : text)
}

/** Characters of a server's message that are told. */
const longestMessage = 500

export function oneLine(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim()
  return line.length > longestMessage ? `${line.slice(0, longestMessage)}…` : line
}
