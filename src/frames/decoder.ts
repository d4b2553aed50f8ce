import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { Child, ChildLost, ChildOverdue, type RequestOptions } from '../child'
import { cpus } from '../cpus'
import { asVcapError, VcapError } from '../errors'
import type { FrameSettings } from '../options'
import { packageFile } from '../package'
import { Semaphore } from '../semaphore'
import { memoryHint, outOfMemoryStatus } from './memory-limit'
import { receiveFrames, type SentFrames } from './pixel-file'
import type { MediaFacts, ProbeSettings } from './probe'
import { tookTooLong } from './reader'
import type { SampledFrames, SampleSettings } from './sample'
import { findVideoTools, type VideoTools } from './tools'
import { openUnnamedFile } from './unnamed-file'

/** What a decoder's process is asked of one file: frames, or what it is. */
export type DecoderRequest = SampleRequest | ProbeRequest

interface FileRequest {
  /** Absolute, or empty. */
  path: string
  /** Threads that FFmpeg may decode with. */
  threads: number
  tools: VideoTools
}

interface SampleRequest extends FileRequest {
  work: 'sample'
  settings: SampleSettings & Pick<FrameSettings, 'decodeMemory'>
}

interface ProbeRequest extends FileRequest {
  work: 'probe'
  settings: ProbeSettings & Pick<FrameSettings, 'decodeMemory'>
}

/** The settings of decoding that a probe takes too. */
export type FileSettings = ProbeSettings & Pick<FrameSettings, 'decodeMemory' | 'ffmpeg' | 'signal'>

/** Sampled frames, and what says that nobody holds their pixels any more. */
export interface HeldFrames extends SampledFrames {
  release: () => void
}

/** Threads of one decoder: more of them gain little, and each holds a picture. */
const maxThreads = 8

/**
 * Milliseconds that a process may take beyond `decodeTimeout` before it is given up: it keeps that limit itself, but
 * looks at the clock only between two packets.
 */
const deadlineGraceMs = 10_000

/** Milliseconds in which a process that is let go may end its ffmpeg. */
const exitGraceMs = 1000

/** Times that starting a process is tried for one file. */
const maxStarts = 5

/** Milliseconds of the first pause before a process is started again, and of the longest one. */
const firstPauseMs = 250
const longestPauseMs = 4000

/**
 * Samples frames in processes of their own, one file at a time in each: what crashes or hangs there costs its own row
 * at most. Starting ffmpeg from a process that holds a model in memory is expensive as well: each start copies that
 * process's page tables, and the engine's threads then fault on every page that they write.
 */
export class Decoder {
  /** Files that are decoded at once, each in its process. */
  readonly processes: number
  readonly #free: Semaphore
  readonly #room: Semaphore | undefined
  readonly #idle: DecoderProcess[] = []
  /** What was found for each ffmpeg asked for: looking takes longer than a row whose file is missing. */
  readonly #tools = new Map<string | undefined, VideoTools>()
  #underWay = 0
  /** Processes that were lost since one answered. */
  #lostInARow = 0
  #closed = false

  /**
   * 0 processes: by the number of cores. `room`: bytes that the pictures handed out may have together, until they are
   * released.
   */
  constructor(processes = 0, room?: Semaphore) {
    this.#room = room
    this.processes = processes || Math.max(2, cpus().usable)
    this.#free = new Semaphore(this.processes)
  }

  /**
   * Frames of one file, as `sampleFrames` gives them. `underWay` is the number of files that share the cores now, this
   * one among them; `recall` aborts as long as the file waits for its turn. Rejects with what `sampleFrames` throws,
   * `decoder_lost` and `aborted`.
   */
  sample(file: string, { signal, ...asked }: FrameSettings, turn: Turn = {}): Promise<HeldFrames> {
    const { ffmpeg, numFrames, fps, resize, decodeTimeout, decodeMemory, allowPartial } = asked
    const settings = { ffmpeg, numFrames, fps, resize, decodeTimeout, decodeMemory, allowPartial }
    const ask = (parts: RequestParts) => ({ work: 'sample' as const, settings, ...parts })
    return this.#inTurn(file, settings.ffmpeg, signal, turn, ask, (process, request, options) =>
      process.sample(request, options, this.#room)
    )
  }

  /** What one file is, as `probeMedia` gives it. Rejects as `sample` does. */
  probe(file: string, { signal, ...settings }: FileSettings): Promise<MediaFacts> {
    const ask = (parts: RequestParts) => ({ work: 'probe' as const, settings, ...parts })
    return this.#inTurn(file, settings.ffmpeg, signal, {}, ask, (process, request, options) =>
      process.probe(request, options)
    )
  }

  async #inTurn<R extends DecoderRequest, T>(
    file: string,
    ffmpeg: string | undefined,
    signal: AbortSignal | undefined,
    { underWay = this.#underWay + 1, recall = signal }: Turn,
    ask: (parts: RequestParts) => R,
    work: Work<R, T>
  ): Promise<T> {
    const tools = this.#tools.get(ffmpeg) ?? findVideoTools(ffmpeg)
    this.#tools.set(ffmpeg, tools)
    const cores = cpus().usable
    const threads = Math.min(maxThreads, Math.max(1, Math.floor(cores / Math.min(underWay, this.processes))))
    // A process may have been started in another folder than ours is now. An empty path stays one, to be refused.
    const request = ask({ path: file && path.resolve(file), threads, tools })
    this.#underWay++
    try {
      return await this.#free.run(recall, () => this.#askTwice(request, signal, work))
    } finally {
      this.#underWay--
    }
  }

  /** Lets every process go. */
  close(): void {
    this.#closed = true
    for (const idle of this.#idle.splice(0)) idle.end()
  }

  /**
   * A process may be lost through no fault of the file, so that the file is tried once more: in a new process, since
   * what ended the first may have ended the idle ones too, and with the ffmpeg command where there is one, since a
   * file that crashes FFmpeg's libraries then crashes only the ffmpeg process.
   */
  async #askTwice<R extends DecoderRequest, T>(
    request: R,
    signal: AbortSignal | undefined,
    work: Work<R, T>
  ): Promise<T> {
    try {
      return await this.#askOne(this.#takeIdle(request.settings.decodeMemory), request, signal, work)
    } catch (error) {
      if (!(error instanceof ChildLost)) throw error
    }
    const { ffmpeg, nodeAv } = request.tools
    const again = { ...request, tools: { ffmpeg, nodeAv: nodeAv && ffmpeg === undefined } }
    for (let attempt = 2; ; attempt++) {
      await this.#pause(signal)
      try {
        return await this.#askOne(undefined, again, signal, work)
      } catch (error) {
        if (!(error instanceof ChildLost)) throw error
        if (error.started) throw endedByDecoding(error, request.settings.decodeMemory)
        if (attempt === maxStarts) throw cannotStart(error)
      }
    }
  }

  /** The more processes are lost in a row, the longer: what takes their memory may be gone by then. */
  async #pause(signal: AbortSignal | undefined): Promise<void> {
    if (this.#lostInARow < 2) return
    const milliseconds = Math.min(longestPauseMs, firstPauseMs * 2 ** (this.#lostInARow - 2))
    try {
      await setTimeout(milliseconds, undefined, { signal })
    } catch (error) {
      throw asVcapError(error)
    }
  }

  /** One that has this limit of memory, in GiB. */
  #takeIdle(memory: number): DecoderProcess | undefined {
    for (let idle = this.#idle.pop(); idle; idle = this.#idle.pop()) {
      if (idle.alive && idle.memory === memory) return idle
      idle.end()
    }
    return undefined
  }

  /** Throws `ChildLost`. */
  #start(memory: number): DecoderProcess {
    try {
      return new DecoderProcess(memory)
    } catch (error) {
      this.#lostInARow++
      throw error
    }
  }

  /** With the process given, else with a new one. */
  async #askOne<R extends DecoderRequest, T>(
    idle: DecoderProcess | undefined,
    request: R,
    signal: AbortSignal | undefined,
    work: Work<R, T>
  ): Promise<T> {
    const process = idle ?? this.#start(request.settings.decodeMemory)
    const deadlineMs = request.settings.decodeTimeout * 1000 + deadlineGraceMs
    let answered = false
    try {
      // FFmpeg's libraries are called synchronously there.
      const options = { signal, deadlineMs, blocksEvents: request.tools.nodeAv }
      const answer = await work(process, request, options)
      answered = true
      this.#lostInARow = 0
      return answer
    } catch (error) {
      if (error instanceof ChildLost) this.#lostInARow++
      answered = error instanceof VcapError && error.code !== 'aborted'
      throw error instanceof ChildOverdue ? tookTooLong() : error
    } finally {
      // One that was aborted or is overdue still works on a file that nobody wants.
      if (this.#closed || !answered) process.end()
      else this.#idle.push(process)
    }
  }
}

/** When a file is decoded: see `Decoder.sample`. */
interface Turn {
  underWay?: number
  recall?: AbortSignal | undefined
}

type RequestParts = Pick<FileRequest, 'path' | 'threads' | 'tools'>

/** Asks one process. */
type Work<R, T> = (process: DecoderProcess, request: R, options: RequestOptions) => Promise<T>

/** `memory` is the process's limit in GiB. */
function endedByDecoding({ message }: ChildLost, memory: number): VcapError {
  if (message === `exit status ${outOfMemoryStatus}`) {
    return new VcapError('unreadable', `Decoding it takes more memory than a decoder may have: ${memoryHint(memory)}`)
  }
  const hint =
    message === 'SIGKILL'
      ? '. Where memory ran out: fewer decoders, or smaller files'
      : memory > 0 && endsWithoutMemory.includes(message)
        ? `. Where it was refused memory: ${memoryHint(memory)}`
        : ''
  return new VcapError(
    'unreadable',
    `Its decoding ends the process that does it (${message}, twice, with ${freeMemory()} of memory free)${hint}`
  )
}

/** How libraries end a process to which the system gives no more memory. */
const endsWithoutMemory = ['SIGABRT', 'SIGTRAP', 'SIGSEGV', 'SIGILL']

function cannotStart({ message }: ChildLost): VcapError {
  return new VcapError(
    'decoder_lost',
    `The process that decodes frames cannot be started (${message}, ${maxStarts} times, with ${freeMemory()} of ` +
      'memory free): free memory, processes or open files, and run again'
  )
}

/** Memory that new processes may take now, on the machine and in this container. */
function freeMemory(): string {
  const bytes = Math.min(os.freemem(), process.availableMemory?.() ?? Infinity)
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`
}

/** A process that decodes one file after the other, and the file through which its pixels come. */
class DecoderProcess {
  /** GiB that it may take; 0 without a limit. */
  readonly memory: number
  readonly #pixels: number
  readonly #child: Child<DecoderRequest, SentFrames | MediaFacts>

  /** Throws `ChildLost`. */
  constructor(memory: number) {
    this.memory = memory
    try {
      this.#pixels = openUnnamedFile()
    } catch (error) {
      throw new ChildLost((error as Error).message, false)
    }
    try {
      const options = {
        descriptors: [this.#pixels],
        exitGraceMs,
        // What libraries say before they end a process; the row's error says what it came to.
        quiet: process.env.VCAP_DEBUG !== '1',
        ...(memory > 0 && { memoryBytes: memory * 2 ** 30 })
      }
      this.#child = new Child(packageFile('dist', 'frames', 'decoder-main.js'), options)
    } catch (error) {
      fs.closeSync(this.#pixels)
      throw error
    }
  }

  get alive(): boolean {
    return this.#child.alive
  }

  /** The pixels stay in the file, and the process stays busy, until there is room for them here. */
  async sample(request: SampleRequest, options: RequestOptions, room: Semaphore | undefined): Promise<HeldFrames> {
    const sent = (await this.#child.request(request, options)) as SentFrames
    const bytes = sent.frames.reduce((sum, { width, height }) => sum + width * height * 3, 0)
    const release = (await room?.take(options.signal, bytes)) ?? (() => undefined)
    try {
      return { ...(await receiveFrames(this.#pixels, sent)), release }
    } catch (error) {
      release()
      throw error
    }
  }

  async probe(request: ProbeRequest, options: RequestOptions): Promise<MediaFacts> {
    return (await this.#child.request(request, options)) as MediaFacts
  }

  /** Once, and not while it samples. */
  end(): void {
    this.#child.end()
    fs.closeSync(this.#pixels)
  }
}
