import { VcapError } from '../errors'

/** What an index keeps of one packet of the video stream. Times are in units of the stream's time base. */
export interface PacketFacts {
  /** Presentation time. */
  pts: number | undefined
  /** Decoding time. */
  dts: number | undefined
  isKey: boolean
  /** False for a packet without data, and for one that the container's edit list keeps from being presented. */
  isPresented: boolean
  /** Whether it brings a palette or new codec headers beside its data. */
  setsDecoder: boolean
  /** For one field of an H.264 picture, the picture's number and the field's parity; undefined for a whole picture. */
  field?: Field | undefined
  /** How long it is presented; undefined where nobody asked, 0 where the container does not tell. */
  duration?: number | undefined
}

/** One field that is coded as a picture of its own. */
export interface Field {
  /** The slice header's frame_num. */
  frameNum: number
  isBottom: boolean
}

/** A packet in its place. */
export interface IndexedPacket extends PacketFacts {
  /** Index of the packet in decode order. */
  decodeIndex: number
  /** Index of the last packet of the same frame in decode order: that of its second field, or its own. */
  lastIndex: number
  /** Index of its frame in presentation order; undefined where that is no frame of the video. */
  frameIndex: number | undefined
}

/** A packet whose frame has a place in time. */
export type TimedPacket = IndexedPacket & { pts: number }

/** Why the frames of a video are counted from its start instead of sought by their times. */
export type CountReason =
  /** A packet has no presentation time. */
  | 'no-times'
  /** Two packets have the same time, or decoding times go back, as where two recordings were joined. */
  | 'unordered-times'
  /** The stream has no key frame. */
  | 'no-key-frame'
  /** Frames are presented before the first key frame: the decoder may drop them. */
  | 'leading-frames'
  /** A palette or codec headers come with some packets only, and the decoder needs them later. */
  | 'decoder-settings'
  /** After seeking, the decoder's first frame was no intra picture, although the container says key frame. */
  | 'no-intra-frame'
  /** After seeking, no frame had the wanted time. */
  | 'not-at-its-time'

/**
 * The frames of a video, as its packets announce them. A stream that was cut before its first key frame begins with
 * that key frame: what comes before it, in decode order or in presentation order, cannot be decoded.
 */
export class PacketIndex {
  /** Number of packets, which may be more than the frames. */
  readonly packetCount: number
  /** Number of frames; an estimate where they have to be counted. */
  readonly length: number
  /** Presentation times of the frames in seconds from the file's start, in presentation order, where all are known. */
  readonly times: Float64Array | undefined
  /** Why seeking cannot give these frames; undefined where it can. */
  readonly countReason: CountReason | undefined
  /** Where the stream was cut before its first key frame: that frame's time in seconds from the file's start. */
  readonly startTime: number | undefined
  /** Seconds of a unit of the packets' times; undefined where those mean nothing. */
  readonly unit: number | undefined
  /** Seconds that the last frame is presented; undefined where nobody asked or the container does not tell. */
  readonly lastDuration: number | undefined
  readonly #packets: IndexedPacket[]
  /** In presentation order. */
  readonly #frames: TimedPacket[]
  #decodeIndices: Map<number, number> | undefined

  /**
   * `packets` are all of the stream, in decode order. `seconds` converts a time to seconds from the file's start; it is
   * undefined where the packets' times mean nothing. Throws `no_frames` where none of them is shown.
   */
  constructor(packets: PacketFacts[], seconds: ((time: number) => number) | undefined) {
    this.packetCount = packets.length
    this.#packets = joinFields(packets)
    const firstKey = this.#packets.find(({ isKey }) => isKey)
    const isCut = firstKey?.pts !== undefined && firstKey.decodeIndex > 0
    if (isCut && seconds) this.startTime = seconds(firstKey.pts!)
    const presented = this.#packets.filter(
      ({ isPresented, pts, decodeIndex }) =>
        isPresented && !(isCut && (decodeIndex < firstKey.decodeIndex || (pts ?? Infinity) < firstKey.pts!))
    )
    this.length = presented.length
    if (presented.length === 0) throw new VcapError('no_frames', 'It has no video frames')
    const timed = presented.filter(isTimed).sort((a, b) => a.pts - b.pts || a.decodeIndex - b.decodeIndex)
    timed.forEach((packet, frameIndex) => {
      packet.frameIndex = frameIndex
    })
    this.#frames = timed
    if (seconds && timed.length === presented.length)
      this.times = Float64Array.from(this.#frames, ({ pts }) => seconds(pts))
    this.countReason = this.times ? countReason(this.#packets, this.#frames, firstKey) : 'no-times'
    if (!seconds) return
    this.unit = seconds(1) - seconds(0)
    const lasts = durationOf(timed.at(-1), packets)
    if (lasts > 0) this.lastDuration = lasts * this.unit
  }

  /** The packet of the frame with this index in presentation order. */
  frame(index: number): TimedPacket {
    return this.#frames[index]!
  }

  /** Index in decode order of the first packet with this presentation time. */
  decodeIndexAt(pts: number): number | undefined {
    if (!this.#decodeIndices) {
      this.#decodeIndices = new Map()
      for (const packet of this.#packets) {
        if (isTimed(packet) && !this.#decodeIndices.has(packet.pts)) {
          this.#decodeIndices.set(packet.pts, packet.decodeIndex)
        }
      }
    }
    return this.#decodeIndices.get(pts)
  }

  /**
   * The packet from which a frame is decoded: the last key frame up to it in decode order that is not presented after
   * it. A frame that follows a key frame in decode order but is presented before it (a leading picture of an open GOP)
   * may refer to frames of the previous GOP.
   */
  decodingStart(frame: TimedPacket): TimedPacket {
    for (let index = frame.decodeIndex; index >= 0; index--) {
      const packet = this.#packets[index]!
      if (packet.isKey && isTimed(packet) && packet.pts <= frame.pts) return packet
    }
    throw new Error('a stream without a key frame must be counted')
  }
}

function isTimed(packet: IndexedPacket): packet is TimedPacket {
  return packet.pts !== undefined
}

/** How long a frame is presented, in units of the stream's time base; 0 where that is not known. */
function durationOf(frame: IndexedPacket | undefined, packets: PacketFacts[]): number {
  if (!frame) return 0
  return packets
    .slice(frame.decodeIndex, frame.lastIndex + 1)
    .reduce((sum, { duration }) => sum + Math.max(0, duration ?? 0), 0)
}

/** Joins two fields that follow one another and make up one frame, which is presented at the first one's time. */
function joinFields(packets: PacketFacts[]): IndexedPacket[] {
  // Each property by its name: an hour has a hundred thousand packets, and to spread them takes ten times as long.
  const indexed = packets.map(({ pts, dts, isKey, isPresented, setsDecoder, field }, decodeIndex): IndexedPacket => {
    return {
      pts,
      dts,
      isKey,
      isPresented,
      setsDecoder,
      field,
      decodeIndex,
      lastIndex: decodeIndex,
      frameIndex: undefined
    }
  })
  for (let index = 1; index < indexed.length; index++) {
    const [first, second] = [indexed[index - 1]!, indexed[index]!]
    if (!first.field || !second.field || first.lastIndex !== first.decodeIndex || !first.isPresented) continue
    if (first.field.frameNum !== second.field.frameNum || first.field.isBottom === second.field.isBottom) continue
    first.lastIndex = index
    second.isPresented = false
    second.dts = undefined // where the container has none, that of the first field is taken for it
  }
  return indexed
}

/** Why these frames have to be counted. `packets` are in decode order and `frames` in presentation order. */
function countReason(
  packets: IndexedPacket[],
  frames: TimedPacket[],
  firstKey: IndexedPacket | undefined
): CountReason | undefined {
  if (!firstKey) return 'no-key-frame'
  if (!rises(packets.map(({ dts }) => dts)) || !rises(frames.map(({ pts }) => pts))) return 'unordered-times'
  if (frames[0] && frames[0].decodeIndex > firstKey.decodeIndex && firstKey.isPresented) return 'leading-frames'
  // A decoder that starts at a key frame has the settings of that key frame's packet, or else those of the container.
  if (packets.some(({ setsDecoder }) => setsDecoder)) {
    if (packets.some(({ isKey, setsDecoder }) => isKey && !setsDecoder)) return 'decoder-settings'
  }
  return undefined
}

/** Whether each of the known times is later than the one before it. */
function rises(times: (number | undefined)[]): boolean {
  let last = -Infinity
  for (const time of times) {
    if (time === undefined) continue
    if (time <= last) return false
    last = time
  }
  return true
}
