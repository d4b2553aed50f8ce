import type { EngineTime, RowCaption, RowInput } from '../caption'
import { Child, ChildLost } from '../child'
import { VcapError } from '../errors'
import { packageFile } from '../package'
import { ownGpus } from './own-gpus'
import type { ReplicaAnswer, ReplicaEvent, ReplicaInfo, ReplicaLoad, ReplicaRequest } from './protocol'

/** A replica that is let go ends at once. */
const exitGraceMs = 1000

/** A replica is gone, or its engine is: what it had under way is to be captioned by another. */
export class ReplicaLost extends Error {}

/** One process of a replica, from its start to its end. */
export class Replica {
  /** Share of the model that is loaded. */
  fraction = 0
  /** Bytes that are its own, as last heard. */
  memory = 0
  /** What its engine has done, as last heard. */
  time: EngineTime = { engines: 1, busy: 0, filled: 0 }
  info: ReplicaInfo | undefined
  readonly #load: ReplicaLoad
  readonly #child: Child<ReplicaRequest, ReplicaAnswer, ReplicaEvent>
  #heard = performance.now()
  /** How long it had been silent when it was ended for that. */
  #silentMs: number | undefined

  /** Throws `ChildLost` where the system refuses at once. */
  constructor(load: ReplicaLoad, onLoading: () => void) {
    const { set, env } = ownGpus(load.set, process.env)
    this.#load = { ...load, set }
    this.#child = new Child(packageFile('dist', 'replicas', 'replica-main.js'), {
      onEvent: (event) => {
        this.#heard = performance.now()
        if ('memory' in event) {
          this.memory = event.memory
          this.time = event.time ?? this.time
        } else {
          this.fraction = event.fraction
          onLoading()
        }
      },
      // What ggml writes before it ends a process is for its developers.
      quiet: process.env.VCAP_LOG !== '1',
      env: { ...env, GGML_NO_BACKTRACE: '1' },
      exitGraceMs
    })
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** Resolves when it has loaded. Rejects with what loading throws, `ReplicaLost` and `aborted`. */
  async open(signal: AbortSignal | undefined): Promise<ReplicaInfo> {
    // ggml connects to RPC servers on the process's JavaScript thread.
    const blocksEvents = this.#load.set.rpc.length > 0
    const answer = await this.#ask({ what: 'load', load: this.#load }, { signal, blocksEvents })
    return (this.info = answer as ReplicaInfo)
  }

  /** Rejects as `RowCaptioner.captionRow` does, and with `ReplicaLost`. */
  async caption(row: RowInput, signal: AbortSignal): Promise<RowCaption> {
    return (await this.#ask({ what: 'caption', row }, { signal })) as RowCaption
  }

  /** Ends it where it has given no sign of life for so many milliseconds: it will not go on. */
  requireBeat(silentMs: number): void {
    if (performance.now() - this.#heard < silentMs) return
    this.#silentMs = silentMs
    this.#child.end()
  }

  /** Resolves when its process is gone. */
  stop(): Promise<void> {
    return this.#child.stop()
  }

  async #ask(request: ReplicaRequest, options: { signal?: AbortSignal | undefined; blocksEvents?: boolean }) {
    try {
      return await this.#child.request(request, options)
    } catch (error) {
      if (error instanceof ChildLost) {
        const silent = this.#silentMs
        throw new ReplicaLost(silent === undefined ? error.message : `no sign of life for ${silent / 1000} seconds`)
      }
      if (error instanceof VcapError && error.code === 'engine_lost') throw new ReplicaLost(error.message)
      throw error
    }
  }
}
