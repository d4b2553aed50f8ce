/** RPC servers for tests: a real one, and some that are not what they should be. */
import { spawn } from 'node:child_process'
import net from 'node:net'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { root } from './cli.mjs'

/** A port of this machine on which nothing listens. */
export async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** A server that calls `serve(socket)` for each client: `{ endpoint, close }`. */
export async function fakeServer(serve) {
  const sockets = new Set()
  const server = net.createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    serve(socket)
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
  return { endpoint: `127.0.0.1:${server.address().port}`, close }
}

/** An answer of ggml's RPC protocol: the length of a body and the body. */
export function answer(...bytes) {
  const body = Buffer.from(bytes)
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(body.length))
  return Buffer.concat([length, body])
}

/** A real server, of this machine's CPU, in a process of its own: `{ endpoint, kill }`. */
export async function realServer() {
  const endpoint = `127.0.0.1:${await freePort()}`
  const child = spawn(process.execPath, [path.join(root, 'test/helpers/rpc-server.mjs'), endpoint], { stdio: 'ignore' })
  for (let tries = 0; tries < 200; tries++) {
    const connected = await new Promise((resolve) => {
      const socket = net.connect(Number(endpoint.split(':')[1]), '127.0.0.1')
      socket.on('connect', () => resolve(true)).on('error', () => resolve(false))
      socket.on('connect', () => socket.destroy())
    })
    if (connected) break
    await pause(50)
  }
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const kill = () => {
    child.kill('SIGKILL')
    return ended
  }
  return { endpoint, kill }
}
