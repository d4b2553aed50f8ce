import { VcapError } from '../errors'
import type { Picture } from '../picture'
import { requireSuccess, type AvFrame, type CodecContext, type Libav, type Packet } from './libav'
import { LibavInput, requireTimeLeft } from './libav-input'
import {
  maxPixels,
  type CountedFrames,
  type FrameIndex,
  type ReadLimits,
  type VideoFile,
  type VideoReader
} from './reader'

/**
 * A packet of the video stream, without its data. In a well-formed stream each packet holds one frame. `pts` and `dts`
 * are its presentation and its decoding timestamp, in the stream's time base.
 */
interface PacketInfo {
  pts: bigint
  dts: bigint
  isKeyFrame: boolean
  /** Index of the packet in decode order. */
  decodeIndex: number
}

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
  #index: FrameIndex | undefined
  /** All packets whose frames are presented, in decode order. */
  readonly #packets: PacketInfo[] = []
  /** Indices of the packets in decode order, by `pts`. */
  readonly #decodeIndices = new Map<bigint, number>()

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

  index(): FrameIndex {
    return (this.#index ??= this.#readIndex())
  }

  #readIndex(): FrameIndex {
    const { AV_NOPTS_VALUE, AV_PKT_FLAG_DISCARD } = this.#libav.constants
    for (const { pts, dts, isKeyframe, flags } of this.#input.packets()) {
      // The flag says that the packet's frame is not presented, because of the container's edit list.
      if (flags & AV_PKT_FLAG_DISCARD) continue
      const decodeIndex = this.#packets.length
      this.#decodeIndices.set(pts, decodeIndex)
      this.#packets.push({ pts, dts, isKeyFrame: isKeyframe, decodeIndex })
    }
    const { length } = this.#packets
    if (length === 0) throw new VcapError('no_frames', 'It has no video frames')
    if (this.#packets.some(({ pts }) => pts === AV_NOPTS_VALUE)) return { length, times: undefined }
    return { length, times: Float64Array.from(this.#packets, ({ pts }) => this.#input.seconds(pts)).sort() }
  }

  decodeBySeeking(wanted: number[]): Picture[] | undefined {
    const { times } = this.index()
    // Here a frame is identified by its pts, which cannot distinguish two frames that have the same.
    if (!times || this.#decodeIndices.size < times.length) return undefined
    const inPresentationOrder = [...this.#packets].sort((a, b) => (a.pts < b.pts ? -1 : 1))
    const wantedPackets = wanted.map((index) => inPresentationOrder[index]!)
    /** The pictures of the wanted frames, by `pts`. */
    const pictures = new Map<bigint, Picture>()
    const decoder = this.#input.openDecoder()
    try {
      for (const [start, group] of this.#groupByKeyFrame(wantedPackets)) {
        if (!this.#decodeGroup(decoder, start, group, pictures)) return undefined
      }
    } finally {
      decoder.freeContext()
    }
    this.#input.requireNoReadFault()
    return wantedPackets.map(({ pts }) => pictures.get(pts)!)
  }

  /**
   * Groups wanted packets by the packet from which they are decoded. This is the last key frame up to the wanted packet
   * in decode order that is not presented after it, or the first packet where there is none. A frame that follows a key
   * frame in decode order but is presented before it (a leading picture of an open GOP) may refer to frames of the
   * previous GOP.
   */
  #groupByKeyFrame(wanted: PacketInfo[]): Map<PacketInfo, PacketInfo[]> {
    const groups = new Map<PacketInfo, PacketInfo[]>()
    for (const packet of wanted) {
      const canStartAt = (index: number) => this.#packets[index]!.isKeyFrame && this.#packets[index]!.pts <= packet.pts
      let index = packet.decodeIndex
      while (index > 0 && !canStartAt(index)) index--
      const start = this.#packets[index]!
      groups.set(start, [...(groups.get(start) ?? []), packet])
    }
    return groups
  }

  /** Decodes a group's frames and adds them to `pictures`. Returns false where one of them could not be decoded. */
  #decodeGroup(decoder: CodecContext, start: PacketInfo, group: PacketInfo[], pictures: Map<bigint, Picture>): boolean {
    const missing = new Set(group.map(({ pts }) => pts))
    // Some demuxers seek by pts and others by dts.
    for (const timestamp of [start.pts, start.dts]) {
      if (!this.#input.seek(timestamp)) continue
      decoder.flushBuffers()
      for (const frame of this.#decode(decoder, this.#packetsFor(decoder, start, group))) {
        const pts = frame.bestEffortTimestamp
        if (missing.delete(pts)) pictures.set(pts, this.#toPicture(frame))
        if (missing.size === 0) return true
      }
    }
    return false
  }

  /**
   * The packets from the demuxer's position to the last wanted one in decode order; none where seeking has led beyond
   * `start`. For each packet that is not wanted, the decoder is set to skip it where no other frame refers to it. No
   * packet after the last wanted one is needed: the decoder returns that packet's frame when it is drained.
   */
  *#packetsFor(decoder: CodecContext, start: PacketInfo, group: PacketInfo[]): Generator<Packet, void, undefined> {
    const remaining = new Set(group.map(({ pts }) => pts))
    let isFirst = true
    let skipsUnreferenced: boolean | undefined
    for (const packet of this.#input.packets()) {
      const { pts } = packet
      if (isFirst && (this.#decodeIndices.get(pts) ?? 0) > start.decodeIndex) return
      isFirst = false
      const isWanted = remaining.delete(pts)
      if (skipsUnreferenced !== !isWanted) decoder.setOption('skip_frame', isWanted ? 'default' : 'noref')
      skipsUnreferenced = !isWanted
      yield packet
      if (remaining.size === 0) return
    }
  }

  decodeFromStart(wanted: number[]): CountedFrames {
    // The file is opened again, since not every demuxer can seek to the start.
    this.#input.close()
    this.#input = LibavInput.open(this.#libav, this.#file, this.#limits)
    const decoder = this.#input.openDecoder()
    const pictures: (Picture | undefined)[] = wanted.map(() => undefined)
    let length = 0
    try {
      for (const frame of this.#decode(decoder, this.#input.packets())) {
        const position = wanted.indexOf(length++)
        if (position >= 0) pictures[position] = this.#toPicture(frame)
        if (length > wanted.at(-1)!) break
      }
    } finally {
      decoder.freeContext()
    }
    this.#input.requireNoReadFault()
    if (length === 0) throw new VcapError('no_frames', 'None of its frames can be decoded')
    return { pictures, length }
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
    const limits = this.#limits
    // A damaged packet costs its own frame and does not end the decoding. A decoder with several threads reports the
    // error at a later packet, and intact frames may follow it: after an error the decoder is asked for the next frame.
    const availableFrames = function* () {
      for (;;) {
        frame.unref()
        const status = decoder.receiveFrameSync(frame)
        if (status === AVERROR_EAGAIN || status === AVERROR_EOF) return
        if (status >= 0) yield frame
        else requireTimeLeft(limits)
      }
    }
    try {
      for (const packet of packets) {
        decoder.sendPacketSync(packet)
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
    if (width * height > maxPixels)
      throw new VcapError('unreadable', `Its frames of ${width} × ${height} are too large`)
    const graph = new lib.FilterGraph()
    graph.alloc()
    const rgb = new lib.Frame()
    rgb.alloc()
    try {
      graph.nbThreads = 1
      graph.scaleSwsOpts = 'flags=bicubic' // the ffmpeg command's default
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
