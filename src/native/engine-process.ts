import { Child, ChildLost, ChildOverdue, type RequestOptions } from '../child'
import { VcapError } from '../errors'
import { packageFile } from '../package'
import type { Picture } from '../picture'
import type { Detail, NativeDevice, NativeJob, NativeLoadOptions, NativeModel, NativeModelInfo } from './addon'
import type { NativeAnswer, NativeEmbedding, NativeEngineTime, NativePooling, NativeRequest } from './addon'
import type { EngineHost } from './engine-host'
import { answerMs, probeRpcServer, probeRpcServers } from './rpc-probe'

/** What an engine's process is asked: of the addon, and then of the one model that it loads. */
export type EngineRequest =
  | { what: 'devices'; rpc: string[] }
  | { what: 'load'; options: NativeLoadOptions }
  | { what: 'caption'; request: NativeRequest }
  | { what: 'embed'; pictures: Picture[]; detail: Detail; pooling?: NativePooling | undefined }
  | { what: 'time' }
  | { what: 'close' }

/** What an engine's process tells meanwhile: the share of the model that is loaded. */
export interface EngineEvent {
  fraction: number
}

/** Milliseconds in which a server answers where the engine's process has ended and the reason is looked for. */
const lookMs = 2000
/** A process that is let go ends at once. */
const exitGraceMs = 1000

/** An engine in a process of its own, with RPC servers among its devices. What ends that process ends no other. */
export class EngineProcess implements EngineHost {
  devices: NativeDevice[] = []
  readonly #child: Child<EngineRequest, unknown, EngineEvent>
  #onProgress: (fraction: number) => void = () => undefined

  private constructor(
    readonly rpc: string[],
    readonly protocol: readonly [number, number]
  ) {
    this.#child = new Child(packageFile('dist', 'native', 'engine-main.js'), {
      onEvent: ({ fraction }) => this.#onProgress(fraction),
      // What ggml writes before it ends the process is for its developers.
      quiet: process.env.VCAP_LOG !== '1',
      env: { ...process.env, GGML_NO_BACKTRACE: '1' },
      exitGraceMs
    })
  }

  /** Asks the servers whether they are there, then starts the process and lets it connect to them. */
  static async open(
    rpc: string[],
    protocol: readonly [number, number],
    signal: AbortSignal | undefined
  ): Promise<EngineProcess> {
    await probeRpcServers(rpc, protocol, signal)
    const host = new EngineProcess(rpc, protocol)
    try {
      // ggml connects on the process's JavaScript thread.
      const options = { signal, deadlineMs: answerMs * 2, blocksEvents: true }
      host.devices = (await host.#ask({ what: 'devices', rpc }, options)) as NativeDevice[]
      return host
    } catch (error) {
      host.end()
      throw error
    }
  }

  async load(
    options: NativeLoadOptions,
    onProgress: (fraction: number) => void,
    signal: AbortSignal | undefined
  ): Promise<NativeModel> {
    this.#onProgress = onProgress
    const info = (await this.#ask({ what: 'load', options }, { signal })) as NativeModelInfo
    return {
      info,
      caption: (request) => {
        const job = this.#job<NativeAnswer[]>({ what: 'caption', request })
        const over = () => undefined
        return { ...job, cut: job.promise.then(over, over) }
      },
      embed: (pictures, detail, pooling) => this.#job<NativeEmbedding>({ what: 'embed', pictures, detail, pooling }),
      time: () => this.#ask({ what: 'time' }, {}) as Promise<NativeEngineTime>,
      close: () => this.#close()
    }
  }

  end(): void {
    this.#child.end()
  }

  async #close(): Promise<void> {
    try {
      if (this.#child.alive) await this.#child.request({ what: 'close' })
    } catch (error) {
      if (!(error instanceof ChildLost)) throw error // one that has ended is closed
    } finally {
      this.end()
    }
  }

  #job<Answer>(request: EngineRequest): NativeJob<Answer> {
    const given = new AbortController()
    const promise = this.#ask(request, { signal: given.signal }) as Promise<Answer>
    return { promise, cancel: () => given.abort() }
  }

  async #ask(request: EngineRequest, options: RequestOptions): Promise<unknown> {
    try {
      return await this.#child.request(request, options)
    } catch (error) {
      if (error instanceof ChildLost) throw await this.#lost(error)
      if (error instanceof ChildOverdue) {
        const servers = this.rpc.join(', ')
        throw new VcapError(
          'device_unavailable',
          `An RPC server of ${servers} stopped answering: restart it or leave it out`
        )
      }
      throw error
    }
  }

  /** Why the process ended, as far as can be seen from here. */
  async #lost({ message, started }: ChildLost): Promise<VcapError> {
    if (!started) {
      return new VcapError(
        'engine_lost',
        `The engine's process cannot be started (${message}): free memory or processes`
      )
    }
    const found = await Promise.allSettled(
      this.rpc.map((endpoint) => probeRpcServer(endpoint, this.protocol, lookMs, undefined))
    )
    const reasons = found.flatMap((one) => (one.status === 'rejected' ? [(one.reason as Error).message] : []))
    const why = reasons.join('. ') || `the connection to ${this.rpc.join(' or ')} was lost, or the system ended it`
    return new VcapError('engine_lost', `The engine's process ended (${message}). ${why}`)
  }
}
