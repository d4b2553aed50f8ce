import { VcapError } from '../errors'
import type { Picture } from '../picture'
import { check, type AvFrame, type CodecContext, type Libav, type Packet } from './libav'
import { enforce, LibavInput } from './libav-input'
import {
  mostPixels,
  type CountedFrames,
  type FrameIndex,
  type ReadLimits,
  type VideoFile,
  type VideoReader
} from './reader'

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
  #input: LibavInput
  #index: FrameIndex | undefined
  /** In the order of decoding. */
  readonly #entries: Entry[] = []
  /** Places of the entries by their `pts`. */
  readonly #places = new Map<bigint, number>()

  private constructor(libav: Libav, file: VideoFile, limits: ReadLimits, input: LibavInput) {
    this.#libav = libav
    this.#file = file
    this.#limits = limits
    this.#input = input
  }

  /** Throws `unreadable`, `no_frames`. */
  static open(libav: Libav, file: VideoFile, limits: ReadLimits): LibavReader {
    return new LibavReader(libav, file, limits, LibavInput.open(libav, file, limits))
  }

  index(): FrameIndex {
    return (this.#index ??= this.#readIndex())
  }

  #readIndex(): FrameIndex {
    const { AV_NOPTS_VALUE, AV_PKT_FLAG_DISCARD } = this.#libav.is
    for (const { pts, dts, isKeyframe, flags } of this.#input.packets()) {
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

  bySeeking(wanted: number[]): Picture[] | undefined {
    const { times } = this.index()
    // Of two frames at one time only counting tells which is which.
    if (!times || this.#places.size < times.length) return undefined
    const shown = [...this.#entries].sort((a, b) => (a.pts < b.pts ? -1 : 1))
    const pictures = new Map<bigint, Picture>()
    const decoder = this.#input.openDecoder()
    try {
      for (const [start, group] of this.#byStart(wanted.map((frame) => shown[frame]!))) {
        if (!this.#decodeGroup(decoder, start, group, pictures)) return undefined
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
  #decodeGroup(decoder: CodecContext, start: Entry, group: Entry[], pictures: Map<bigint, Picture>): boolean {
    const missing = new Set(group.map(({ pts }) => pts))
    // Some containers are sought by the one, some by the other.
    for (const time of [start.pts, start.dts]) {
      if (!this.#input.seek(time)) continue
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
   * From where the input stands to the last packet wanted; none where it stands behind `start`. Before a wanted packet only
   * what others refer to is decoded, and nothing after the last: draining the decoder brings its frame out.
   */
  *#packetsFor(decoder: CodecContext, start: Entry, group: Entry[]): Generator<Packet, void, undefined> {
    const toCome = new Set(group.map(({ pts }) => pts))
    let first = true
    let skips: boolean | undefined
    for (const packet of this.#input.packets()) {
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

  fromStart(wanted: number[]): CountedFrames {
    // Not everything that can be read can be rewound.
    this.#input.close()
    this.#input = LibavInput.open(this.#libav, this.#file, this.#limits)
    const decoder = this.#input.openDecoder()
    const pictures: (Picture | undefined)[] = wanted.map(() => undefined)
    let length = 0
    try {
      for (const frame of this.#decode(decoder, this.#input.packets())) {
        const place = wanted.indexOf(length++)
        if (place >= 0) pictures[place] = this.#toPicture(frame)
        if (length > wanted.at(-1)!) break
      }
    } finally {
      decoder.freeContext()
    }
    if (length === 0) throw new VcapError('no_frames', 'None of its frames can be decoded')
    return { pictures, length }
  }

  close(): void {
    this.#input.close()
  }

  /** The frames of these packets, in order of showing; each only until the next. */
  *#decode(decoder: CodecContext, packets: Iterable<Packet>): Generator<AvFrame, void, undefined> {
    const frame = new this.#libav.lib.Frame()
    frame.alloc()
    const { AVERROR_EAGAIN, AVERROR_EOF } = this.#libav.is
    // What is damaged is a frame less, and no end: with threads its error comes late, and sound frames behind it.
    const limits = this.#limits
    const received = function* () {
      for (;;) {
        frame.unref()
        const status = decoder.receiveFrameSync(frame)
        if (status === AVERROR_EAGAIN || status === AVERROR_EOF) return
        if (status >= 0) yield frame
        else enforce(limits)
      }
    }
    try {
      for (const packet of packets) {
        decoder.sendPacketSync(packet)
        yield* received()
      }
      decoder.sendPacketSync(null)
      yield* received()
    } finally {
      frame.free()
    }
  }

  /** As RGB, upright. */
  #toPicture(frame: AvFrame): Picture {
    const { lib, is } = this.#libav
    const { width, height } = frame
    if (width * height > mostPixels)
      throw new VcapError('unreadable', `Its frames of ${width} × ${height} are too large`)
    const graph = new lib.FilterGraph()
    graph.alloc()
    const rgb = new lib.Frame()
    rgb.alloc()
    try {
      graph.nbThreads = 1
      graph.scaleSwsOpts = 'flags=bicubic' // as the command has it
      const colours = `colorspace=${frame.colorSpace}:range=${frame.colorRange}`
      const source = `buffer@in=video_size=${width}x${height}:pix_fmt=${frame.format}:time_base=1/1:${colours}`
      check(
        this.#libav,
        graph.parsePtr([source, ...this.#input.turns, 'format=pix_fmts=rgb24', 'buffersink@out'].join(','))
      )
      check(this.#libav, graph.configSync())
      check(this.#libav, graph.getFilter('buffer@in')!.buffersrcAddFrameSync(frame, is.AV_BUFFERSRC_FLAG_KEEP_REF))
      check(this.#libav, graph.getFilter('buffersink@out')!.buffersinkGetFrameSync(rgb))
      return { data: rgb.toBuffer(), width: rgb.width, height: rgb.height }
    } finally {
      rgb.free()
      graph.free()
    }
  }
}
