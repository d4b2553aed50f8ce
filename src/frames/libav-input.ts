import { VcapError } from '../errors'
import { check, type CodecContext, type FormatContext, type Libav, type Packet, type Stream } from './libav'
import { demuxers, tookTooLong, type ReadLimits, type VideoFile } from './reader'

/** An open file and its video stream. */
export class LibavInput {
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
  static open(libav: Libav, file: VideoFile, limits: ReadLimits): LibavInput {
    const { lib, is } = libav
    enforce(limits)
    const format = new lib.FormatContext()
    const options = lib.Dictionary.fromObject({ protocol_whitelist: 'file', format_whitelist: demuxers })
    try {
      const demuxer = file.demuxer ? lib.InputFormat.findInputFormat(file.demuxer) : null
      const status = format.openInputSync(`file:${file.path}`, demuxer, options)
      if (status < 0) throw new VcapError('unreadable', `FFmpeg cannot open it: ${lib.FFmpegError.strerror(status)}`)
      format.findStreamInfoSync() // what it could not find out, decoding will
      const stream = format.streams.find(
        ({ codecpar, disposition }) =>
          codecpar.codecType === is.AVMEDIA_TYPE_VIDEO && !(disposition & is.AV_DISPOSITION_ATTACHED_PIC)
      )
      if (!stream) throw new VcapError('no_frames', 'It has no video stream')
      for (const other of format.streams) if (other.index !== stream.index) other.discard = is.AVDISCARD_ALL
      return new LibavInput(libav, limits, format, stream)
    } catch (error) {
      format.closeInputSync()
      throw error
    } finally {
      options.free()
    }
  }

  /** Its packets from where it stands; each only until the next. */
  *packets(): Generator<Packet, void, undefined> {
    const { lib, is } = this.#libav
    const packet = new lib.Packet()
    packet.alloc()
    try {
      for (;;) {
        enforce(this.#limits)
        const status = this.#format.readFrameSync(packet)
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
  seek(time: bigint): boolean {
    return this.#format.seekFrameSync(this.#stream.index, time, this.#libav.is.AVSEEK_FLAG_BACKWARD) >= 0
  }

  /** From the file's start. */
  seconds(pts: bigint): number {
    const { num, den } = this.#stream.timeBase
    const { startTime } = this.#format
    return (Number(pts) * num) / den - (startTime === this.#libav.is.AV_NOPTS_VALUE ? 0 : Number(startTime) / 1e6)
  }

  /** A decoder of its own for whoever asks, to be freed. */
  openDecoder(): CodecContext {
    const { lib } = this.#libav
    const { codecpar } = this.#stream
    const codec = lib.Codec.findDecoder(codecpar.codecId)
    if (!codec) throw new VcapError('no_frames', 'None of its frames can be decoded: there is no decoder for them')
    const decoder = new lib.CodecContext()
    decoder.allocContext3(codec)
    try {
      check(this.#libav, decoder.parametersToContext(codecpar))
      decoder.pktTimebase = this.#stream.timeBase
      decoder.threadCount = this.#limits.threads
      check(this.#libav, decoder.open2Sync(codec))
    } catch (error) {
      decoder.freeContext()
      throw error
    }
    return decoder
  }

  close(): void {
    this.#format.closeInputSync()
  }
}

/** Throws `unreadable` when the time is over. */
export function enforce({ deadline }: ReadLimits): void {
  if (Date.now() >= deadline) throw tookTooLong()
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
