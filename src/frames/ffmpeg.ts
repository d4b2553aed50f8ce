import { spawn, type ChildProcess } from 'node:child_process'
import readline from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { cpus } from '../cpus'
import { abortedError, asVcapError, VcapError } from '../errors'
import { ReadFault } from './fault'
import { OutOfMemory, tellsOutOfMemory } from './memory-limit'
import { tookTooLong } from './reader'

/** The ffmpeg to run and what ends it early. */
export interface FfmpegLimits {
  /** Path of the ffmpeg command. */
  ffmpeg: string
  /** When ffmpeg is killed: milliseconds of `performance.now()`, which no setting of the clock changes. */
  deadline: number
  /** ffmpeg is killed when this is aborted. */
  signal?: AbortSignal | undefined
}

/** How a process of ffmpeg ended. */
export interface FfmpegOutcome {
  /** Exit status; null where ffmpeg was killed by a signal. */
  status: number | null
  /** The signal that ended ffmpeg; null where it ended by itself. */
  signal: NodeJS.Signals | null
  /** Whether ffmpeg was killed because the deadline had passed. */
  timedOut: boolean
  /** The last lines of stderr, for error messages. */
  tail: string[]
  /** What the system said when ffmpeg failed to read its input; undefined where it said nothing. */
  readError: string | undefined
  /** Whether ffmpeg said that it was refused memory. */
  outOfMemory: boolean
}

interface FfmpegStreams {
  /** Data that ffmpeg reads from `pipe:0`. Where it is left out, `pipe:0` is empty. */
  input?: AsyncIterable<Uint8Array>
  /** Readers of the pipes `pipe:3`, `pipe:4` and so on, one for each pipe that the arguments name. */
  outputs: ((stream: Readable) => void)[]
  /** Called with each line of stderr. */
  onStderr?: (line: string) => void
}

/** Lines of stderr that are kept for error messages. */
const maxTailLines = 12

/** Reasons of the system why a file cannot be read, as ffmpeg prints them. */
const readErrors = [
  'Input/output error',
  'Interrupted system call',
  'Stale file handle',
  'Connection timed out',
  'Host is down',
  'No data available',
  'No such device',
  'Remote I/O error',
  'Transport endpoint is not connected'
]

/**
 * A line of stderr with such a reason. It begins with the input's name or with the part of ffmpeg that speaks; lines of
 * metadata, which the file can choose, are indented.
 */
const readErrorLine = new RegExp(`^(?:file:|\\[).*: (${readErrors.join('|')})$`)

/** The running ffmpeg processes. They are killed when this process exits. */
const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/**
 * Runs ffmpeg and resolves when it has ended, also where it failed or timed out: the outcome says so. Rejects with
 * `ffmpeg_missing` where there is none to start, with `decoder_lost` where the system refuses, and with `aborted`.
 */
export async function runFfmpeg(args: string[], limits: FfmpegLimits, streams: FfmpegStreams): Promise<FfmpegOutcome> {
  const { signal } = limits
  if (signal?.aborted) throw abortedError(signal)
  const child = await start(
    limits.ffmpeg,
    ['-hide_banner', '-nostdin', '-filter_threads', '1', ...secondsOfWork(limits), ...args],
    [streams.input ? 'pipe' : 'ignore', 'ignore', 'pipe', ...streams.outputs.map(() => 'pipe' as const)]
  )
  const outcome: FfmpegOutcome = {
    status: null,
    signal: null,
    timedOut: false,
    tail: [],
    readError: undefined,
    outOfMemory: false
  }
  const kill = () => child.kill('SIGKILL')
  const timer = setTimeout(
    () => {
      outcome.timedOut = true
      kill()
    },
    Math.max(0, limits.deadline - performance.now())
  )
  signal?.addEventListener('abort', kill, { once: true })
  running.add(child)
  try {
    const ended = new Promise<void>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', (status, signal) => {
        Object.assign(outcome, { status, signal })
        resolve()
      })
    })
    for (const [i, read] of streams.outputs.entries()) read(child.stdio[3 + i] as Readable)
    readline.createInterface({ input: child.stderr! }).on('line', (line) => {
      outcome.tail.push(line)
      if (outcome.tail.length > maxTailLines) outcome.tail.shift()
      outcome.readError ??= readErrorLine.exec(line)?.[1]
      outcome.outOfMemory ||= tellsOutOfMemory(line)
      streams.onStderr?.(line)
    })
    if (streams.input) await writeInput(streams.input, child.stdin!)
    await ended
  } catch (error) {
    throw asVcapError(error)
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', kill)
    running.delete(child)
  }
  if (signal?.aborted) throw abortedError(signal)
  return outcome
}

/**
 * An ffmpeg whose parent is killed has nobody who ends it: the system does, once it has worked for as long as all cores
 * could until its deadline.
 */
function secondsOfWork({ deadline }: FfmpegLimits): string[] {
  const seconds = Math.max(1, Math.ceil((deadline - Date.now()) / 1000))
  return ['-timelimit', String(Math.min(maxTimeLimit, seconds * cpus().usable + 10))]
}

/** ffmpeg takes seconds of 31 bits. */
const maxTimeLimit = 2 ** 31 - 1

/**
 * Throws what kept ffmpeg from the end of its input without being the file's fault: `unreadable`, `OutOfMemory` and
 * `ReadFault`. `endsSo` says that a fault of reading is what the file's demuxer calls its end.
 */
export function requireReadToEnd(outcome: FfmpegOutcome, endsSo = false): void {
  const { timedOut, signal, readError, outOfMemory } = outcome
  if (timedOut) throw tookTooLong()
  if (outOfMemory) throw new OutOfMemory('ffmpeg is refused some')
  if (signal !== null) throw new ReadFault(`ffmpeg was ended by ${signal}`)
  if (readError !== undefined && !endsSo) throw new DemuxerFault(readError)
}

/** ffmpeg says that the system failed to read the file. */
export class DemuxerFault extends ReadFault {}

/** A process that has started. One that has not has no pipes. Rejects with `ffmpeg_missing` and `decoder_lost`. */
async function start(ffmpeg: string, args: string[], stdio: ('pipe' | 'ignore')[]): Promise<ChildProcess> {
  try {
    const child = spawn(ffmpeg, args, { stdio })
    if (child.pid !== undefined) return child
    throw await new Promise((resolve) => child.once('error', resolve))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'EACCES') {
      throw new VcapError('ffmpeg_missing', `ffmpeg at ${ffmpeg} cannot be run: ${code}`, { cause: error })
    }
    throw new VcapError(
      'decoder_lost',
      `ffmpeg at ${ffmpeg} cannot be started (${code}): free memory, processes or open files, and run again`,
      { cause: error }
    )
  }
}

async function writeInput(input: AsyncIterable<Uint8Array>, stdin: Writable): Promise<void> {
  try {
    await pipeline(input, stdin)
  } catch (error) {
    // These codes mean that ffmpeg ended before it read all of its input. Its status and stderr say why.
    if (!['EPIPE', 'ERR_STREAM_PREMATURE_CLOSE'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}
