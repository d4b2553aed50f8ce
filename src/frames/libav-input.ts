import { requireParent } from '../child-main'
import { VcapError } from '../errors'
import { ReadFault } from './fault'
import { H264Fields } from './h264-fields'
import {
  requireMemory,
  requireSuccess,
  type AvFrame,
  type CodecContext,
  type FormatContext,
  type IOContext,
  type Libav,
  type Packet,
  type Stream
} from './libav'
import type { PacketFacts } from './packet-index'
import {
  CannotOpen,
  demuxers,
  farProbe,
  kindNotRead,
  maxPixels,
  requireFrameSize,
  tookTooLong,
  untimedDemuxers,
  type FrameSize,
  type ReadLimits,
  type VideoFile
} from './reader'

/** An open file and its first video stream that is not cover art. */
export class LibavInput {
  readonly #libav: Libav
  readonly #limits: ReadLimits
  readonly #io: IOContext
  readonly #format: FormatContext
  readonly #stream: Stream
  /** The stream's time base, which is asked for once: a question to FFmpeg costs as much as a packet. */
  readonly #secondsPerUnit: number
  /** The file's start. */
  readonly #startSeconds: number
  /** In the place of a time that is not known. */
  readonly #noTime: bigint
  /** FFmpeg filters that turn the decoded frames upright. */
  readonly uprightFilters: string[]

  private constructor(libav: Libav, limits: ReadLimits, io: IOContext, format: FormatContext, stream: Stream) {
    this.#libav = libav
    this.#limits = limits
    this.#io = io
    this.#format = format
    this.#stream = stream
    const { num, den } = stream.timeBase
    this.#secondsPerUnit = num / den
    this.#noTime = libav.constants.AV_NOPTS_VALUE
    this.#startSeconds = format.startTime === this.#noTime ? 0 : Number(format.startTime) / 1e6
    const displayMatrix = stream.codecpar.getCodedSideData(libav.constants.AV_PKT_DATA_DISPLAYMATRIX)
    this.uprightFilters = displayMatrixFilters(displayMatrix)
  }

  /**
   * Opens `file`. The whitelists keep FFmpeg from opening any other file or address. Throws `unreadable`, `no_frames`
   * and `ReadFault`.
   */
  static open(libav: Libav, file: VideoFile, limits: ReadLimits): LibavInput {
    return LibavInput.#open(libav, file, limits, {}) ?? LibavInput.#open(libav, file, limits, farProbe) ?? noVideo()
  }

  /** Undefined where no video stream with a known picture size is found. */
  static #open(libav: Libav, file: VideoFile, limits: ReadLimits, probe: Partial<typeof farProbe>) {
    const { lib, constants } = libav
    requireTimeLeft(limits)
    const format = new lib.FormatContext()
    // The file is opened apart from its container: node-av tells of errors of reading only with a file of ours.
    const io = new lib.IOContext()
    const options = lib.Dictionary.fromObject({ protocol_whitelist: 'file', format_whitelist: demuxers, ...probe })
    let input: LibavInput | undefined
    try {
      const demuxer = file.demuxer ? lib.InputFormat.findInputFormat(file.demuxer) : null
      const url = `file:${file.path}`
      const opened = io.open2Sync(url, constants.AVIO_FLAG_READ)
      if (opened < 0) throw new ReadFault(lib.FFmpegError.strerror(opened))
      format.allocContext()
      format.pb = io
      const status = format.openInputSync(url, demuxer, options)
      requireNoReadFault(libav, io)
      if (status === constants.AVERROR_EINVAL) throw kindNotRead()
      requireMemory(libav, status)
      if (status < 0) throw new CannotOpen(lib.FFmpegError.strerror(status))
      // The status is ignored: decoding determines what this call could not. A fault of reading is looked at below.
      requireMemory(libav, format.findStreamInfoSync())
      requireNoReadFault(libav, io)
      const stream = format.streams.find(
        ({ codecpar, disposition }) =>
          codecpar.codecType === constants.AVMEDIA_TYPE_VIDEO && !(disposition & constants.AV_DISPOSITION_ATTACHED_PIC)
      )
      if (!stream || (stream.codecpar.width === 0 && probe !== farProbe)) return undefined
      for (const other of format.streams) {
        if (other.index !== stream.index) other.discard = constants.AVDISCARD_ALL
      }
      return (input = new LibavInput(libav, limits, io, format, stream))
    } finally {
      options.free()
      if (!input) {
        format.closeInputSync()
        io.closepSync()
      }
    }
  }

  /**
   * The video stream's packets in decode order, from the demuxer's position on. A packet is valid until the next one is
   * taken. Throws `unreadable` when the deadline has passed, and `ReadFault`.
   */
  *packets(): Generator<Packet, void, undefined> {
    const { lib, constants } = this.#libav
    const packet = new lib.Packet()
    packet.alloc()
    try {
      for (;;) {
        requireTimeLeft(this.#limits)
        const status = this.#format.readFrameSync(packet)
        if (status === constants.AVERROR_EAGAIN) continue
        if (status < 0) {
          requireMemory(this.#libav, status, Number(this.#io.sizeSync()))
          this.requireNoReadFault()
          return
        }
        if (packet.streamIndex === this.#stream.index) yield packet
        packet.unref()
      }
    } finally {
      packet.free()
    }
  }

  /** Whether the packets' times are those of the file. */
  get isTimed(): boolean {
    return !untimedDemuxers.includes(this.#format.iformat?.name ?? '')
  }

  /** Size of the frames, upright, as the stream's header has it; undefined where it has none. */
  size(): FrameSize | undefined {
    const { width, height } = this.#stream.codecpar
    if (width < 1 || height < 1) return undefined
    requireFrameSize(width, height)
    const turns = this.uprightFilters.some((filter) => filter.startsWith('transpose'))
    return turns ? { width: height, height: width } : { width, height }
  }

  /**
   * What the index keeps of each packet of the video stream, from the demuxer's position on. Durations only where they
   * are wanted: each answer of FFmpeg's takes time.
   */
  readPacketFacts(durations: boolean): PacketFacts[] {
    const { constants } = this.#libav
    const { AV_PKT_FLAG_KEY, AV_PKT_FLAG_DISCARD } = constants
    const { codecId, extradata } = this.#stream.codecpar
    const fields = codecId === constants.AV_CODEC_ID_H264 ? new H264Fields(extradata ?? Buffer.alloc(0)) : undefined
    const setsDecoder = this.#settingsCheck()
    const facts: PacketFacts[] = []
    for (const packet of this.packets()) {
      const { flags } = packet
      const isKey = (flags & AV_PKT_FLAG_KEY) !== 0
      facts.push({
        pts: this.#known(packet.pts),
        dts: this.#known(packet.dts),
        isKey,
        isPresented: (flags & AV_PKT_FLAG_DISCARD) === 0 && packet.size > 0,
        setsDecoder: setsDecoder(packet, isKey),
        field: fields && !fields.framesOnly ? fields.fieldOf(packet.data ?? Buffer.alloc(0)) : undefined,
        duration: durations ? Number(packet.duration) : undefined
      })
    }
    return facts
  }

  /**
   * Finds the packets that bring a palette or codec headers. To ask for side data takes longer than to read a packet:
   * palettes are looked for where a pixel has 8 bits at most, headers in key frames after the first packet, whose
   * headers are those of the stream.
   */
  #settingsCheck(): (packet: Packet, isKey: boolean) => boolean {
    const { AV_PKT_DATA_NEW_EXTRADATA, AV_PKT_DATA_PALETTE, AV_PKT_DATA_PARAM_CHANGE } = this.#libav.constants
    const bits = this.#stream.codecpar.bitsPerCodedSample
    const mayHavePalette = bits > 0 && bits <= 8
    let isFirst = true
    return (packet, isKey) => {
      const mayHaveHeaders = isKey && !isFirst
      isFirst = false
      return (
        (mayHavePalette && packet.getSideData(AV_PKT_DATA_PALETTE) !== null) ||
        (mayHaveHeaders && packet.getSideData(AV_PKT_DATA_NEW_EXTRADATA) !== null) ||
        (mayHaveHeaders && packet.getSideData(AV_PKT_DATA_PARAM_CHANGE) !== null)
      )
    }
  }

  #known(timestamp: bigint): number | undefined {
    return timestamp === this.#noTime ? undefined : Number(timestamp)
  }

  /** A frame's presentation time in seconds from the file's start. */
  timeOf(frame: AvFrame): number | undefined {
    const pts = this.#known(frame.bestEffortTimestamp)
    return pts === undefined ? undefined : this.seconds(pts)
  }

  /**
   * Throws `ReadFault` where the system has failed to read the file. FFmpeg keeps its error: most demuxers take it for
   * the end of the file.
   */
  requireNoReadFault(): void {
    requireNoReadFault(this.#libav, this.#io)
  }

  /**
   * Moves the demuxer to the last key frame at or before `timestamp`, which is in the stream's time base. Returns
   * whether it could.
   */
  seek(timestamp: number): boolean {
    const { AVSEEK_FLAG_BACKWARD } = this.#libav.constants
    return this.#format.seekFrameSync(this.#stream.index, BigInt(timestamp), AVSEEK_FLAG_BACKWARD) >= 0
  }

  /** Converts a time from the stream's time base to seconds from the file's start. */
  seconds(pts: number): number {
    return pts * this.#secondsPerUnit - this.#startSeconds
  }

  /**
   * Opens a new decoder for the video stream. The caller frees it with `freeContext`. Throws `no_frames` where FFmpeg
   * has no decoder for the stream, and `unreadable`.
   */
  openDecoder(): CodecContext {
    const { lib } = this.#libav
    const { codecpar } = this.#stream
    requireFrameSize(codecpar.width, codecpar.height)
    const codec = lib.Codec.findDecoder(codecpar.codecId)
    if (!codec) throw new VcapError('no_frames', 'None of its frames can be decoded: there is no decoder for them')
    const decoder = new lib.CodecContext()
    decoder.allocContext3(codec)
    try {
      requireSuccess(this.#libav, decoder.parametersToContext(codecpar))
      decoder.pktTimebase = this.#stream.timeBase
      decoder.threadCount = this.#limits.threads
      decoder.setOption('max_pixels', maxPixels) // the size may change midway
      requireSuccess(this.#libav, decoder.open2Sync(codec))
    } catch (error) {
      decoder.freeContext()
      throw error
    }
    return decoder
  }

  close(): void {
    this.#format.closeInputSync()
    this.#io.closepSync()
  }
}

function requireNoReadFault({ lib }: Libav, { error }: IOContext): void {
  if (error < 0) throw new ReadFault(lib.FFmpegError.strerror(error))
}

function noVideo(): never {
  throw new VcapError('no_frames', 'It has no video stream')
}

/** Throws `unreadable` when the deadline has passed. In a decoder whose parent is gone it ends the process. */
export function requireTimeLeft({ deadline }: ReadLimits): void {
  requireParent()
  if (performance.now() >= deadline) throw tookTooLong()
}

/**
 * The filters that apply a display matrix, which are those that the ffmpeg command inserts for it. `matrix` holds 3 × 3
 * numbers of 32 bits in row-major order.
 */
function displayMatrixFilters(matrix: Buffer | null): string[] {
  if (!matrix || matrix.length < 36) return []
  const element = (index: number) => matrix.readInt32LE(index * 4)
  // The upper left 2 × 2 elements rotate, flip and scale.
  const [a, b, c, d] = [element(0), element(1), element(3), element(4)]
  const degrees = (Math.round((Math.atan2(b / Math.hypot(b, d), a / Math.hypot(a, c)) * 180) / Math.PI) + 360) % 360
  if (Number.isNaN(degrees)) return []
  if (Math.abs(degrees - 90) <= 1) return [c > 0 ? 'transpose=cclock_flip' : 'transpose=clock']
  if (Math.abs(degrees - 270) <= 1) return [c < 0 ? 'transpose=clock_flip' : 'transpose=cclock']
  if (Math.abs(degrees - 180) <= 1) return [...(a < 0 ? ['hflip'] : []), ...(d < 0 ? ['vflip'] : [])]
  if (degrees > 1 && degrees < 359) return [`rotate=${degrees}*PI/180`]
  return d < 0 ? ['vflip'] : []
}
