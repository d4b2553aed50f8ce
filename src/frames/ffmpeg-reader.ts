import type { Readable } from 'node:stream'
import { VcapError } from '../errors'
import type { Picture } from '../picture'
import { requireReadable } from './fault'
import { requireReadToEnd, runFfmpeg, type FfmpegLimits } from './ffmpeg'
import { failureReason, indexFrames, inputArgs } from './ffmpeg-index'
import {
  maxPixels,
  type CountedFrames,
  type FrameIndex,
  type ReadLimits,
  type VideoFile,
  type VideoReader
} from './reader'

/** Inputs that one ffmpeg process opens. Their number is limited because each has a decoder with its own memory. */
const maxInputsPerProcess = 8

/** Bytes that are accepted from one pipe: those of the largest picture and its header. */
const maxPipeBytes = maxPixels * 3 + 64

/** Reads a video with the ffmpeg command: one process makes the index, one or more others decode the frames. */
export class FfmpegReader implements VideoReader {
  readonly #file: VideoFile
  readonly #limits: ReadLimits & FfmpegLimits
  #index: FrameIndex | undefined

  constructor(file: VideoFile, limits: ReadLimits & FfmpegLimits) {
    this.#file = file
    this.#limits = limits
  }

  async index(): Promise<FrameIndex> {
    return (this.#index ??= await this.#readIndex())
  }

  async #readIndex(): Promise<FrameIndex> {
    const index = await indexFrames(this.#file, this.#limits)
    // Some demuxers take a fault of reading for the end of the file, and ffmpeg then ends without a word.
    await requireReadable(this.#file.path, this.#limits.deadline)
    return index
  }

  async decodeBySeeking(wanted: number[]): Promise<Picture[] | undefined> {
    const { times } = await this.index()
    if (!times) return undefined
    const pictures: Picture[] = []
    for (let first = 0; first < wanted.length; first += maxInputsPerProcess) {
      const group = wanted.slice(first, first + maxInputsPerProcess)
      const decoded = await this.#decodeWindows(group.map((index) => seekWindow(times, index)))
      if (!decoded) return undefined
      pictures.push(...decoded)
    }
    return pictures
  }

  /**
   * Decodes one frame for each window in one ffmpeg process, which opens the file once for each of them. Undefined
   * where ffmpeg fails or a frame is not in its window.
   */
  async #decodeWindows(windows: SeekWindow[]): Promise<Picture[] | undefined> {
    const args = ['-loglevel', 'info']
    for (const { from } of windows) {
      args.push('-threads', String(this.#limits.threads))
      if (from > 0) args.push('-ss', from.toFixed(6))
      args.push(...inputArgs(this.#file))
    }
    windows.forEach((_, i) => {
      args.push('-map', `${i}:V:0`, '-vf', `showinfo@frame${i}`, '-frames:v', '1', ...pictureOutputArgs(i))
    })
    /** By window, the presentation time of its frame in seconds. ffmpeg counts it from the time that it seeks to. */
    const presentationTimes = new Map<number, number>()
    const pipes = windows.map(() => new PicturePipe())
    const outcome = await runFfmpeg(args, this.#limits, {
      outputs: pipes.map((pipe) => pipe.read),
      onStderr: (line) => {
        const frame = /^\[showinfo@frame(\d+) .* n: *0 .*pts_time: *([-\d.e+]+)/.exec(line)
        if (frame) presentationTimes.set(Number(frame[1]), Number(frame[2]))
      }
    })
    requireReadToEnd(outcome)
    if (outcome.status !== 0) return undefined
    const pictures: Picture[] = []
    for (const [i, { from, to }] of windows.entries()) {
      const picture = pipes[i]!.picture()
      const time = from + (presentationTimes.get(i) ?? Infinity)
      if (!picture || time > to) return undefined
      pictures.push(picture)
    }
    return pictures
  }

  async decodeFromStart(wanted: number[]): Promise<CountedFrames> {
    const args = ['-loglevel', 'info', '-threads', String(this.#limits.threads), ...inputArgs(this.#file)]
    wanted.forEach((index, i) => {
      // The frames are counted in the last output's filters, since that output ends after all others.
      const count = i === wanted.length - 1 ? 'showinfo@count,' : ''
      const filters = `${count}select=eq(n\\,${index}),setpts=0`
      args.push('-map', '0:V:0', '-vf', filters, '-frames:v', '1', ...pictureOutputArgs(i))
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
    requireReadToEnd(outcome)
    if (length === 0) throw new VcapError('no_frames', `None of its frames can be decoded: ${failureReason(outcome)}`)
    return { pictures: pipes.map((pipe) => pipe.picture()), length }
  }

  close(): void {
    // Between two calls no ffmpeg process runs and the file is not open.
  }
}

/** The time around a wanted frame, in seconds from the file's start, in which no other frame is presented. */
interface SeekWindow {
  /** The time to seek to: ffmpeg then returns the first frame that is presented at or after it. */
  from: number
  /** A frame that is presented later than this is not the wanted one. */
  to: number
}

/** Seconds for which a frame is assumed to be presented where no neighbouring frame determines it. */
const assumedFrameDuration = 0.02

/** Seconds that a window lasts at least after its frame, so that rounded timestamps stay in it. */
const minTimeToEnd = 0.001

/** The ends of the window lie halfway to the neighbouring frames, so that rounded timestamps cannot select those. */
function seekWindow(times: Float64Array, index: number): SeekWindow {
  const time = times[index]!
  const sincePrevious = index > 0 ? time - times[index - 1]! : 0
  const untilNext = index + 1 < times.length ? times[index + 1]! - time : sincePrevious || assumedFrameDuration
  return {
    from: index > 0 ? Math.max(0, time - sincePrevious / 2) : 0,
    to: time + Math.max(untilNext / 2, minTimeToEnd)
  }
}

/** Arguments of the output that writes to pipe `i`. Its format is PPM: a header with the picture's size, then RGB. */
function pictureOutputArgs(i: number): string[] {
  return ['-c:v', 'ppm', '-pix_fmt', 'rgb24', '-f', 'image2pipe', `pipe:${3 + i}`]
}

/** Collects the one picture that ffmpeg writes to a pipe. */
class PicturePipe {
  readonly #chunks: Buffer[] = []
  #bytes = 0

  readonly read = (stream: Readable): void => {
    stream.on('data', (chunk: Buffer) => {
      this.#bytes += chunk.length
      if (this.#bytes > maxPipeBytes) stream.destroy()
      else this.#chunks.push(chunk)
    })
  }

  /** The picture; undefined where ffmpeg wrote none or only a part of it. */
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
