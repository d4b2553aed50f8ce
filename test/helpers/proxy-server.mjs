import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'

/**
 * A proxy that tunnels (CONNECT), as those of clusters do: names that end with `.test` are this machine. `credentials`,
 * `name:password`, are asked for where they are given.
 */
export async function startProxy({ credentials } = {}) {
  /** Where it was asked to lead. */
  const tunnels = []
  const sockets = new Set()
  const server = http.createServer((_request, response) => {
    response.writeHead(405)
    response.end()
  })
  server.on('connect', (request, client, head) => {
    sockets.add(client)
    client.on('error', () => undefined)
    const wanted = credentials && `Basic ${Buffer.from(credentials).toString('base64')}`
    if (wanted && request.headers['proxy-authorization'] !== wanted) {
      return client.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n')
    }
    tunnels.push(request.url)
    const [host, port] = request.url.split(':')
    const target = net.connect(Number(port), host.endsWith('.test') ? '127.0.0.1' : host, () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n')
      target.write(head)
      target.pipe(client)
      client.pipe(target)
    })
    sockets.add(target)
    target.on('error', () => client.destroy())
    client.on('close', () => target.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    host: `127.0.0.1:${server.address().port}`,
    tunnels,
    close: () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    }
  }
}
