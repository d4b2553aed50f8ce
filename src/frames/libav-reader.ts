import { VcapError } from '../errors'
import type { Picture } from '../picture'
import { requireMemory, requireSuccess, type AvFrame, type CodecContext, type Libav, type Packet } from './libav'
import { LibavInput, requireTimeLeft } from './libav-input'
import { PacketIndex, type CountReason, type TimedPacket } from './packet-index'
import {
  requireFrameSize,
  type CountedFrames,
  type FrameSize,
  type ReadLimits,
  type SoughtFrames,
  type VideoFile,
  type VideoReader
} from './reader'

/**
 * Reads a video with FFmpeg's libraries in this process. Between a key frame and a wanted frame it decodes only the
 * frames that others refer to. The ffmpeg command cannot do that: its option `-skip_frame` holds for a whole input and
 * would also skip a wanted frame to which no other frame refers.
 */
export class LibavReader implements VideoReader {
  readonly #libav: Libav
  readonly #file: VideoFile
  readonly #limits: ReadLimits
  #input: LibavInput
  #index: PacketIndex | undefined

  private constructor(libav: Libav, file: VideoFile, limits: ReadLimits, input: LibavInput) {
    this.#libav = libav
    this.#file = file
    this.#limits = limits
    this.#input = input
  }

  /** Opens `file`. Throws `unreadable`, `no_frames`. */
  static open(libav: Libav, file: VideoFile, limits: ReadLimits): LibavReader {
    return new LibavReader(libav, file, limits, LibavInput.open(libav, file, limits))
  }

  index(durations = false): PacketIndex {
    return (this.#index ??= this.#readIndex(durations))
  }

  size(): FrameSize | undefined {
    return this.#input.size()
  }

  #readIndex(durations: boolean): PacketIndex {
    const seconds = this.#input.isTimed ? (time: number) => this.#input.seconds(time) : undefined
    return new PacketIndex(this.#input.readPacketFacts(durations), seconds)
  }

  decodeBySeeking(wanted: number[]): SoughtFrames {
    const index = this.index()
    const packets = wanted.map((frame) => index.frame(frame))
    /** The pictures of the wanted frames, by `pts`. */
    const pictures = new Map<number, Picture>()
    const decoder = this.#input.openDecoder()
    try {
      for (const [start, group] of groupByStart(index, packets)) {
        const failure = this.#decodeGroup(decoder, start, group, pictures)
        if (failure) return { countReason: failure }
      }
    } finally {
      decoder.freeContext()
    }
    this.#input.requireNoReadFault()
    return { pictures: packets.map(({ pts }) => pictures.get(pts)!) }
  }

  /** Decodes a group's frames and adds them to `pictures`. Returns why one of them could not be decoded. */
  #decodeGroup(
    decoder: CodecContext,
    start: TimedPacket,
    group: TimedPacket[],
    pictures: Map<number, Picture>
  ): CountReason | undefined {
    const missing = new Set(group.map(({ pts }) => pts))
    // Some demuxers seek by pts and others by dts.
    for (const timestamp of [start.pts, start.dts ?? start.pts]) {
      if (!this.#input.seek(timestamp)) continue
      decoder.flushBuffers()
      // The decoder keeps back the frame of a packet that is not presented.
      let startIsDecoded = !start.isPresented
      for (const frame of this.#decode(decoder, this.#packetsFor(decoder, start, group))) {
        const pts = Number(frame.bestEffortTimestamp)
        if (pts === start.pts && !isIntra(frame, this.#libav.constants)) return 'no-intra-frame'
        startIsDecoded ||= pts === start.pts
        if (startIsDecoded && missing.delete(pts)) pictures.set(pts, this.#toPicture(frame))
        if (missing.size === 0) return undefined
      }
    }
    return 'not-at-its-time'
  }

  /**
   * The packets from `start` to the last wanted one in decode order; none where seeking has led beyond `start`. For
   * each packet that is not wanted, the decoder is set to skip it where no other frame refers to it. No packet after
   * the last wanted one is needed: the decoder returns that packet's frame when it is drained.
   */
  *#packetsFor(decoder: CodecContext, start: TimedPacket, group: TimedPacket[]): Generator<Packet, void, undefined> {
    const last = Math.max(...group.map(({ lastIndex }) => lastIndex))
    const isWanted = (index: number) =>
      [start, ...group].some(({ decodeIndex, lastIndex }) => decodeIndex <= index && index <= lastIndex)
    let index: number | undefined
    let skipsUnreferenced: boolean | undefined
    for (const packet of this.#input.packets()) {
      if (index === undefined) {
        const found = this.index().decodeIndexAt(Number(packet.pts)) ?? -1
        if (found > start.decodeIndex) return
        if (found < start.decodeIndex) continue
        index = found
      } else {
        index++
      }
      const skips = !isWanted(index)
      if (skipsUnreferenced !== skips) decoder.setOption('skip_frame', skips ? 'noref' : 'default')
      skipsUnreferenced = skips
      yield packet
      if (index === last) return
    }
  }

  decodeFromStart(wanted: number[]): CountedFrames {
    const { startTime } = this.index()
    // The file is opened again, since not every demuxer can seek to the start.
    this.#input.close()
    this.#input = LibavInput.open(this.#libav, this.#file, this.#limits)
    const decoder = this.#input.openDecoder()
    const pictures: (Picture | undefined)[] = wanted.map(() => undefined)
    const times: number[] = []
    try {
      for (const frame of this.#decode(decoder, this.#input.packets())) {
        const time = this.#input.timeOf(frame)
        if (startTime !== undefined && time !== undefined && time < startTime) continue
        const position = wanted.indexOf(times.length)
        if (position >= 0) pictures[position] = this.#toPicture(frame)
        times.push(time ?? NaN)
      }
    } finally {
      decoder.freeContext()
    }
    this.#input.requireNoReadFault()
    if (times.length === 0) throw new VcapError('no_frames', 'None of its frames can be decoded')
    return { pictures, times }
  }

  close(): void {
    this.#input.close()
  }

  /**
   * Decodes `packets` and then drains the decoder. The frames come in presentation order, and each is valid until the
   * next one is taken. Throws `unreadable` when the deadline has passed.
   */
  *#decode(decoder: CodecContext, packets: Iterable<Packet>): Generator<AvFrame, void, undefined> {
    const frame = new this.#libav.lib.Frame()
    frame.alloc()
    const { AVERROR_EAGAIN, AVERROR_EOF } = this.#libav.constants
    const [libav, limits] = [this.#libav, this.#limits]
    // A damaged packet costs its own frame and does not end the decoding. A decoder with several threads reports the
    // error at a later packet, and intact frames may follow it: after an error the decoder is asked for the next frame.
    const availableFrames = function* () {
      for (;;) {
        frame.unref()
        const status = decoder.receiveFrameSync(frame)
        if (status === AVERROR_EAGAIN || status === AVERROR_EOF) return
        requireMemory(libav, status)
        if (status >= 0) yield frame
        else requireTimeLeft(limits)
      }
    }
    try {
      for (const packet of packets) {
        requireMemory(libav, decoder.sendPacketSync(packet))
        yield* availableFrames()
      }
      // Sending null drains the decoder.
      decoder.sendPacketSync(null)
      yield* availableFrames()
    } finally {
      frame.free()
    }
  }

  /** Converts a decoded frame to RGB and turns it upright. Throws `unreadable`. */
  #toPicture(frame: AvFrame): Picture {
    const { lib, constants } = this.#libav
    const { width, height } = frame
    requireFrameSize(width, height)
    const graph = new lib.FilterGraph()
    graph.alloc()
    const rgb = new lib.Frame()
    rgb.alloc()
    try {
      graph.nbThreads = 1
      graph.scaleSwsOpts = 'flags=bicubic' // the ffmpeg command's default
      frame.colorSpace = convertibleMatrix(frame.colorSpace, constants)
      const colours = `colorspace=${frame.colorSpace}:range=${frame.colorRange}`
      const source = `buffer@in=video_size=${width}x${height}:pix_fmt=${frame.format}:time_base=1/1:${colours}`
      const filters = [source, ...this.#input.uprightFilters, 'format=pix_fmts=rgb24', 'buffersink@out']
      requireSuccess(this.#libav, graph.parsePtr(filters.join(',')))
      requireSuccess(this.#libav, graph.configSync())
      const [input, output] = [graph.getFilter('buffer@in')!, graph.getFilter('buffersink@out')!]
      requireSuccess(this.#libav, input.buffersrcAddFrameSync(frame, constants.AV_BUFFERSRC_FLAG_KEEP_REF))
      requireSuccess(this.#libav, output.buffersinkGetFrameSync(rgb))
      return { data: rgb.toBuffer(), width: rgb.width, height: rgb.height }
    } finally {
      rgb.free()
      graph.free()
    }
  }
}

/** Groups wanted frames by the packet from which they are decoded. */
function groupByStart(index: PacketIndex, wanted: TimedPacket[]): Map<TimedPacket, TimedPacket[]> {
  const groups = new Map<TimedPacket, TimedPacket[]>()
  for (const packet of wanted) {
    const start = index.decodingStart(packet)
    groups.set(start, [...(groups.get(start) ?? []), packet])
  }
  return groups
}

/**
 * The colour matrix to convert a frame by. Current versions of FFmpeg's libswscale refuse the matrices that they do not
 * implement; here they are converted as earlier versions do it: BT.2020 with constant luminance as that without, and
 * any other by the matrix that is taken where none is named.
 */
function convertibleMatrix(matrix: AvFrame['colorSpace'], constants: Libav['constants']): AvFrame['colorSpace'] {
  const { AVCOL_SPC_BT2020_NCL, AVCOL_SPC_BT2020_CL, AVCOL_SPC_YCGCO, AVCOL_SPC_UNSPECIFIED } = constants
  if (matrix === AVCOL_SPC_BT2020_CL) return AVCOL_SPC_BT2020_NCL
  return matrix === AVCOL_SPC_YCGCO || matrix > AVCOL_SPC_BT2020_CL ? AVCOL_SPC_UNSPECIFIED : matrix
}

/** Whether a frame was decoded by itself. Some decoders do not tell its type, but whether it is a key frame. */
function isIntra({ pictType, keyFrame }: AvFrame, constants: Libav['constants']): boolean {
  const { AV_PICTURE_TYPE_I, AV_PICTURE_TYPE_SI, AV_PICTURE_TYPE_BI, AV_PICTURE_TYPE_NONE } = constants
  if (pictType === AV_PICTURE_TYPE_NONE) return keyFrame === 1
  return [AV_PICTURE_TYPE_I, AV_PICTURE_TYPE_SI, AV_PICTURE_TYPE_BI].includes(pictType)
}
