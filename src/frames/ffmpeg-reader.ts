import type { Readable } from 'node:stream'
import { VcapError } from '../errors'
import type { Picture } from '../picture'
import { requireReadable } from './fault'
import { DemuxerFault, requireReadToEnd, runFfmpeg, type FfmpegLimits } from './ffmpeg'
import { failureReason, indexFrames, inputArgs, type FfmpegInput } from './ffmpeg-index'
import type { PacketIndex } from './packet-index'
import {
  maxPixels,
  type CountedFrames,
  type FrameSize,
  type ReadLimits,
  type SoughtFrames,
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
  #input: Promise<FfmpegInput> | undefined

  constructor(file: VideoFile, limits: ReadLimits & FfmpegLimits) {
    this.#file = file
    this.#limits = limits
  }

  async index(): Promise<PacketIndex> {
    return (await this.#open()).index
  }

  async size(): Promise<FrameSize | undefined> {
    return (await this.#open()).size
  }

  #open(): Promise<FfmpegInput> {
    return (this.#input ??= this.#readIndex())
  }

  async #readIndex(): Promise<FfmpegInput> {
    const input = await this.#indexTwice()
    // Some demuxers take a fault of reading for the end of the file, and ffmpeg then ends without a word.
    await requireReadable(this.#file.path, this.#limits.deadline)
    return input
  }

  /** Some demuxers do the reverse: what ffmpeg fails to read twice, and we do not, is no fault. */
  async #indexTwice(): Promise<FfmpegInput> {
    for (let attempt = 0; attempt < 2; attempt++) {
      try {
        return await indexFrames(this.#file, this.#limits)
      } catch (error) {
        if (!(error instanceof DemuxerFault)) throw error
        await requireReadable(this.#file.path, this.#limits.deadline)
      }
    }
    return indexFrames(this.#file, this.#limits, true)
  }

  async decodeBySeeking(wanted: number[]): Promise<SoughtFrames> {
    const input = await this.#open()
    const pictures: Picture[] = []
    for (let first = 0; first < wanted.length; first += maxInputsPerProcess) {
      const group = wanted.slice(first, first + maxInputsPerProcess)
      const decoded = await this.#decodeWindows(
        group.map((frame) => seekWindow(input, frame)),
        input
      )
      if ('countReason' in decoded) return decoded
      pictures.push(...decoded.pictures)
    }
    return { pictures }
  }

  /** Decodes one frame for each window in one ffmpeg process, which opens the file once for each of them. */
  async #decodeWindows(windows: SeekWindow[], { startTime, probesFar, endsSo }: FfmpegInput): Promise<SoughtFrames> {
    const args = ['-loglevel', 'info', '-nostats', '-copyts']
    for (const { seekTo } of windows) {
      args.push('-threads', String(this.#limits.threads))
      // ffmpeg would drop the frames before the time sought, and with them that at which decoding starts.
      if (seekTo > 0) args.push('-noaccurate_seek', '-ss', seekTo.toFixed(6))
      args.push(...inputArgs(this.#file, probesFar))
    }
    for (const [i, { from, key }] of windows.entries()) {
      // The frame at which decoding starts is shown, and then the wanted one, which alone goes on.
      const since = (time: number) => `gte(t\\,${(startTime + time).toFixed(6)})`
      const isStart = key ? `${since(key.from)}*not(${since(key.to)})` : 'eq(n\\,0)'
      const isWanted = since(from)
      const filters = `select=${isStart}+${isWanted},showinfo@${i},select=${isWanted},setpts=0`
      args.push('-map', `${i}:V:0`, '-vf', filters, '-frames:v', '1', ...pictureOutputArgs(i))
    }
    const shown = windows.map((_, i) => new ShownFrames(String(i), startTime))
    const pipes = windows.map(() => new PicturePipe())
    const outcome = await runFfmpeg(args, this.#limits, {
      outputs: pipes.map((pipe) => pipe.read),
      onStderr: (line) => {
        for (const frames of shown) frames.read(line)
      }
    })
    requireReadToEnd(outcome, endsSo)
    if (outcome.status !== 0) return { countReason: 'not-at-its-time' }
    const pictures: Picture[] = []
    for (const [i, { from, to, key, startsHidden }] of windows.entries()) {
      const picture = pipes[i]!.picture()
      const [start] = shown[i]!.frames
      const found = shown[i]!.frames.find(({ time }) => time >= from)
      if (!start || !found || !picture) return { countReason: 'not-at-its-time' }
      if (!start.isIntra && !startsHidden) return { countReason: 'no-intra-frame' }
      if (found.time > to || (key && start.time > key.to)) return { countReason: 'not-at-its-time' }
      pictures.push(picture)
    }
    return { pictures }
  }

  async decodeFromStart(wanted: number[]): Promise<CountedFrames> {
    const { index, startTime, probesFar, endsSo } = await this.#open()
    // Without -reinit_filter 0 the filters would count anew where the picture's size changes.
    const args = ['-loglevel', 'info', '-nostats', '-copyts', '-reinit_filter', '0']
    args.push('-threads', String(this.#limits.threads), ...inputArgs(this.#file, probesFar))
    const cut = index.startTime === undefined ? '' : `select=gte(t\\,${beforeTime(index.startTime + startTime)}),`
    wanted.forEach((frame, i) => {
      const filters = `${cut}select=eq(n\\,${frame}),scale=eval=frame,setpts=0`
      args.push('-map', '0:V:0', '-vf', filters, '-frames:v', '1', ...pictureOutputArgs(i))
    })
    // The last output takes all frames, since one that has its picture ends.
    args.push('-map', '0:V:0', '-vf', `${cut}showinfo@all`, '-f', 'null', '-')
    const shown = new ShownFrames('all', startTime)
    const pipes = wanted.map(() => new PicturePipe())
    const outcome = await runFfmpeg(args, this.#limits, {
      outputs: pipes.map((pipe) => pipe.read),
      onStderr: (line) => shown.read(line)
    })
    requireReadToEnd(outcome, endsSo)
    if (shown.frames.length === 0) {
      throw new VcapError('no_frames', `None of its frames can be decoded: ${failureReason(outcome)}`)
    }
    const pictures = pipes.map((pipe) => pipe.picture())
    if (wanted.some((frame, i) => frame < shown.frames.length && !pictures[i])) {
      throw new VcapError('unreadable', `Not all of its frames can be converted: ${failureReason(outcome)}`)
    }
    return { pictures, times: shown.frames.map(({ time }) => time) }
  }

  close(): void {
    // Between two calls no ffmpeg process runs and the file is not open.
  }
}

/** A time in seconds, as FFmpeg's filters take it, that is earlier by less than any time base's unit. */
function beforeTime(time: number): string {
  return (time - 2e-6).toFixed(6)
}

/** The frames that a showinfo filter describes in ffmpeg's log. */
class ShownFrames {
  readonly frames: { /** Seconds from the file's start; NaN where unknown. */ time: number; isIntra: boolean }[] = []
  readonly #prefix: string
  readonly #startTime: number
  /** Seconds. */
  #timeBase = NaN

  /** `name` is the filter's name behind `showinfo@`, and `startTime` the file's start in seconds. */
  constructor(name: string, startTime: number) {
    this.#prefix = `[showinfo@${name} `
    this.#startTime = startTime
  }

  read(line: string): void {
    if (!line.startsWith(this.#prefix)) return
    const timeBase = / config in time_base: (\d+)\/(\d+)/.exec(line)
    if (timeBase) this.#timeBase = Number(timeBase[1]) / Number(timeBase[2])
    // Its pts_time has six digits only.
    const [, pts, isKey, type] = / n: *\d+ pts: *(\S+) .* iskey:(\d) type:(\S)/.exec(line) ?? []
    if (pts === undefined) return
    // Some decoders do not tell a frame's type, but whether it is a key frame.
    const isIntra = type === '?' ? isKey === '1' : ['I', 'i', 'b'].includes(type!)
    this.frames.push({ time: Number(pts) * this.#timeBase - this.#startTime, isIntra })
  }
}

/** A span of time in which one frame alone is presented, in seconds from the file's start. */
interface FrameSpan {
  from: number
  to: number
}

/** Where to find a wanted frame. */
interface SeekWindow extends FrameSpan {
  /** The time to seek to, in seconds from the file's start; 0 to start with the file. */
  seekTo: number
  /** Whether the decoder keeps back the frame at which decoding starts, since its packet is not presented. */
  startsHidden: boolean
  /** Where ffmpeg does not seek to a key frame: the span of the one from which the wanted frame is decoded. */
  key?: FrameSpan
}

/** Demuxers that seek to any packet by its decoding time. */
const keylessDemuxers = ['mpegts', 'mpeg']

/** Seconds for which a frame is assumed to be presented where no neighbouring frame determines it. */
const assumedFrameDuration = 0.02

/** Seconds that a span lasts at least after its frame's time, so that rounded timestamps stay in it. */
const minTimeToEnd = 0.001

function seekWindow({ index, demuxer, seconds }: FfmpegInput, frame: number): SeekWindow {
  const times = index.times!
  const span = frameSpan(times, frame)
  const start = index.decodingStart(index.frame(frame))
  const startsHidden = !start.isPresented
  if (start.frameIndex === undefined || !keylessDemuxers.includes(demuxer)) {
    return { ...span, seekTo: Math.max(0, span.from), startsHidden }
  }
  const key = frameSpan(times, start.frameIndex)
  // A key frame is decoded before the frames that it is presented after.
  const decodingTime = seconds(start.dts ?? start.pts)
  return { ...span, seekTo: Math.max(0, Math.min(decodingTime, key.from)), startsHidden, key }
}

/** The ends of a span lie halfway to the neighbouring frames, so that rounded timestamps cannot select those. */
function frameSpan(times: Float64Array, frame: number): FrameSpan {
  const time = times[frame]!
  const sincePrevious = frame > 0 ? time - times[frame - 1]! : assumedFrameDuration
  const untilNext = frame + 1 < times.length ? times[frame + 1]! - time : sincePrevious
  return { from: time - sincePrevious / 2, to: time + Math.max(untilNext / 2, minTimeToEnd) }
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
