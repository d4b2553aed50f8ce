import { abortedError, VcapError } from '../errors'
import type { Picture } from '../picture'
import { demuxers, type CountedFrames, type FrameIndex, type ReadLimits, type VideoFile, type VideoReader } from './reader'

// node-av is an ES module: what we know of it when compiling is its types.
type Lib = typeof import('node-av/lib', { with: { 'resolution-mode': 'import' } })
type Constants = typeof import('node-av/constants', { with: { 'resolution-mode': 'import' } })
type CodecContext = InstanceType<Lib['CodecContext']>
type FormatContext = InstanceType<Lib['FormatContext']>
type AvFrame = InstanceType<Lib['Frame']>
type Packet = InstanceType<Lib['Packet']>
type Stream = InstanceType<Lib['Stream']>

/** FFmpeg's libraries: avformat, avcodec, avfilter. */
export interface Libav {
  lib: Lib
  is: Constants
}

/** Pixels of the largest picture taken. */
const mostPixels = 16384 * 16384

/** Loads node-av. Rejects where it is not installed or its binary does not fit this machine. */
export async function loadLibav(): Promise<Libav> {
  const [lib, is] = await Promise.all([import('node-av/lib'), import('node-av/constants')])
  lib.Log.setLevel(is.AV_LOG_QUIET)
  return { lib, is }
}

/** One packet of the stream: one frame, if it is as it should be. Times in the stream's time base. */
interface Entry {
  /** When its frame is shown. */
  pts: bigint
  /** When it is to be decoded. */
  dts: bigint
  key: boolean
  /** Among the packets, in the order of decoding. */
  place: number
}

/**
 * A video by FFmpeg's libraries in this process. To reach a frame they decode, from the key frame before it, only what
 * other frames need: the ffmpeg command cannot change its mind about that between two packets.
 */
export class LibavReader implements VideoReader {
  readonly #libav: Libav
  readonly #file: VideoFile
  readonly #limits: ReadLimits
  #input: Input
  #index: FrameIndex | undefined
  /** In the order of decoding. */
  readonly #entries: Entry[] = []
  /** Places of the entries by their `pts`. */
  readonly #places = new Map<bigint, number>()

  private constructor(libav: Libav, file: VideoFile, limits: ReadLimits, input: Input) {
    this.#libav = libav
    this.#file = file
    this.#limits = limits
    this.#input = input
  }

  /** Throws `unreadable`, `no_frames`, `aborted`. */
  static async open(libav: Libav, file: VideoFile, limits: ReadLimits): Promise<LibavReader> {
    return new LibavReader(libav, file, limits, await Input.open(libav, file, limits))
  }

  async index(): Promise<FrameIndex> {
    return (this.#index ??= await this.#readIndex())
  }

  async #readIndex(): Promise<FrameIndex> {
    const { AV_NOPTS_VALUE, AV_PKT_FLAG_DISCARD } = this.#libav.is
    for await (const { pts, dts, isKeyframe, flags } of this.#input.packets()) {
      // The container says that this packet's frame is not shown (edit list).
      if (flags & AV_PKT_FLAG_DISCARD) continue
      this.#places.set(pts, this.#entries.length)
      this.#entries.push({ pts, dts, key: isKeyframe, place: this.#entries.length })
    }
    const { length } = this.#entries
    if (length === 0) throw new VcapError('no_frames', 'It has no video frames')
    if (this.#entries.some(({ pts }) => pts === AV_NOPTS_VALUE)) return { length, times: undefined }
    return { length, times: Float64Array.from(this.#entries, ({ pts }) => this.#input.seconds(pts)).sort() }
  }

  async bySeeking(wanted: number[]): Promise<Picture[] | undefined> {
    const { times } = await this.index()
    // Of two frames at one time only counting tells which is which.
    if (!times || this.#places.size < times.length) return undefined
    const shown = [...this.#entries].sort((a, b) => (a.pts < b.pts ? -1 : 1))
    const pictures = new Map<bigint, Picture>()
    const decoder = await this.#input.openDecoder()
    try {
      for (const [start, group] of this.#byStart(wanted.map((frame) => shown[frame]!))) {
        if (!(await this.#decodeGroup(decoder, start, group, pictures))) return undefined
      }
    } finally {
      decoder.freeContext()
    }
    return wanted.map((frame) => pictures.get(shown[frame]!.pts)!)
  }

  /** Wanted frames by the key frame to begin with. One shown after a frame cannot be what that one refers to. */
  #byStart(wanted: Entry[]): Map<Entry, Entry[]> {
    const groups = new Map<Entry, Entry[]>()
    for (const frame of wanted) {
      let { place } = frame
      while (place > 0 && !(this.#entries[place]!.key && this.#entries[place]!.pts <= frame.pts)) place--
      const start = this.#entries[place]!
      groups.set(start, [...(groups.get(start) ?? []), frame])
    }
    return groups
  }

  /** Adds a group's frames to `pictures`; false where one of them does not come. */
  async #decodeGroup(decoder: CodecContext, start: Entry, group: Entry[], pictures: Map<bigint, Picture>): Promise<boolean> {
    const missing = new Set(group.map(({ pts }) => pts))
    // Some containers are sought by the one, some by the other.
    for (const time of [start.pts, start.dts]) {
      if (!(await this.#input.seek(time))) continue
      decoder.flushBuffers()
      for await (const frame of this.#decode(decoder, this.#packetsFor(decoder, start, group))) {
        const pts = frame.bestEffortTimestamp
        if (missing.delete(pts)) pictures.set(pts, await this.#toPicture(frame))
        if (missing.size === 0) return true
      }
    }
    return false
  }

  /**
   * From where the input stands to the last packet wanted; none where it stands behind `start`. Before a wanted packet only
   * what others refer to is decoded, and nothing after the last: draining the decoder brings its frame out.
   */
  async *#packetsFor(decoder: CodecContext, start: Entry, group: Entry[]): AsyncGenerator<Packet, void, undefined> {
    const toCome = new Set(group.map(({ pts }) => pts))
    let first = true
    let skips: boolean | undefined
    for await (const packet of this.#input.packets()) {
      const { pts } = packet
      if (first && (this.#places.get(pts) ?? 0) > start.place) return
      first = false
      const skip = !toCome.delete(pts)
      if (skip !== skips) decoder.setOption('skip_frame', skip ? 'noref' : 'default')
      skips = skip
      yield packet
      if (toCome.size === 0) return
    }
  }

  async fromStart(wanted: number[]): Promise<CountedFrames> {
    // Not everything that can be read can be rewound.
    await this.#input.close()
    this.#input = await Input.open(this.#libav, this.#file, this.#limits)
    const decoder = await this.#input.openDecoder()
    const pictures: (Picture | undefined)[] = wanted.map(() => undefined)
    let length = 0
    try {
      for await (const frame of this.#decode(decoder, this.#input.packets())) {
        const place = wanted.indexOf(length++)
        if (place >= 0) pictures[place] = await this.#toPicture(frame)
        if (length > wanted.at(-1)!) break
      }
    } finally {
      decoder.freeContext()
    }
    if (length === 0) throw new VcapError('no_frames', 'None of its frames can be decoded')
    return { pictures, length }
  }

  async close(): Promise<void> {
    await this.#input.close()
  }

  /** The frames of these packets, in order of showing; each only until the next. */
  async *#decode(decoder: CodecContext, packets: AsyncIterable<Packet>): AsyncGenerator<AvFrame, void, undefined> {
    const frame = new this.#libav.lib.Frame()
    frame.alloc()
    const received = async () => {
      frame.unref()
      return (await decoder.receiveFrame(frame)) >= 0
    }
    try {
      for await (const packet of packets) {
        await decoder.sendPacket(packet) // a damaged packet is one frame less, and no end
        while (await received()) yield frame
      }
      await decoder.sendPacket(null)
      while (await received()) yield frame
    } finally {
      frame.free()
    }
  }

  /** As RGB, upright. */
  async #toPicture(frame: AvFrame): Promise<Picture> {
    const { lib, is } = this.#libav
    const { width, height } = frame
    if (width * height > mostPixels) throw new VcapError('unreadable', `Its frames of ${width} × ${height} are too large`)
    const graph = new lib.FilterGraph()
    graph.alloc()
    const rgb = new lib.Frame()
    rgb.alloc()
    try {
      graph.nbThreads = 1
      graph.scaleSwsOpts = 'flags=bicubic' // as the command has it
      const colours = `colorspace=${frame.colorSpace}:range=${frame.colorRange}`
      const source = `buffer@in=video_size=${width}x${height}:pix_fmt=${frame.format}:time_base=1/1:${colours}`
      check(lib, graph.parsePtr([source, ...this.#input.turns, 'format=pix_fmts=rgb24', 'buffersink@out'].join(',')))
      check(lib, await graph.config())
      check(lib, await graph.getFilter('buffer@in')!.buffersrcAddFrame(frame, is.AV_BUFFERSRC_FLAG_KEEP_REF))
      check(lib, await graph.getFilter('buffersink@out')!.buffersinkGetFrame(rgb))
      return { data: rgb.toBuffer(), width: rgb.width, height: rgb.height }
    } finally {
      rgb.free()
      graph.free()
    }
  }
}

/** An open file and its video stream. */
class Input {
  readonly #libav: Libav
  readonly #limits: ReadLimits
  readonly #format: FormatContext
  readonly #stream: Stream
  /** Filters that turn its frames upright. */
  readonly turns: string[]

  private constructor(libav: Libav, limits: ReadLimits, format: FormatContext, stream: Stream) {
    this.#libav = libav
    this.#limits = limits
    this.#format = format
    this.#stream = stream
    this.turns = turnsUpright(stream.codecpar.getCodedSideData(libav.is.AV_PKT_DATA_DISPLAYMATRIX))
  }

  /** That file only, whatever its name or content ask for. */
  static async open(libav: Libav, file: VideoFile, limits: ReadLimits): Promise<Input> {
    const { lib, is } = libav
    enforce(limits)
    const format = new lib.FormatContext()
    const options = lib.Dictionary.fromObject({ protocol_whitelist: 'file', format_whitelist: demuxers })
    try {
      const demuxer = file.demuxer ? lib.InputFormat.findInputFormat(file.demuxer) : null
      const status = await format.openInput(`file:${file.path}`, demuxer, options)
      if (status < 0) throw new VcapError('unreadable', `FFmpeg cannot open it: ${lib.FFmpegError.strerror(status)}`)
      await format.findStreamInfo() // what it could not find out, decoding will
      const stream = format.streams.find(({ codecpar, disposition }) => codecpar.codecType === is.AVMEDIA_TYPE_VIDEO && !(disposition & is.AV_DISPOSITION_ATTACHED_PIC))
      if (!stream) throw new VcapError('no_frames', 'It has no video stream')
      for (const other of format.streams) if (other.index !== stream.index) other.discard = is.AVDISCARD_ALL
      return new Input(libav, limits, format, stream)
    } catch (error) {
      await format.closeInput()
      throw error
    } finally {
      options.free()
    }
  }

  /** Its packets from where it stands; each only until the next. */
  async *packets(): AsyncGenerator<Packet, void, undefined> {
    const { lib, is } = this.#libav
    const packet = new lib.Packet()
    packet.alloc()
    try {
      for (;;) {
        enforce(this.#limits)
        const status = await this.#format.readFrame(packet)
        if (status === is.AVERROR_EAGAIN) continue
        if (status < 0) return
        if (packet.streamIndex === this.#stream.index) yield packet
        packet.unref()
      }
    } finally {
      packet.free()
    }
  }

  /** To the key frame at `time` or before it; false where that cannot be. */
  async seek(time: bigint): Promise<boolean> {
    return (await this.#format.seekFrame(this.#stream.index, time, this.#libav.is.AVSEEK_FLAG_BACKWARD)) >= 0
  }

  /** From the file's start. */
  seconds(pts: bigint): number {
    const { num, den } = this.#stream.timeBase
    const { startTime } = this.#format
    return (Number(pts) * num) / den - (startTime === this.#libav.is.AV_NOPTS_VALUE ? 0 : Number(startTime) / 1e6)
  }

  /** A decoder of its own for whoever asks, to be freed. */
  async openDecoder(): Promise<CodecContext> {
    const { lib } = this.#libav
    const { codecpar } = this.#stream
    const codec = lib.Codec.findDecoder(codecpar.codecId)
    if (!codec) throw new VcapError('no_frames', 'None of its frames can be decoded: there is no decoder for them')
    const decoder = new lib.CodecContext()
    decoder.allocContext3(codec)
    try {
      check(lib, decoder.parametersToContext(codecpar))
      decoder.pktTimebase = this.#stream.timeBase
      decoder.threadCount = this.#limits.threads
      check(lib, await decoder.open2(codec))
    } catch (error) {
      decoder.freeContext()
      throw error
    }
    return decoder
  }

  async close(): Promise<void> {
    await this.#format.closeInput()
  }
}

function enforce({ signal, deadline }: ReadLimits): void {
  if (signal?.aborted) throw abortedError(signal)
  if (Date.now() >= deadline) throw new VcapError('unreadable', 'Decoding it took too long')
}

function check(lib: Lib, status: number): void {
  if (status < 0) throw new VcapError('unreadable', `It cannot be decoded: ${lib.FFmpegError.strerror(status)}`)
}

/** FFmpeg filters for a display matrix (3 × 3, fixed point, row by row), as the command applies it. */
function turnsUpright(matrix: Buffer | null): string[] {
  if (!matrix || matrix.length < 36) return []
  const at = (place: number) => matrix.readInt32LE(place * 4)
  const [a, b, c, d] = [at(0), at(1), at(3), at(4)]
  const degrees = (Math.round((Math.atan2(b / Math.hypot(b, d), a / Math.hypot(a, c)) * 180) / Math.PI) + 360) % 360
  if (Number.isNaN(degrees)) return []
  if (Math.abs(degrees - 90) <= 1) return [c > 0 ? 'transpose=cclock_flip' : 'transpose=clock']
  if (Math.abs(degrees - 270) <= 1) return [c < 0 ? 'transpose=clock_flip' : 'transpose=cclock']
  if (Math.abs(degrees - 180) <= 1) return [...(a < 0 ? ['hflip'] : []), ...(d < 0 ? ['vflip'] : [])]
  if (degrees > 1 && degrees < 359) return [`rotate=${degrees}*PI/180`]
  return d < 0 ? ['vflip'] : []
}
