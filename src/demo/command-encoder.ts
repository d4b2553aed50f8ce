import { spawnSync } from 'node:child_process'
import { VcapError } from '../errors'
import { runFfmpeg } from '../frames/ffmpeg'
import { failureReason } from '../frames/ffmpeg-index'
import type { ClipEncoder, ClipFormat, ClipFrames } from './clip-encoder'

/** Milliseconds after which encoding one clip is given up. */
const timeoutMs = 600_000

/** Encodes by the ffmpeg command at a path. */
export class CommandEncoder implements ClipEncoder {
  readonly name: string
  readonly #ffmpeg: string
  readonly #encoders: Set<string | undefined>

  constructor(ffmpeg: string) {
    this.name = `ffmpeg at ${ffmpeg}`
    this.#ffmpeg = ffmpeg
    const { stdout } = spawnSync(ffmpeg, ['-hide_banner', '-encoders'], { encoding: 'utf8' })
    this.#encoders = new Set((stdout ?? '').split('\n').map((line) => line.trim().split(/\s+/)[1]))
  }

  has(encoder: string): boolean {
    return this.#encoders.has(encoder)
  }

  async write(file: string, clip: ClipFrames, { encoder, options }: ClipFormat, signal?: AbortSignal): Promise<void> {
    const { frames, width, height, fps } = clip
    const input = ['-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s', `${width}x${height}`, '-r', String(fps), '-i', 'pipe:0']
    const settings = Object.entries(options).flatMap(([name, value]) => [`-${name}:v`, value])
    const outcome = await runFfmpeg(
      ['-loglevel', 'error', '-y', ...input, '-c:v', encoder, ...settings, '-pix_fmt', 'yuv420p', `file:${file}`],
      { ffmpeg: this.#ffmpeg, deadline: performance.now() + timeoutMs, signal },
      { input: frames, outputs: [] }
    )
    if (outcome.status !== 0)
      throw new VcapError('write_failed', `${file} could not be encoded: ${failureReason(outcome)}`)
  }
}
