import { spawn, type ChildProcess } from 'node:child_process'
import readline from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { abortedError, asVcapError, VcapError } from '../errors'

/** The ffmpeg to run and what ends it early. */
export interface FfmpegLimits {
  /** Path of the ffmpeg command. */
  ffmpeg: string
  /** Time at which ffmpeg is killed, in milliseconds since the Unix epoch. */
  deadline: number
  /** ffmpeg is killed when this is aborted. */
  signal?: AbortSignal | undefined
}

/** How a process of ffmpeg ended. */
export interface FfmpegOutcome {
  /** Exit status; null where ffmpeg was killed by a signal. */
  status: number | null
  /** Whether ffmpeg was killed because the deadline had passed. */
  timedOut: boolean
  /** The last lines of stderr, for error messages. */
  tail: string[]
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

/** The running ffmpeg processes. They are killed when this process exits. */
const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/**
 * Runs ffmpeg and resolves when it has ended, also where it failed or timed out: the outcome says so. Rejects with
 * `ffmpeg_missing` where it cannot be started, and with `aborted`.
 */
export async function runFfmpeg(args: string[], limits: FfmpegLimits, streams: FfmpegStreams): Promise<FfmpegOutcome> {
  const { signal } = limits
  if (signal?.aborted) throw abortedError(signal)
  const child = spawn(limits.ffmpeg, ['-hide_banner', '-nostdin', ...args], {
    stdio: [streams.input ? 'pipe' : 'ignore', 'ignore', 'pipe', ...streams.outputs.map(() => 'pipe' as const)]
  })
  const outcome: FfmpegOutcome = { status: null, timedOut: false, tail: [] }
  const kill = () => child.kill('SIGKILL')
  const timer = setTimeout(
    () => {
      outcome.timedOut = true
      kill()
    },
    Math.max(0, limits.deadline - Date.now())
  )
  signal?.addEventListener('abort', kill, { once: true })
  running.add(child)
  try {
    const ended = new Promise<number | null>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', resolve)
    })
    for (const [i, read] of streams.outputs.entries()) read(child.stdio[3 + i] as Readable)
    readline.createInterface({ input: child.stderr! }).on('line', (line) => {
      outcome.tail.push(line)
      if (outcome.tail.length > maxTailLines) outcome.tail.shift()
      streams.onStderr?.(line)
    })
    if (streams.input) await writeInput(streams.input, child.stdin!)
    outcome.status = await ended
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'EACCES') {
      throw new VcapError('ffmpeg_missing', `ffmpeg at ${limits.ffmpeg} cannot be run: ${code}`, { cause: error })
    }
    throw asVcapError(error)
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', kill)
    running.delete(child)
  }
  if (signal?.aborted) throw abortedError(signal)
  return outcome
}

async function writeInput(input: AsyncIterable<Uint8Array>, stdin: Writable): Promise<void> {
  try {
    await pipeline(input, stdin)
  } catch (error) {
    // These codes mean that ffmpeg ended before it read all of its input. Its status and stderr say why.
    if (!['EPIPE', 'ERR_STREAM_PREMATURE_CLOSE'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}
