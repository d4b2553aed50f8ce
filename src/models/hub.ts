import fs from 'node:fs'
import path from 'node:path'
import { VcapError } from '../errors'
import { cacheFolder } from '../folders'
import type { HubBlob, HubPlace } from './hub-cache'
import { requestPolitely } from './polite-request'

/** A file on the hub: what it is, and where. */
export interface HubFile extends HubBlob {
  place: HubPlace
  /** Bytes. */
  size: number
  /** SHA-256 in hex; undefined for small files, whose `etag` is git's SHA-1 of them. */
  sha256: string | undefined
}

/** Redirects in a row, after which they are taken to go round. */
const maxRedirects = 5

/** The hub, or another server that speaks as it does. */
export class Hub {
  readonly endpoint: string
  readonly #token: string | undefined

  constructor(env = process.env) {
    this.endpoint = (env.HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, '')
    this.#token = findToken(env)
  }

  /**
   * What a file is, without its content. Throws `model_not_found` where it is not there or this user may not have it,
   * `download_failed`, `aborted`.
   */
  async describe(place: HubPlace, signal: AbortSignal | undefined): Promise<HubFile> {
    const url = this.#url(place)
    const answer = await this.#ask(url, { method: 'HEAD' }, place, signal)
    const { headers, hops } = answer
    const first = (name: string) =>
      hops.map((hop) => hop.get(name)).find((value) => value !== null) ?? headers.get(name)
    const etag = first('x-linked-etag') ?? first('etag')
    const size = Number(first('x-linked-size') ?? headers.get('content-length'))
    const commit = first('x-repo-commit')
    if (!etag || !commit || !/^[0-9a-f]{40}$/.test(commit) || !Number.isSafeInteger(size) || size <= 0) {
      throw new VcapError(
        'download_failed',
        `${this.endpoint} does not say what ${place.repo}/${place.file} is: it is no Hugging Face Hub, or a proxy ` +
          'between changes its answers'
      )
    }
    const plain = etag.replace(/^W\//, '').replaceAll('"', '')
    if (!/^[\w.-]+$/.test(plain)) throw new VcapError('download_failed', `${url} has an ETag that is none: ${etag}`)
    return { place, commit, etag: plain, size, sha256: /^[0-9a-f]{64}$/.test(plain) ? plain : undefined }
  }

  /** The names of a repository's files. Throws as `describe` does. */
  async list(repo: string, revision: string, signal: AbortSignal | undefined): Promise<string[]> {
    const place = { repo, revision, file: '' }
    const url = `${this.endpoint}/api/models/${repo}/tree/${encodeURIComponent(revision)}?recursive=true`
    const { response } = await this.#ask(url, { method: 'GET' }, place, signal)
    const entries: unknown = await response.json().catch(() => undefined)
    if (!Array.isArray(entries)) {
      throw new VcapError('download_failed', `${this.endpoint} does not list the files of ${repo}`)
    }
    return entries.flatMap((entry: { type?: unknown; path?: unknown }) =>
      entry?.type === 'file' && typeof entry.path === 'string' ? [entry.path] : []
    )
  }

  /**
   * The content from a byte on. The answer may begin earlier, or there may be no such byte (416): its status says so.
   * Throws as `describe` does.
   */
  async open({ place, commit }: HubFile, from: number, signal: AbortSignal): Promise<Response> {
    const headers = from > 0 ? { range: `bytes=${from}-` } : undefined
    const url = this.#url({ ...place, revision: commit })
    const { response } = await this.#ask(url, { method: 'GET', headers }, place, signal)
    return response
  }

  #url({ repo, revision, file }: HubPlace): string {
    const name = file.split('/').map(encodeURIComponent).join('/')
    return `${this.endpoint}/${repo}/resolve/${encodeURIComponent(revision)}/${name}`
  }

  /** Follows redirects by itself: the token goes to the hub alone, and what the hub says of a file is kept. */
  async #ask(
    start: string,
    { method, headers = {} }: { method: string; headers?: Record<string, string> | undefined },
    place: HubPlace,
    signal: AbortSignal | undefined
  ): Promise<{ response: Response; headers: Headers; hops: Headers[] }> {
    const hops: Headers[] = []
    let url = new URL(start)
    const home = url.origin
    for (let redirects = 0; redirects <= maxRedirects; redirects++) {
      const sent = new Headers({ 'accept-encoding': 'identity', ...headers })
      if (this.#token && url.origin === home) sent.set('authorization', `Bearer ${this.#token}`)
      const response = await requestPolitely(url, { method, headers: sent, redirect: 'manual' }, signal)
      const next = response.headers.get('location')
      if (response.status >= 300 && response.status < 400 && next) {
        hops.push(response.headers)
        await response.body?.cancel()
        url = new URL(next, url)
        // What the hub says with its redirect to a store is all that is asked of it here.
        if (method === 'HEAD' && url.origin !== home) return { response, headers: response.headers, hops }
        continue
      }
      if (!response.ok && response.status !== 416) {
        await response.body?.cancel()
        throw this.#refusal(response, place)
      }
      return { response, headers: response.headers, hops }
    }
    throw new VcapError('download_failed', `${start} leads from one place to the next without end`)
  }

  #refusal({ status, headers }: Response, { repo, file, revision }: HubPlace): VcapError {
    const what = file === '' ? repo : `${repo}/${file}`
    const reason = headers.get('x-error-code') ?? ''
    if (status === 401 || status === 403) {
      const known = this.#token === undefined ? 'and no token is given' : 'and the token given does not open it'
      const gated = reason === 'GatedRepo' ? ` Its owner asks for consent on ${this.endpoint}/${repo}.` : ''
      return new VcapError(
        'model_not_found',
        `${this.endpoint} refuses ${what} (${status}): it is private or not there, ${known}.${gated} ` +
          'HF_TOKEN takes a token'
      )
    }
    if (status === 404) {
      const lacking = {
        RepoNotFound: `there is no repository ${repo}`,
        RevisionNotFound: `${repo} has no revision ${revision}`,
        EntryNotFound: `${repo} has no file ${file}`
      }[reason]
      return new VcapError('model_not_found', `${this.endpoint}: ${lacking ?? `${what} is not there (404)`}`)
    }
    return new VcapError('download_failed', `${this.endpoint} answers ${status} for ${what}`)
  }
}

/** As the hub's own tools find it: a variable, or the file that their login writes. */
function findToken(env: NodeJS.ProcessEnv): string | undefined {
  const named = env.HF_TOKEN ?? env.HUGGING_FACE_HUB_TOKEN
  if (named?.trim()) return named.trim()
  const cache = cacheFolder()
  const home = env.HF_HOME ?? (cache === undefined ? undefined : path.join(cache, 'huggingface'))
  const file = env.HF_TOKEN_PATH ?? (home === undefined ? undefined : path.join(home, 'token'))
  if (file === undefined) return undefined
  try {
    return fs.readFileSync(file, 'utf8').trim() || undefined
  } catch {
    return undefined // nobody logged in
  }
}
