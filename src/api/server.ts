import { VcapError } from '../errors'
import { fetchByProxy } from '../proxy'
import { loadOpenai, type OpenaiClient } from './openai'
import type { ApiKey } from './key'

/** Where requests go where nobody says. */
export const defaultBaseUrl = 'https://api.openai.com/v1'

/** Bytes of an answer that is read as a whole. */
const mostBytes = 64 * 2 ** 20
/** Milliseconds that an answer may take once it has begun to come: a server that computes has not begun yet. */
const bodyTimeoutMs = 45_000

export interface ServerOptions {
  baseUrl: string
  key: ApiKey | undefined
  /** Milliseconds that one request may take, its answer's last byte included. */
  timeoutMs: number
}

/**
 * The address of the API: as it was given, else of `OPENAI_BASE_URL`, else OpenAI's own. Throws `usage` for what is no
 * address of one, or holds a password.
 */
export function findBaseUrl(given: string | undefined): string {
  const text = given ?? (process.env.OPENAI_BASE_URL?.trim() || defaultBaseUrl)
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw new VcapError('usage', 'Expected an address such as http://localhost:8000/v1 for the base URL')
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw new VcapError('usage', `Expected a base URL that begins with http:// or https:// but it is ${url.protocol}`)
  }
  if (url.username || url.password || url.search || url.hash) {
    throw new VcapError(
      'usage',
      `Expected a base URL without name, password, ? and #: the key has an option of its own`
    )
  }
  return url.href.replace(/\/+$/, '')
}

/** Whether what is sent there passes a network as everybody on it can read it. */
export function isOpenToReaders(baseUrl: string): boolean {
  const { protocol, hostname } = new URL(baseUrl)
  return protocol === 'http:' && !/^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname)
}

/**
 * The library's client of this server. Tries are counted here, not there. Nothing that the server says holds the key
 * any more; no redirect is followed, since the key and the pictures would go where nobody named.
 */
export function openServer({ baseUrl, key, timeoutMs }: ServerOptions): OpenaiClient {
  const { OpenAI } = loadOpenai()
  return new OpenAI({
    baseURL: baseUrl,
    apiKey: key?.reveal() ?? 'none',
    adminAPIKey: null,
    webhookSecret: null,
    maxRetries: 0,
    timeout: timeoutMs,
    logLevel: 'off',
    ...(!key && { defaultHeaders: { authorization: null } }),
    fetch: (url, init) => fetchHidden(url as string, init as RequestInit, key)
  })
}

/** As `fetch`, resolved when the whole answer is there: who waits for it waits for a slow body too. */
async function fetchHidden(url: string, init: RequestInit, key: ApiKey | undefined): Promise<Response> {
  const slow = new AbortController()
  const signal = AbortSignal.any([...(init.signal ? [init.signal] : []), slow.signal])
  const response = await fetchByProxy(new URL(url), { ...init, signal, redirect: 'manual' })
  const hide = (text: string) => key?.hide(text) ?? text
  const headers = new Headers()
  for (const [name, value] of response.headers) headers.append(name, hide(value))
  headers.delete('content-encoding') // it is decoded
  headers.delete('content-length')
  const { status, statusText } = response
  // A file of answers is read line by line, by whoever asked for it.
  const isLong = new URL(url).pathname.endsWith('/content') && response.ok
  const isEmpty = status === 204 || status === 304
  if (isEmpty || isLong) return new Response(isEmpty ? null : response.body, { status, headers })
  const timer = setTimeout(() => slow.abort(new Error('The answer timed out while it came')), bodyTimeoutMs)
  try {
    const body = hide(await readText(response))
    return new Response(body, { status, statusText: hide(statusText), headers })
  } finally {
    clearTimeout(timer)
  }
}

async function readText(response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.length
    if (bytes > mostBytes) throw new Error(`The answer has more than ${mostBytes / 2 ** 20} MiB`)
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}
