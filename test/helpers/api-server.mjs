/**
 * A server that speaks OpenAI's API as far as we use it: chat completions, files, batches. It counts what it is asked,
 * and behaves as badly as a test wants.
 */
import { createHash, randomBytes } from 'node:crypto'
import http from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'

/** Tokens that each answer says it took. */
export const usage = { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 }

export const chat = (message, finish_reason = 'stop', more = {}) => ({
  id: `chatcmpl-${randomBytes(6).toString('hex')}`,
  object: 'chat.completion',
  created: 1,
  model: 'test',
  choices: [{ index: 0, message: { role: 'assistant', content: null, refusal: null, ...message }, finish_reason }],
  usage,
  ...more
})

export const refuse = (status, message, more = {}) => ({ status, json: { error: { message, type: 'test', ...more } } })

/** What a request asks about: the same for the same frames and question, however often it comes. */
const subjectOf = ({ messages }) => createHash('sha256').update(JSON.stringify(messages)).digest('hex').slice(0, 16)

/**
 * Starts it. `behave(number, body, seen)` is asked for each chat completion, from 0 on, and answers with how to behave:
 * `status`, `headers`, `json` or `text`, `delay` in milliseconds, `cut` (the connection is closed instead), `drip` (the
 * answer comes byte by byte, with so many milliseconds between them); undefined for a caption. `seen` says how often
 * that subject was asked before. `key`: the only one that is accepted. `batches`: see batch-server.mjs.
 */
export async function apiServer({ behave = () => undefined, key, batches } = {}) {
  const log = {
    /** Chat completions, as they came. */
    bodies: [],
    /** Subjects that were captioned, how often. */
    captioned: new Map(),
    headers: [],
    paths: [],
    atOnce: 0,
    mostAtOnce: 0
  }
  const seen = new Map()
  const caption = (body) => {
    const subject = subjectOf(body)
    log.captioned.set(subject, (log.captioned.get(subject) ?? 0) + 1)
    return chat({ content: `A caption of ${subject}.` })
  }
  const answer = async (request, response, body) => {
    const url = new URL(request.url, 'http://localhost')
    log.paths.push(`${request.method} ${url.pathname}`)
    log.headers.push(request.headers)
    if (key !== undefined && request.headers.authorization !== `Bearer ${key}`) {
      const given = request.headers.authorization ?? 'none'
      return send(response, refuse(401, `Incorrect API key provided: ${given}`, { code: 'invalid_api_key' }))
    }
    if (request.method === 'POST' && url.pathname === '/v1/chat/completions') {
      const json = JSON.parse(body)
      const subject = subjectOf(json)
      const behaviour = await behave(log.bodies.push(json) - 1, json, seen.get(subject) ?? 0, request)
      seen.set(subject, (seen.get(subject) ?? 0) + 1)
      return send(response, behaviour ?? { json: caption(json) })
    }
    const other = await batches?.answer(request, url, body, caption)
    return send(response, other ?? refuse(404, `Unknown request URL: ${request.method} ${url.pathname}`))
  }
  const server = http.createServer(async (request, response) => {
    log.mostAtOnce = Math.max(log.mostAtOnce, ++log.atOnce)
    response.on('close', () => log.atOnce--)
    try {
      const chunks = []
      for await (const chunk of request) chunks.push(chunk)
      await answer(request, response, Buffer.concat(chunks))
    } catch (error) {
      if (!response.headersSent) send(response, { status: 500, text: String(error) })
    }
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    ...log,
    log,
    url: `http://127.0.0.1:${server.address().port}/v1`,
    /** Captions that were made more than once. */
    get twice() {
      return [...log.captioned].filter(([, times]) => times > 1)
    },
    /** It keeps no process from ending. */
    unref: () => server.unref(),
    close: () => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(resolve))
    }
  }
}

async function send(response, { status = 200, headers = {}, json, text, delay = 0, cut = false, drip = 0 }) {
  if (delay > 0) await pause(delay)
  const body = Buffer.from(text ?? JSON.stringify(json ?? {}))
  if (cut === true) return response.socket?.destroy()
  const type = json === undefined ? 'text/plain' : 'application/json'
  response.writeHead(status, { 'content-type': type, 'content-length': body.length, ...headers })
  if (cut === 'body') {
    response.write(body.subarray(0, body.length / 2))
    await pause(20)
    return response.socket?.destroy()
  }
  if (drip === 0) return response.end(body)
  for (const byte of body) {
    if (response.destroyed) return
    response.write(Buffer.from([byte]))
    await pause(drip)
  }
  response.end()
}
