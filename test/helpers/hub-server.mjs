import { createHash } from 'node:crypto'
import http from 'node:http'
import https from 'node:https'
import { once } from 'node:events'

const commit = 'c0ffee'.padEnd(40, '0')
const sha256 = (content) => createHash('sha256').update(content).digest('hex')
const gitSha = (content) => createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex')

async function listen(handle, tls) {
  const server = tls ? https.createServer(tls, handle) : http.createServer(handle)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { server, port: server.address().port }
}

/**
 * A server that speaks as the Hugging Face Hub does: what a file is comes with a redirect, its content from another
 * host. `files` are contents by `owner/name/file`; `fault(request, at)` may answer in its place or say how the content
 * goes wrong: `{ status, headers }`, `{ cut: bytes }`, `{ stall: bytes }`, `{ content }`, `{ ignoreRange }`. Files in
 * `small` are no LFS files. `names` are those of the two hosts, `tls` a key and a certificate for them.
 */
export async function startHub(files, { fault = () => undefined, small = [], token, names, tls } = {}) {
  const hosts = names ?? { hub: 'localhost', store: '127.0.0.1' }
  const scheme = tls ? 'https' : 'http'
  const asked = []
  const note = (request, host) => {
    const { method, url, headers } = request
    asked.push({ host, method, url, range: headers.range, authorization: headers.authorization })
    return asked.filter((one) => one.host === host && one.method === method).length
  }

  const filesOf = (repo) => Object.keys(files).filter((name) => name.startsWith(`${repo}/`))

  const store = await listen((request, response) => {
    const at = note(request, 'store')
    const content = files[decodeURIComponent(request.url.slice(1))]
    send(request, response, content, fault(request, 'store', at) ?? {})
  }, tls)

  const hub = await listen((request, response) => {
    const at = note(request, 'hub')
    const wrong = fault(request, 'hub', at) ?? {}
    if (wrong.status) return end(response, wrong.status, wrong.headers)
    if (token && request.headers.authorization !== `Bearer ${token}`) {
      return end(response, 401, { 'x-error-code': 'GatedRepo' })
    }
    const tree = /^\/api\/models\/([^/]+\/[^/]+)\/tree\/main\?recursive=true$/.exec(request.url)
    if (tree) {
      if (!filesOf(tree[1]).length) return end(response, 404, { 'x-error-code': 'RepoNotFound' })
      const list = filesOf(tree[1]).map((name) => ({ type: 'file', path: name.slice(tree[1].length + 1) }))
      return response.end(JSON.stringify([{ type: 'directory', path: 'sub' }, ...list]))
    }
    const match = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(request.url)
    if (!match) return end(response, 404)
    const [, repo, revision, file] = match.map(decodeURIComponent)
    const content = files[`${repo}/${file}`]
    if (filesOf(repo).length === 0) return end(response, 404, { 'x-error-code': 'RepoNotFound' })
    if (!['main', commit].includes(revision)) return end(response, 404, { 'x-error-code': 'RevisionNotFound' })
    if (!content) return end(response, 404, { 'x-error-code': 'EntryNotFound' })
    response.setHeader('x-repo-commit', commit)
    if (small.includes(file)) {
      response.setHeader('etag', `"${gitSha(content)}"`)
      return send(request, response, content, wrong)
    }
    response.setHeader('x-linked-size', String(wrong.size ?? content.length))
    response.setHeader('x-linked-etag', `"${wrong.etag ?? sha256(content)}"`)
    end(response, 302, {
      location: `${scheme}://${hosts.store}:${store.port}/${encodeURIComponent(`${repo}/${file}`)}`
    })
  }, tls)

  return {
    endpoint: `${scheme}://${hosts.hub}:${hub.port}`,
    commit,
    asked,
    /** Bytes of contents that were asked for, by their ranges. */
    gets: () => asked.filter(({ host, method }) => host === 'store' && method === 'GET'),
    unref: () => {
      for (const { server } of [hub, store]) server.unref()
    },
    close: () => {
      for (const { server } of [hub, store]) {
        server.closeAllConnections()
        server.close()
      }
    }
  }
}

function end(response, status, headers = {}) {
  response.writeHead(status, headers)
  response.end()
}

function send(request, response, content, { status, headers, cut, stall, content: other, ignoreRange, slow }) {
  if (status) return end(response, status, headers)
  if (!content) return end(response, 404)
  const whole = other ?? content
  const from = ignoreRange ? 0 : Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
  if (from >= whole.length) return end(response, 416)
  const body = whole.subarray(from)
  const range = { 'content-range': `bytes ${from}-${whole.length - 1}/${whole.length}` }
  response.writeHead(from > 0 ? 206 : 200, { 'content-length': body.length, ...(from > 0 && range) })
  if (request.method === 'HEAD') return response.end()
  if (cut !== undefined) return response.write(body.subarray(0, cut), () => response.destroy())
  if (stall !== undefined) return response.write(body.subarray(0, stall))
  if (slow) return trickle(response, body, slow)
  response.end(body)
}

/** Sends so many bytes every 20 ms. */
async function trickle(response, body, bytes) {
  for (let at = 0; at < body.length && !response.destroyed; at += bytes) {
    response.write(body.subarray(at, at + bytes))
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  response.end()
}
