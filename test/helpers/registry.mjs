import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'

/** The manifest in a packed package. */
export function packedManifest(tarball) {
  return JSON.parse(execFileSync('tar', ['-xzOf', tarball, 'package/package.json'], { encoding: 'utf8' }))
}

/**
 * An npm registry on this machine that has the packages of these tarballs. Other names are asked of the registry
 * `upstream` and kept; without one they are not there. `counted` says which names are ours beside those.
 */
export async function startRegistry(tarballs, { upstream, counted = /^$/ } = {}) {
  const packages = new Map()
  /** What was asked for: the names of packages, whether their manifests or their tarballs. */
  let asked = []
  let bytes = 0
  const kept = new Map()
  let url = ''

  for (const file of tarballs) {
    const content = fs.readFileSync(file)
    const manifest = packedManifest(file)
    packages.set(manifest.name, { manifest, content })
  }

  function packument({ manifest, content }) {
    const { name, version } = manifest
    const hash = (kind, as) => createHash(kind).update(content).digest(as)
    const dist = {
      tarball: `${url}/${name}/-/${name.split('/').at(-1)}-${version}.tgz`,
      integrity: `sha512-${hash('sha512', 'base64')}`,
      shasum: hash('sha1', 'hex')
    }
    const time = { [version]: '2020-01-01T00:00:00.000Z', modified: '2020-01-01T00:00:00.000Z' }
    return { name, 'dist-tags': { latest: version }, versions: { [version]: { ...manifest, dist } }, time }
  }

  /** What the registry above says; its tarballs are asked of this one too. */
  async function fromUpstream(place, accept) {
    if (!upstream) return { status: 404, body: '{}', type: 'application/json' }
    const key = `${accept} ${place}`
    if (!kept.has(key)) kept.set(key, ask(place, accept))
    return kept.get(key)
  }

  async function ask(place, accept) {
    const base = upstream.replace(/\/$/, '')
    const response = await fetch(`${base}${place}`, { headers: { accept } })
    const type = response.headers.get('content-type') ?? ''
    const content = Buffer.from(await response.arrayBuffer())
    const body = type.includes('json') ? content.toString().replaceAll(`"${base}/`, `"${url}/`) : content
    return { status: response.status, body, type }
  }

  const server = http.createServer(async (request, response) => {
    const place = request.url
    const [name, rest] = decodeURIComponent(place.split('?')[0].slice(1)).split('/-/')
    const own = packages.get(name)
    asked.push({ name, tarball: rest !== undefined })
    try {
      if (own) {
        response.setHeader('content-type', rest ? 'application/octet-stream' : 'application/json')
        const body = rest ? own.content : JSON.stringify(packument(own))
        bytes += body.length
        return response.end(body)
      }
      const { status, body, type } = await fromUpstream(place, request.headers.accept ?? '*/*')
      bytes += body.length
      response.writeHead(status, { 'content-type': type })
      response.end(body)
    } catch (error) {
      response.writeHead(502)
      response.end(String(error))
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${server.address().port}`
  const isOurs = (name) => packages.has(name) || counted.test(name)
  return {
    url,
    /** Our names whose tarballs were asked for since the last call, sorted. */
    downloads: () => {
      const names = asked.filter(({ name, tarball }) => tarball && isOurs(name)).map(({ name }) => name)
      asked = []
      return [...new Set(names)].sort()
    },
    /** Bytes sent since `resetBytes`. */
    bytes: () => bytes,
    resetBytes: () => {
      bytes = 0
    },
    close: () => {
      server.closeAllConnections()
      server.close()
    }
  }
}
