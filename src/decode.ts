import type { Readable } from 'node:stream'
import type { FrameIndex, VideoFile } from './demux'
import { inputArgs, reason } from './demux'
import { VcapError } from './errors'
import type { FfmpegLimits, FfmpegOutcome } from './ffmpeg'
import { runFfmpeg } from './ffmpeg'
import type { Picture } from './picture'

/** Inputs one ffmpeg process opens: each has its decoder and that decoder's memory. */
const seeksPerProcess = 8

/** What one pipe may carry: a picture of 16,384 × 16,384. */
const pipeBytes = 16384 * 16384 * 3 + 64

/**
 * Decodes the frames `wanted` (indices, ascending) by seeking to each. Undefined when a
 * frame is not the one at its time: the container seeks badly, or its packets are not its
 * frames, and `decodeFromStart` has to count.
 */
export async function decodeBySeeking(
  file: VideoFile,
  index: FrameIndex,
  wanted: number[],
  limits: FfmpegLimits
): Promise<Picture[] | undefined> {
  if (!index.times) return undefined
  const pictures: Picture[] = []
  for (let first = 0; first < wanted.length; first += seeksPerProcess) {
    const group = wanted.slice(first, first + seeksPerProcess).map((frame) => seekPoint(index.times!, frame))
    const found = await seekGroup(file, group, limits)
    if (!found) return undefined
    pictures.push(...found)
  }
  return pictures
}

interface SeekPoint {
  /** Seconds; ffmpeg shows the first frame at or after `from`. */
  from: number
  /** The wanted frame is the only one shown before `to`. */
  to: number
}

/** Aims between the wanted frame and the one before, so that no rounding can miss it. */
function seekPoint(times: Float64Array, frame: number): SeekPoint {
  const time = times[frame]!
  const gap = frame > 0 ? time - times[frame - 1]! : 0
  const next = frame + 1 < times.length ? times[frame + 1]! - time : gap || 0.02
  return { from: frame > 0 ? Math.max(0, time - gap / 2) : 0, to: time + Math.max(next / 2, 0.001) }
}

async function seekGroup(file: VideoFile, points: SeekPoint[], limits: FfmpegLimits): Promise<Picture[] | undefined> {
  const args = ['-loglevel', 'info']
  for (const { from } of points) {
    args.push('-threads', '1')
    if (from > 0) args.push('-ss', from.toFixed(6))
    args.push(...inputArgs(file))
  }
  points.forEach((_, i) => {
    args.push('-map', `${i}:V:0`, '-vf', `showinfo@frame${i}`, '-frames:v', '1', ...pictureTo(i))
  })
  const shown = new Map<number, number>()
  const pipes = points.map(() => new PicturePipe())
  const outcome = await runFfmpeg(args, limits, {
    outputs: pipes.map((pipe) => pipe.read),
    onStderr: (line) => {
      const frame = /^\[showinfo@frame(\d+) .* n: *0 .*pts_time: *([-\d.e+]+)/.exec(line)
      if (frame) shown.set(Number(frame[1]), Number(frame[2]))
    }
  })
  refuseTimeout(outcome)
  if (outcome.status !== 0) return undefined
  const pictures: Picture[] = []
  for (const [i, { from, to }] of points.entries()) {
    const picture = pipes[i]!.picture()
    // Shown times count from the seek point.
    const time = from + (shown.get(i) ?? Infinity)
    if (!picture || time > to) return undefined
    pictures.push(picture)
  }
  return pictures
}

/**
 * Decodes the whole video and keeps the frames `wanted` (indices, ascending, without
 * repeats). Frames beyond the end stay undefined, and `length` then tells how many there
 * are. Throws `unreadable`, `no_frames`.
 */
export async function decodeFromStart(
  file: VideoFile,
  wanted: number[],
  limits: FfmpegLimits
): Promise<{ pictures: (Picture | undefined)[]; length: number }> {
  const args = ['-loglevel', 'info', ...inputArgs(file)]
  wanted.forEach((frame, i) => {
    // The last output sees every frame before its own: it counts.
    const count = i === wanted.length - 1 ? 'showinfo@count,' : ''
    args.push('-map', '0:V:0', '-vf', `${count}select=eq(n\\,${frame}),setpts=0`, '-frames:v', '1', ...pictureTo(i))
  })
  let length = 0
  const pipes = wanted.map(() => new PicturePipe())
  const outcome = await runFfmpeg(args, limits, {
    outputs: pipes.map((pipe) => pipe.read),
    onStderr: (line) => {
      const frame = /^\[showinfo@count .* n: *(\d+) /.exec(line)
      if (frame) length = Math.max(length, Number(frame[1]) + 1)
    }
  })
  refuseTimeout(outcome)
  if (length === 0) throw new VcapError('no_frames', `None of its frames can be decoded: ${reason(outcome)}`)
  return { pictures: pipes.map((pipe) => pipe.picture()), length }
}

/** Writes its one frame to the pipe with this number: PPM is raw RGB that says its size. */
function pictureTo(pipe: number): string[] {
  return ['-c:v', 'ppm', '-pix_fmt', 'rgb24', '-f', 'image2pipe', `pipe:${3 + pipe}`]
}

function refuseTimeout(outcome: FfmpegOutcome): void {
  if (outcome.timedOut) throw new VcapError('unreadable', 'Decoding it took too long')
}

class PicturePipe {
  readonly #chunks: Buffer[] = []
  #bytes = 0

  readonly read = (stream: Readable): void => {
    stream.on('data', (chunk: Buffer) => {
      this.#bytes += chunk.length
      if (this.#bytes > pipeBytes) stream.destroy()
      else this.#chunks.push(chunk)
    })
  }

  /** The picture that came, undefined when none or not all of it did. */
  picture(): Picture | undefined {
    const bytes = Buffer.concat(this.#chunks)
    const header = /^P6\n(\d+) (\d+)\n255\n/.exec(bytes.toString('latin1', 0, 32))
    if (!header) return undefined
    const width = Number(header[1])
    const height = Number(header[2])
    const data = bytes.subarray(header[0].length)
    return data.length === width * height * 3 ? { data, width, height } : undefined
  }
}
