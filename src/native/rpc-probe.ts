import net from 'node:net'
import { abortedError, VcapError } from '../errors'
import type { NativeDevice } from './addon'

/*
 * A ggml RPC server is asked what ggml itself asks it first, before ggml gets its address: ggml waits for every answer
 * without end, and ends the process where none comes or a wrong one. A request is a command's byte, the length of its
 * body in eight bytes and the body; the answer is a length and a body. Numbers are little-endian.
 */

/** Commands of ggml's RPC protocol. */
const command = { deviceMemory: 11, hello: 14, deviceCount: 15 } as const

/** Bytes in which client and server say which transports they know; zeros: TCP alone. */
const capabilityBytes = 24
/** More devices than this no server has. */
const maxDevices = 256

/** Milliseconds in which a server answers. One that serves another client does not. */
export const answerMs = 10_000

/** A server, and the devices that it offers. */
export interface RpcServer {
  /** `host:port`. */
  endpoint: string
  /** Named by the endpoint; its second one is `host:port/1`. */
  devices: NativeDevice[]
}

/** Asks several at once. Rejects with `device_unavailable`, `aborted`. */
export function probeRpcServers(
  endpoints: string[],
  version: readonly [number, number],
  signal: AbortSignal | undefined
): Promise<RpcServer[]> {
  return Promise.all(endpoints.map((endpoint) => probeRpcServer(endpoint, version, answerMs, signal)))
}

/**
 * Connects to a ggml RPC server, `host:port`, and asks for its protocol, its devices and their memory. Rejects with
 * `device_unavailable` where that is not answered within `deadlineMs` milliseconds, or not as a server of the protocol
 * `version`, major and minor, does it; with `aborted`.
 */
export async function probeRpcServer(
  endpoint: string,
  version: readonly [number, number],
  deadlineMs: number,
  signal?: AbortSignal
): Promise<RpcServer> {
  if (signal?.aborted) throw abortedError(signal)
  const connection = new Connection(endpoint)
  const timer = setTimeout(() => connection.fail(`it does not answer within ${deadlineMs / 1000} s`), deadlineMs)
  const onAbort = () => connection.fail('aborted')
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    const hello = await connection.ask(command.hello, Buffer.alloc(capabilityBytes), 4 + capabilityBytes)
    const [major, minor] = [hello[0]!, hello[1]!]
    if (major !== version[0] || minor > version[1]) {
      throw new Error(`it speaks version ${major}.${minor} of the protocol, not ${version.join('.')}`)
    }
    const count = (await connection.ask(command.deviceCount, Buffer.alloc(0), 4)).readUInt32LE()
    if (count === 0 || count > maxDevices) throw new Error(`it offers ${count} devices`)
    const devices: NativeDevice[] = []
    for (let number = 0; number < count; number++) devices.push(await askDevice(connection, endpoint, number))
    return { endpoint, devices }
  } catch (error) {
    if (signal?.aborted) throw abortedError(signal)
    throw new VcapError(
      'device_unavailable',
      `No RPC server of this version of ggml answers at ${endpoint} (${(error as Error).message}): ` +
        'start one there, free it of another client, or leave it out'
    )
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
    connection.close()
  }
}

async function askDevice(connection: Connection, endpoint: string, number: number): Promise<NativeDevice> {
  const body = Buffer.alloc(4)
  body.writeUInt32LE(number)
  const memory = await connection.ask(command.deviceMemory, body, 16)
  return {
    name: number === 0 ? endpoint : `${endpoint}/${number}`,
    description: 'RPC server',
    type: 'gpu',
    memoryFree: Number(memory.readBigUInt64LE(0)),
    memoryTotal: Number(memory.readBigUInt64LE(8))
  }
}

/** A connection on which one thing is asked after the other. */
class Connection {
  readonly #socket: net.Socket
  #received = Buffer.alloc(0)
  #failure: Error | undefined
  /** Looks at what has come, or has failed, since it was last called. */
  #notice = () => {}

  constructor(endpoint: string) {
    const [, host, port] = /^\[?(.*?)\]?:(\d+)$/.exec(endpoint) ?? []
    this.#socket = new net.Socket()
    this.#socket.on('error', ({ message }) => this.fail(message))
    this.#socket.on('close', () => this.fail('it ends the connection'))
    this.#socket.on('data', (data) => {
      this.#received = Buffer.concat([this.#received, data])
      this.#notice()
    })
    if (host && Number(port) < 65536) this.#socket.connect(Number(port), host)
    else this.fail('this is no host:port')
  }

  /** Sends a command and resolves to the body of the answer, which has `length` bytes. */
  ask(code: number, body: Buffer, length: number): Promise<Buffer> {
    const head = Buffer.alloc(9)
    head[0] = code
    head.writeBigUInt64LE(BigInt(body.length), 1)
    if (!this.#failure) this.#socket.write(Buffer.concat([head, body]))
    return new Promise((resolve, reject) => {
      this.#notice = () => {
        if (this.#received.length >= 8 && this.#received.readBigUInt64LE() !== BigInt(length)) {
          this.fail('what it answers is not of this protocol')
        }
        if (this.#failure) return reject(this.#failure)
        if (this.#received.length < 8 + length) return
        const answer = this.#received.subarray(8, 8 + length)
        this.#received = this.#received.subarray(8 + length)
        resolve(answer)
      }
      this.#notice()
    })
  }

  fail(why: string): void {
    if (this.#failure) return
    this.#failure = new Error(why)
    this.#notice()
  }

  close(): void {
    this.fail('closed')
    this.#socket.destroy()
  }
}
