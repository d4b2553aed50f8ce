import { fork, type ChildProcess } from 'node:child_process'
import path from 'node:path'
import { abortedError, VcapError, type ErrorCode } from './errors'
import type { SampledFrames } from './frames'
import type { FrameSettings } from './options'

/** To the process: frames of a file, or no longer. The signal stays here. */
export type DecoderRequest =
  | { id: number; path: string; settings: Omit<FrameSettings, 'signal'>; ffmpeg: string }
  | { id: number; cancel: true }

export type DecoderAnswer = { id: number; sampled: SampledFrames } | { id: number; error: { code: ErrorCode; message: string } }

/** The process ended while it worked on this: it may be the file's fault, or a neighbour's. */
class DecoderLost extends Error {}

/**
 * Samples frames in a process of its own. Starting ffmpeg from a process that holds a model in memory is dear: each start
 * copies its page tables, and the model's threads then fault on every page that they write. What crashes there costs a row.
 */
export class Decoder {
  readonly #ffmpeg: string
  #process: DecoderProcess | undefined

  constructor(ffmpeg: string) {
    this.#ffmpeg = ffmpeg
  }

  /** As `sampleFrames`. */
  async sample(file: string, settings: FrameSettings): Promise<SampledFrames> {
    try {
      if (!this.#process?.alive) this.#process = new DecoderProcess()
      return await this.#process.sample(file, settings, this.#ffmpeg)
    } catch (error) {
      if (!(error instanceof DecoderLost)) throw error
      return this.#sampleAlone(file, settings)
    }
  }

  close(): void {
    this.#process?.close()
  }

  /** Once more in a process that has nothing else to do. */
  async #sampleAlone(file: string, settings: FrameSettings): Promise<SampledFrames> {
    const own = new DecoderProcess()
    try {
      return await own.sample(file, settings, this.#ffmpeg)
    } catch (error) {
      throw error instanceof DecoderLost ? new VcapError('unreadable', `Its decoding ends the process that does it (${error.message})`) : error
    } finally {
      own.close()
    }
  }
}

interface Pending {
  resolve: (sampled: SampledFrames) => void
  reject: (error: Error) => void
}

class DecoderProcess {
  readonly #child: ChildProcess
  readonly #pending = new Map<number, Pending>()
  #lastId = 0
  alive = true

  constructor() {
    this.#child = fork(path.join(__dirname, 'decoder-process.js'), [], { serialization: 'advanced', execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    this.#child.on('message', (answer: DecoderAnswer) => {
      if ('error' in answer) this.#settle(answer.id)?.reject(new VcapError(answer.error.code, answer.error.message))
      else this.#settle(answer.id)?.resolve(answer.sampled)
    })
    this.#child.on('error', (error) => this.#end(error.message))
    this.#child.on('exit', (status, signal) => this.#end(signal ?? `exit status ${status}`))
    this.#hold(false)
  }

  async sample(file: string, settings: FrameSettings, ffmpeg: string): Promise<SampledFrames> {
    const { signal, ...rest } = settings
    if (signal?.aborted) throw abortedError(signal)
    const id = ++this.#lastId
    const cancel = () => this.#send({ id, cancel: true })
    const answered = new Promise<SampledFrames>((resolve, reject) => this.#pending.set(id, { resolve, reject }))
    this.#hold(true)
    // The process may have been started in another folder than ours is now; an empty path is refused as such.
    this.#send({ id, path: file && path.resolve(file), settings: rest, ffmpeg })
    signal?.addEventListener('abort', cancel, { once: true })
    try {
      return await answered
    } catch (error) {
      throw signal?.aborted ? abortedError(signal) : error
    } finally {
      signal?.removeEventListener('abort', cancel)
    }
  }

  close(): void {
    if (this.#child.connected) this.#child.disconnect()
  }

  #send(request: DecoderRequest): void {
    // What cannot be sent is answered by the process's end.
    if (this.#child.connected) this.#child.send(request, (error) => error && this.#end(error.message))
  }

  /** Whether it keeps this process alive: not while idle. */
  #hold(held: boolean): void {
    const how = held ? 'ref' : 'unref'
    this.#child[how]()
    this.#child.channel?.[how]()
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    if (this.#pending.size === 0) this.#hold(false)
    return pending
  }

  #end(reason: string): void {
    this.alive = false
    this.close() // one that cannot be spoken to need not stay
    for (const id of [...this.#pending.keys()]) this.#settle(id)?.reject(new DecoderLost(reason))
  }
}
