import { BlockList, isIP } from 'node:net'
import type { ProxyAgent } from 'undici'
import { VcapError } from './errors'

/*
 * Requests through the proxy that the environment names, as other tools take it: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY,
 * NO_PROXY, each also in lower case. The `fetch` of Node 20 and 22 knows none of them.
 */

const agents = new Map<string, ProxyAgent>()

/** `fetch`, through a proxy where the environment names one for this address. Rejects with `usage`, and as `fetch`. */
export async function fetchByProxy(url: URL, init: RequestInit): Promise<Response> {
  const proxy = proxyFor(url)
  if (!proxy) return fetch(url, init)
  const undici = await import('undici')
  let agent = agents.get(proxy.href)
  if (!agent) agents.set(proxy.href, (agent = new undici.ProxyAgent(proxy.href)))
  // Both are the same library, once inside Node and once with the agents that Node keeps for itself.
  const fetchVia = undici.fetch as unknown as (url: URL, init: object) => Promise<Response>
  return fetchVia(url, { ...init, dispatcher: agent })
}

/** The proxy for an address; undefined where there is none. It may hold a password. Throws `usage`. */
export function proxyFor(url: URL, env = process.env): URL | undefined {
  const find = (name: string) => env[name] || env[name.toUpperCase()] || undefined
  const text = find(url.protocol === 'https:' ? 'https_proxy' : 'http_proxy') ?? find('all_proxy')
  if (text === undefined || isLocal(url) || isExcepted(url, find('no_proxy') ?? '')) return undefined
  const whole = text.includes('://') ? text : `http://${text}`
  const proxy = URL.canParse(whole) ? new URL(whole) : undefined
  if (proxy?.protocol === 'http:' || proxy?.protocol === 'https:') return proxy
  throw new VcapError(
    'usage',
    'Expected an address such as http://proxy:3128 as the proxy of the environment variables'
  )
}

/** No proxy leads back to this machine. */
function isLocal({ hostname }: URL): boolean {
  return /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname)
}

/** By `NO_PROXY`: names with all below them, addresses, ranges such as 10.0.0.0/8, each also with a port; `*`: all. */
function isExcepted(url: URL, noProxy: string): boolean {
  const host = url.hostname.toLowerCase().replace(/^\[(.*)\]$/, '$1')
  const port = url.port || (url.protocol === 'https:' ? '443' : '80')
  return noProxy
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .some((entry) => {
      const [, name = entry, entryPort] = /^(.*[^:]):(\d+)$/.exec(entry) ?? []
      if (isIP(entry) === 0 && entryPort !== undefined && entryPort !== port) return false
      const plain = isIP(entry) === 0 ? name.replace(/^\*?\./, '') : entry
      return plain === '*' || host === plain || host.endsWith(`.${plain}`) || isInRange(host, plain)
    })
}

function isInRange(host: string, range: string): boolean {
  const [, address = '', bits = ''] = /^(.*)\/(\d+)$/.exec(range) ?? []
  const family = isIP(address)
  if (family === 0 || isIP(host) !== family || Number(bits) > (family === 6 ? 128 : 32)) return false
  const type = family === 6 ? 'ipv6' : 'ipv4'
  const list = new BlockList()
  list.addSubnet(address, Number(bits), type)
  return list.check(host, type)
}
