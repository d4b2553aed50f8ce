import { fork, type ChildProcess } from 'node:child_process'
import os from 'node:os'
import path from 'node:path'
import { abortedError, VcapError, type ErrorCode } from '../errors'
import { Gate } from '../gate'
import type { FrameSettings } from '../options'
import { tookTooLong } from './reader'
import type { SampledFrames, SampleSettings } from './sample'
import { findVideoTools, type VideoTools } from './tools'

export interface DecoderRequest {
  path: string
  settings: SampleSettings
  threads: number
  tools: VideoTools
}

/** `ready` comes once, when the process has started. */
export type DecoderAnswer =
  | { ready: true }
  | { sampled: SampledFrames }
  | { error: { code: ErrorCode; message: string } }

/** Of one decoder: more of them gain little, and each holds a picture. */
const mostThreads = 8

/** Seconds that a process may be late: it looks at its own limit between two packets. */
const grace = 10

/** Milliseconds in which a process that is let go may end what it started itself. */
const parting = 1000

/** The process ended before it answered. */
class DecoderLost extends Error {
  /** Whether it had started at all. */
  readonly started: boolean

  constructor(message: string, started: boolean) {
    super(message)
    this.started = started
  }
}

/** Processes in the middle of plain calls, which hear nothing: they must not outlive this process. */
const deaf = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of deaf) child.kill('SIGKILL')
})

/**
 * Samples frames in processes of their own, a file each: what crashes or hangs there costs its own row at most. Starting
 * ffmpeg from a process that holds a model in memory is dear as well: each start copies its page tables, and the model's
 * threads then fault on every page that they write.
 */
export class Decoder {
  /** At most. */
  readonly processes: number
  readonly #places: Gate
  readonly #idle: DecoderProcess[] = []
  /** By the ffmpeg asked for: looking costs more than a row that is missing. */
  readonly #tools = new Map<string | undefined, VideoTools>()
  #underWay = 0
  #closed = false

  /** 0 processes: by the number of cores. */
  constructor(processes = 0) {
    this.processes = processes || Math.max(2, os.availableParallelism())
    this.#places = new Gate(this.processes)
  }

  /** As `sampleFrames`. Of the files `underWay`, this one among them, those being decoded share the cores. */
  async sample(
    file: string,
    { signal, ...settings }: FrameSettings,
    underWay = this.#underWay + 1
  ): Promise<SampledFrames> {
    const tools = this.#tools.get(settings.ffmpeg) ?? findVideoTools(settings.ffmpeg)
    this.#tools.set(settings.ffmpeg, tools)
    const threads = Math.min(
      mostThreads,
      Math.max(1, Math.floor(os.availableParallelism() / Math.min(underWay, this.processes)))
    )
    // The process may have been started in another folder than ours is now; an empty path is refused as such.
    const request = { path: file && path.resolve(file), settings, threads, tools }
    this.#underWay++
    try {
      return await this.#places.run(signal, () => this.#sampleTwice(request, signal))
    } finally {
      this.#underWay--
    }
  }

  /** Lets every process go. */
  close(): void {
    this.#closed = true
    for (const idle of this.#idle) idle.end()
  }

  /** A process may be lost through no fault of the file's; one that decodes with the command does not crash with it. */
  async #sampleTwice(request: DecoderRequest, signal: AbortSignal | undefined): Promise<SampledFrames> {
    try {
      return await this.#sampleWith(this.#takeIdle() ?? new DecoderProcess(), request, signal)
    } catch (error) {
      if (!(error instanceof DecoderLost)) throw error
    }
    // In a new one: what ended the first may have ended those that are idle.
    const { ffmpeg, nodeAv } = request.tools
    try {
      return await this.#sampleWith(
        new DecoderProcess(),
        { ...request, tools: { ffmpeg, nodeAv: nodeAv && ffmpeg === undefined } },
        signal
      )
    } catch (error) {
      if (!(error instanceof DecoderLost)) throw error
      throw error.started
        ? new VcapError('unreadable', `Its decoding ends the process that does it (${error.message})`)
        : cannotStart(error.message)
    }
  }

  #takeIdle(): DecoderProcess | undefined {
    let process = this.#idle.pop()
    while (process && !process.alive) process = this.#idle.pop()
    return process
  }

  async #sampleWith(
    process: DecoderProcess,
    request: DecoderRequest,
    signal: AbortSignal | undefined
  ): Promise<SampledFrames> {
    try {
      return await process.sample(request, signal)
    } finally {
      if (this.#closed) process.end()
      else if (process.alive) this.#idle.push(process)
    }
  }
}

class DecoderProcess {
  readonly #child = start()
  #settle: { resolve: (sampled: SampledFrames) => void; reject: (error: Error) => void } | undefined
  #started = false
  alive = true

  constructor() {
    this.#child.on('message', (answer: DecoderAnswer) => {
      if ('ready' in answer) this.#started = true
      else if ('error' in answer) this.#settle?.reject(new VcapError(answer.error.code, answer.error.message))
      else this.#settle?.resolve(answer.sampled)
    })
    this.#child.on('error', ({ message }) =>
      this.#lose(this.#child.pid === undefined ? cannotStart(message) : this.#lost(message))
    )
    this.#child.on('exit', (status, signal) => this.#lose(this.#lost(signal ?? `exit status ${status}`)))
    this.#hold(false)
  }

  async sample(request: DecoderRequest, signal: AbortSignal | undefined): Promise<SampledFrames> {
    if (signal?.aborted) throw abortedError(signal)
    const abort = () => this.#lose(abortedError(signal!))
    const overdue = setTimeout(() => this.#lose(tookTooLong()), (request.settings.decodeTimeout + grace) * 1000)
    signal?.addEventListener('abort', abort, { once: true })
    this.#hold(true)
    if (request.tools.nodeAv) deaf.add(this.#child)
    try {
      return await new Promise((resolve, reject) => {
        this.#settle = { resolve, reject }
        // What cannot be sent is answered by the process's end.
        if (this.#child.connected) this.#child.send(request, (error) => error && this.#lose(this.#lost(error.message)))
      })
    } finally {
      clearTimeout(overdue)
      signal?.removeEventListener('abort', abort)
      this.#settle = undefined
      deaf.delete(this.#child)
      this.#hold(false)
    }
  }

  /** It goes by itself when nobody is there to answer to, and takes its ffmpeg with it, unless it does not hear that. */
  end(): void {
    this.alive = false
    if (deaf.has(this.#child)) this.#child.kill('SIGKILL')
    if (!this.#child.connected) return
    this.#child.disconnect()
    setTimeout(() => this.#child.kill('SIGKILL'), parting).unref()
  }

  #lost(why: string): DecoderLost {
    return new DecoderLost(why, this.#started)
  }

  #lose(reason: Error): void {
    this.end()
    this.#settle?.reject(reason)
  }

  /** Whether it keeps this process alive: not while idle. */
  #hold(held: boolean): void {
    const how = held ? 'ref' : 'unref'
    this.#child[how]()
    this.#child.channel?.[how]()
  }
}

function start(): ChildProcess {
  try {
    return fork(path.join(__dirname, 'decoder-process.js'), [], {
      serialization: 'advanced',
      execArgv: [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc']
    })
  } catch (error) {
    throw cannotStart((error as Error).message)
  }
}

function cannotStart(why: string): VcapError {
  return new VcapError(
    'decoder_lost',
    `The process that decodes frames cannot be started (${why}): free memory, processes or open files, and run again`
  )
}
