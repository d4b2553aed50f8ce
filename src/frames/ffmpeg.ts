import { spawn, type ChildProcess } from 'node:child_process'
import os from 'node:os'
import readline from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { abortedError, asVcapError, VcapError } from '../errors'

/** Which ffmpeg, when it is killed, and who may end it earlier. */
export interface FfmpegLimits {
  ffmpeg: string
  /** Milliseconds since the epoch. */
  deadline: number
  signal?: AbortSignal | undefined
}

export interface FfmpegOutcome {
  /** Exit status; null when it was killed. */
  status: number | null
  timedOut: boolean
  /** The last lines of stderr, for messages. */
  tail: string[]
}

interface FfmpegStreams {
  /** What `pipe:0` reads; nothing when left out. */
  input?: AsyncIterable<Uint8Array>
  /** One for each of the pipes `pipe:3`, `pipe:4`, … that the arguments write to. */
  outputs: ((stream: Readable) => void)[]
  onStderr?: (line: string) => void
}

const tailLines = 12

/** Children that must not outlive this process. */
const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Runs ffmpeg to its end. Rejects with `ffmpeg_missing`, `aborted`; a failing ffmpeg is an outcome. */
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
    yieldToTheEngine(child)
    for (const [i, read] of streams.outputs.entries()) read(child.stdio[3 + i] as Readable)
    readline.createInterface({ input: child.stderr! }).on('line', (line) => {
      outcome.tail.push(line)
      if (outcome.tail.length > tailLines) outcome.tail.shift()
      streams.onStderr?.(line)
    })
    if (streams.input) await feed(streams.input, child.stdin!)
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

async function feed(input: AsyncIterable<Uint8Array>, stdin: Writable): Promise<void> {
  try {
    await pipeline(input, stdin)
  } catch (error) {
    // A child that ends early says why on stderr and by its status.
    if (!['EPIPE', 'ERR_STREAM_PREMATURE_CLOSE'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}

/** ggml's threads spin at their barriers: a decoder beside them at equal priority halves their speed. */
function yieldToTheEngine(child: ChildProcess): void {
  if (child.pid === undefined) return
  try {
    os.setPriority(child.pid, os.constants.priority.PRIORITY_LOW)
  } catch (error) {
    // It may have ended already.
    if ((error as { info?: { code?: string } }).info?.code !== 'ESRCH') throw error
  }
}
