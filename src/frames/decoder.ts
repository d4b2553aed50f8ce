import { fork, type ChildProcess } from 'node:child_process'
import os from 'node:os'
import path from 'node:path'
import { abortedError, VcapError, type ErrorCode } from '../errors'
import type { FrameSettings } from '../options'
import type { SampledFrames } from './sample'
import { findVideoTools, type VideoTools } from './tools'

/** To the process: frames of a file, or no longer. The signal stays here. */
export type DecoderRequest =
  | { id: number; path: string; settings: Omit<FrameSettings, 'signal'>; threads: number; tools: VideoTools }
  | { id: number; cancel: true }

export type DecoderAnswer = { id: number; sampled: SampledFrames } | { id: number; error: { code: ErrorCode; message: string } }

/** Of one decoder: more of them gain little, and each holds a picture. */
const mostThreads = 8

/** The process ended while it worked on this: it may be the file's fault, or a neighbour's. */
class DecoderLost extends Error {}

/**
 * Samples frames in a process of its own: what crashes there costs a row at most. Starting ffmpeg from a process that
 * holds a model in memory is dear as well: each start copies its page tables, and the model's threads then fault on every
 * page that they write.
 */
export class Decoder {
  #process: DecoderProcess | undefined
  /** By the ffmpeg asked for: looking costs more than a row that is missing. */
  readonly #tools = new Map<string | undefined, VideoTools>()

  /** As `sampleFrames`. The files `underWay`, this one among them, share the cores. */
  async sample(file: string, settings: FrameSettings, underWay: number): Promise<SampledFrames> {
    const tools = this.#tools.get(settings.ffmpeg) ?? findVideoTools(settings.ffmpeg)
    this.#tools.set(settings.ffmpeg, tools)
    const threads = Math.min(mostThreads, Math.max(1, Math.floor(os.availableParallelism() / underWay)))
    try {
      if (!this.#process?.alive) this.#process = new DecoderProcess()
      return await this.#process.sample(file, settings, threads, tools)
    } catch (error) {
      if (!(error instanceof DecoderLost)) throw error
      // The command crashes by itself.
      return this.#sampleAlone(file, settings, threads, { ...tools, nodeAv: tools.nodeAv && tools.ffmpeg === undefined })
    }
  }

  close(): void {
    this.#process?.close()
  }

  /** Once more in a process that has nothing else to do. */
  async #sampleAlone(file: string, settings: FrameSettings, threads: number, tools: VideoTools): Promise<SampledFrames> {
    const own = new DecoderProcess()
    try {
      return await own.sample(file, settings, threads, tools)
    } catch (error) {
      throw error instanceof DecoderLost ? new VcapError('unreadable', `Its decoding ends the process that does it (${error.message})`) : error
    } finally {
      own.close()
    }
  }
}

function start(): ChildProcess {
  try {
    return fork(path.join(__dirname, 'decoder-process.js'), [], {
      serialization: 'advanced',
      execArgv: [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      // A decoder at work holds one of the pool's threads.
      env: { UV_THREADPOOL_SIZE: String(Math.max(4, os.availableParallelism())), ...process.env }
    })
  } catch (error) {
    throw cannotStart((error as Error).message)
  }
}

function cannotStart(why: string): VcapError {
  return new VcapError('decoder_lost', `The process that decodes frames cannot be started (${why}): free memory, processes or open files, and run again`)
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
    this.#child = start()
    this.#child.on('message', (answer: DecoderAnswer) => {
      if ('error' in answer) this.#settle(answer.id)?.reject(new VcapError(answer.error.code, answer.error.message))
      else this.#settle(answer.id)?.resolve(answer.sampled)
    })
    this.#child.on('error', ({ message }) => this.#end(this.#child.pid === undefined ? cannotStart(message) : new DecoderLost(message)))
    this.#child.on('exit', (status, signal) => this.#end(new DecoderLost(signal ?? `exit status ${status}`)))
    this.#hold(false)
  }

  async sample(file: string, settings: FrameSettings, threads: number, tools: VideoTools): Promise<SampledFrames> {
    const { signal, ...rest } = settings
    if (signal?.aborted) throw abortedError(signal)
    const id = ++this.#lastId
    const cancel = () => this.#send({ id, cancel: true })
    const answered = new Promise<SampledFrames>((resolve, reject) => this.#pending.set(id, { resolve, reject }))
    this.#hold(true)
    // The process may have been started in another folder than ours is now; an empty path is refused as such.
    this.#send({ id, path: file && path.resolve(file), settings: rest, threads, tools })
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
    if (this.#child.connected) this.#child.send(request, (error) => error && this.#end(new DecoderLost(error.message)))
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

  #end(reason: Error): void {
    this.alive = false
    this.close() // one that cannot be spoken to need not stay
    for (const id of [...this.#pending.keys()]) this.#settle(id)?.reject(reason)
  }
}
