import readline from 'node:readline'
import { VcapError } from '../errors'
import { requireReadToEnd, runFfmpeg, type FfmpegLimits, type FfmpegOutcome } from './ffmpeg'
import { readFields } from './ffmpeg-fields'
import { PacketIndex, type PacketFacts } from './packet-index'
import {
  CannotOpen,
  demuxers,
  farProbe,
  kindNotRead,
  maxPixels,
  requireFrameSize,
  untimedDemuxers,
  type FrameSize,
  type VideoFile
} from './reader'

/** Arguments that make `file` an input of ffmpeg. The whitelists keep ffmpeg from opening any other file or address. */
export function inputArgs(file: VideoFile, probesFar: boolean): string[] {
  return [
    ...(probesFar ? Object.entries(farProbe).flatMap(([option, value]) => [`-${option}`, value]) : []),
    '-protocol_whitelist',
    'file',
    '-format_whitelist',
    demuxers,
    '-max_pixels',
    String(maxPixels),
    ...(file.demuxer ? ['-f', file.demuxer] : []),
    '-i',
    `file:${file.path}`
  ]
}

/** What ffmpeg says of a file and its video stream. */
export interface FfmpegInput {
  index: PacketIndex
  /** FFmpeg's name of the demuxer. */
  demuxer: string
  /** The time in the container's clock, in seconds, at which the file starts. */
  startTime: number
  /** Converts a packet's time to seconds from the file's start. */
  seconds: (time: number) => number
  /** Whether FFmpeg finds the video only where it reads further than it does by itself. */
  probesFar: boolean
  /** Size of its frames, upright; undefined where it says none. */
  size: FrameSize | undefined
  /** Whether its demuxer calls the file's end a fault of reading, as those of some old games' videos do. */
  endsSo: boolean
}

/**
 * Arguments that copy the packets of the first video stream that is not cover art: `-copyinkf` those before the first
 * key frame as well, `-copypriorss` those before the time 0.
 */
const copyArgs = ['-map', '0:V:0', '-c', 'copy', '-copyinkf', '-copypriorss', '1']

/** Flags of a packet, as FFmpeg numbers them. */
const packetFlags = { key: 0x1, discard: 0x4 }

/** Bytes of side data: of the stream's id, which the MPEG-TS demuxer adds to each packet, and of a palette. */
const [streamIdBytes, paletteBytes] = [1, 1024]

/**
 * Indexes the first video stream that is not cover art by its packets, without decoding them. This takes about 0.1 s
 * for one minute of 720p video. Rejects with `unreadable`, `no_frames`, `ffmpeg_missing` or `aborted`.
 */
export async function indexFrames(file: VideoFile, limits: FfmpegLimits, endsSo = false): Promise<FfmpegInput> {
  let list = await readPackets(file, limits, false, endsSo)
  const probesFar = list.packets.length === 0 && list.description.demuxer !== undefined
  if (probesFar) list = await readPackets(file, limits, true, endsSo)
  const { packets, timeBase, description, outcome } = list
  if (!description.demuxer) {
    if (outcome.tail.some((line) => line.includes('Format not on whitelist'))) throw kindNotRead()
    throw new CannotOpen(failureReason(outcome))
  }
  if (outcome.tail.some((line) => line.includes('matches no streams'))) {
    throw new VcapError('no_frames', 'It has no video stream')
  }
  if (packets.length === 0) {
    const reason = outcome.status === 0 ? '' : `: ${failureReason(outcome)}`
    throw new VcapError('no_frames', `It has no video frames${reason}`)
  }
  requireFrameSize(...description.size)
  const { demuxer, startTime } = description
  if (description.isInterlacedH264) {
    const fields = await readFields(inputArgs(file, probesFar), copyArgs, limits)
    for (const [i, packet] of packets.entries()) packet.field = fields[i]
  }
  const seconds = (time: number) => time * timeBase - startTime
  const isTimed = timeBase > 0 && !untimedDemuxers.includes(demuxer)
  const index = new PacketIndex(packets, isTimed ? seconds : undefined)
  return { index, demuxer, startTime, seconds, probesFar, size: description.upright, endsSo }
}

interface PacketList {
  packets: PacketFacts[]
  /** Seconds; 0 where ffmpeg has not written it. */
  timeBase: number
  description: Description
  outcome: FfmpegOutcome
}

async function readPackets(
  file: VideoFile,
  limits: FfmpegLimits,
  probesFar: boolean,
  endsSo: boolean
): Promise<PacketList> {
  const list = { packets: [] as PacketFacts[], timeBase: 0 }
  const description = new Description()
  // The framecrc muxer writes one line for each packet. `-copyts` leaves the times as the container has them.
  const outcome = await runFfmpeg(
    [
      '-loglevel',
      'info',
      '-nostats',
      '-copyts',
      ...inputArgs(file, probesFar),
      ...copyArgs,
      '-f',
      'framecrc',
      'pipe:3'
    ],
    limits,
    {
      onStderr: (line) => description.read(line),
      outputs: [
        (stream) => {
          readline.createInterface({ input: stream }).on('line', (line) => {
            const fraction = /^#tb 0: (\d+)\/(\d+)/.exec(line)
            if (fraction) list.timeBase = Number(fraction[1]) / Number(fraction[2])
            if (!line.startsWith('#')) list.packets.push(parsePacket(line, list.packets.length === 0))
          })
        }
      ]
    }
  )
  // Packets are copied one by one: what was refused is a size that a damaged file asks for.
  requireReadToEnd({ ...outcome, outOfMemory: false }, endsSo)
  return { ...list, description, outcome }
}

/**
 * Parses a line of the framecrc muxer: stream index, dts, pts, duration, size, checksum; then F= and the flags, unless
 * they are those of a key frame, and S= and the number of side data, each with its size and, from FFmpeg 5.1 on, its
 * name or checksum. The first packet has that of the stream as well, such as how to turn the pictures.
 */
function parsePacket(line: string, isFirst: boolean): PacketFacts {
  const [, dts, pts, duration, size, , ...rest] = line.split(',').map((field) => field.trim())
  const flagged = rest.find((field) => field.startsWith('F='))
  const flags = flagged ? Number(flagged.slice(2)) : packetFlags.key
  const sideData = rest.slice(rest.findIndex((field) => field.startsWith('S=')) + 1 || rest.length)
  return {
    pts: parseTime(pts),
    dts: parseTime(dts),
    isKey: (flags & packetFlags.key) !== 0,
    // FFmpeg's decoders skip a packet without data, and so do its libraries from version 7 on when they read one.
    isPresented: (flags & packetFlags.discard) === 0 && Number(size) > 0,
    setsDecoder: sideData
      .filter((field) => /^\d+$/.test(field))
      .some((bytes) => (isFirst ? Number(bytes) === paletteBytes : Number(bytes) > streamIdBytes)),
    duration: parseTime(duration)
  }
}

/** A packet without a time has the smallest 64-bit number in its place, or NOPTS. */
function parseTime(field: string | undefined): number | undefined {
  const time = Number(field)
  return Number.isSafeInteger(time) ? time : undefined
}

/** What ffmpeg's log says of the input. */
class Description {
  /** Undefined until the file is open. */
  demuxer: string | undefined
  startTime = 0
  isInterlacedH264 = false
  /** Width and height of its frames; 0 where they are not known. */
  size: [number, number] = [0, 0]
  #knowsVideo = false
  /** Whether what is read is about the video stream. */
  #readsVideo = false
  /** By which the frames are turned, in degrees. */
  #rotation = 0

  /** Size of the frames when they are turned upright, as ffmpeg does by itself; undefined where it is not known. */
  get upright(): FrameSize | undefined {
    const [width, height] = this.size
    if (width < 1 || height < 1) return undefined
    const isQuarter = Math.abs((Math.abs(this.#rotation) % 180) - 90) <= 1
    return isQuarter ? { width: height, height: width } : { width, height }
  }

  read(line: string): void {
    if (/^ *(Stream #|Output #)/.test(line)) this.#readsVideo = false
    const rotation = /^ *displaymatrix: rotation of (-?[\d.]+) degrees/.exec(line)
    if (rotation && this.#readsVideo) this.#rotation = Number(rotation[1])
    this.demuxer ??= /^Input #0, (.+), from /.exec(line)?.[1]
    const start = /^ {2}Duration: .*, start: ([-\d.]+)/.exec(line)
    if (start) this.startTime = Number(start[1])
    if (this.#knowsVideo || line.includes('(attached pic)')) return
    const video = /^ *Stream #0:.*?: Video: (.*)/.exec(line)?.[1]
    if (video === undefined) return
    this.#knowsVideo = this.#readsVideo = true
    const [, width, height] = /, (\d+)x(\d+)/.exec(video) ?? []
    this.size = [Number(width ?? 0), Number(height ?? 0)]
    this.isInterlacedH264 = video.startsWith('h264') && !video.includes('progressive')
  }
}

/** How lines of stderr begin that say nothing about a failure: progress, general remarks, remarks on other lines. */
const uninformative = [
  'frame=',
  'size=',
  'video:',
  'Press [',
  'Conversion failed',
  'Last message repeated',
  'Output #',
  'Stream mapping',
  'Stream #',
  'Consider ',
  'To ignore this',
  'Failed to set value',
  'Error marking filters as finished',
  'Error initializing output stream',
  'Error while processing the decoded data',
  'Output file is empty',
  'Output file #',
  'Codec AVOption'
]

/** What ffmpeg says of any file that it cannot open. */
const general = /: (Invalid data found when processing input|Invalid argument|Operation not permitted)$/

/**
 * Why ffmpeg failed, for an error message: the last line of its stderr that names a cause, else its last line, else how
 * it ended.
 */
export function failureReason({ status, signal, tail }: FfmpegOutcome): string {
  const lines = tail
    .filter((line) => !line.startsWith('  ')) // the file's own metadata, and its streams
    .map((line) => line.replace(/^\[[^\]]*\] /, '').trim())
    .filter((line) => line !== '' && !uninformative.some((start) => line.startsWith(start)))
  const cause = lines.filter((line) => !general.test(line)).at(-1)
  return cause ?? lines.at(-1)?.replace(/^file:.*: /, '') ?? `it ended with ${signal ?? `status ${status}`}`
}
