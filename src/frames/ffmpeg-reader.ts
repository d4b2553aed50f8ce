import type { Readable } from 'node:stream'
import { VcapError } from '../errors'
import type { Picture } from '../picture'
import { runFfmpeg, type FfmpegLimits, type FfmpegOutcome } from './ffmpeg'
import { indexFrames, inputArgs, reason } from './ffmpeg-index'
import {
  mostPixels,
  tookTooLong,
  type CountedFrames,
  type FrameIndex,
  type ReadLimits,
  type VideoFile,
  type VideoReader
} from './reader'

/** Inputs one ffmpeg process opens: each has its decoder and that decoder's memory. */
const seeksPerProcess = 8

/** What one pipe may carry: the largest picture and its header. */
const pipeBytes = mostPixels * 3 + 64

/** A video by ffmpeg processes: one for the index, one or more for the frames. */
export class FfmpegReader implements VideoReader {
  readonly #file: VideoFile
  readonly #limits: ReadLimits & FfmpegLimits
  #index: FrameIndex | undefined

  constructor(file: VideoFile, limits: ReadLimits & FfmpegLimits) {
    this.#file = file
    this.#limits = limits
  }

  async index(): Promise<FrameIndex> {
    return (this.#index ??= await indexFrames(this.#file, this.#limits))
  }

  async bySeeking(wanted: number[]): Promise<Picture[] | undefined> {
    const { times } = await this.index()
    if (!times) return undefined
    const pictures: Picture[] = []
    for (let first = 0; first < wanted.length; first += seeksPerProcess) {
      const found = await this.#seekGroup(
        wanted.slice(first, first + seeksPerProcess).map((frame) => seekPoint(times, frame))
      )
      if (!found) return undefined
      pictures.push(...found)
    }
    return pictures
  }

  async #seekGroup(points: SeekPoint[]): Promise<Picture[] | undefined> {
    const args = ['-loglevel', 'info']
    for (const { from } of points) {
      args.push('-threads', String(this.#limits.threads))
      if (from > 0) args.push('-ss', from.toFixed(6))
      args.push(...inputArgs(this.#file))
    }
    points.forEach((_, i) => {
      args.push('-map', `${i}:V:0`, '-vf', `showinfo@frame${i}`, '-frames:v', '1', ...pictureTo(i))
    })
    const shown = new Map<number, number>()
    const pipes = points.map(() => new PicturePipe())
    const outcome = await runFfmpeg(args, this.#limits, {
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

  async fromStart(wanted: number[]): Promise<CountedFrames> {
    const args = ['-loglevel', 'info', '-threads', String(this.#limits.threads), ...inputArgs(this.#file)]
    wanted.forEach((frame, i) => {
      // The last output sees every frame before its own: it counts.
      const count = i === wanted.length - 1 ? 'showinfo@count,' : ''
      args.push('-map', '0:V:0', '-vf', `${count}select=eq(n\\,${frame}),setpts=0`, '-frames:v', '1', ...pictureTo(i))
    })
    let length = 0
    const pipes = wanted.map(() => new PicturePipe())
    const outcome = await runFfmpeg(args, this.#limits, {
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

  close(): void {
    // Nothing is open between two processes.
  }
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

/** Writes its one frame to the pipe with this number: PPM is raw RGB that says its size. */
function pictureTo(pipe: number): string[] {
  return ['-c:v', 'ppm', '-pix_fmt', 'rgb24', '-f', 'image2pipe', `pipe:${3 + pipe}`]
}

function refuseTimeout(outcome: FfmpegOutcome): void {
  if (outcome.timedOut) throw tookTooLong()
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
