import { abortedError, VcapError } from '../errors'
import { loadLibav, type CodecContext, type FormatContext, type Libav, type Stream } from '../frames/libav'
import type { ClipEncoder, ClipFormat, ClipFrames } from './clip-encoder'

/** Encodes by FFmpeg's libraries, in this process. */
export class LibavEncoder implements ClipEncoder {
  readonly name = 'node-av'
  readonly #libav: Libav

  private constructor(libav: Libav) {
    this.#libav = libav
  }

  /** Rejects where node-av is not installed or does not load. */
  static async open(): Promise<LibavEncoder> {
    return new LibavEncoder(await loadLibav())
  }

  has(encoder: string): boolean {
    return this.#find(encoder) !== null
  }

  async write(file: string, clip: ClipFrames, format: ClipFormat, signal?: AbortSignal): Promise<void> {
    const { lib } = this.#libav
    const output = new lib.FormatContext()
    const encoder = new lib.CodecContext()
    try {
      this.#need(output.allocOutputContext2(null, null, file), file)
      this.#need(await this.#openEncoder(encoder, output, clip, format), file)
      const stream = output.newStream()
      stream.timeBase = encoder.timeBase
      this.#need(stream.codecpar.fromContext(encoder), file)
      this.#need(await output.openOutput(), file)
      this.#need(await output.writeHeader(), file)
      let index = 0n
      for await (const picture of clip.frames) {
        if (signal?.aborted) throw abortedError(signal)
        await this.#encode(encoder, output, stream, file, this.#frame(picture, clip, index++))
      }
      await this.#encode(encoder, output, stream, file, null)
      this.#need(await output.writeTrailer(), file)
    } finally {
      encoder.freeContext()
      await output.closeOutput()
      output.freeContext()
    }
  }

  #find(encoder: string) {
    return this.#libav.lib.Codec.findEncoderByName(encoder as Parameters<Libav['lib']['Codec']['findEncoderByName']>[0])
  }

  async #openEncoder(encoder: CodecContext, output: FormatContext, clip: ClipFrames, format: ClipFormat) {
    const { lib, constants } = this.#libav
    const codec = this.#find(format.encoder)
    encoder.allocContext3(codec)
    encoder.width = clip.width
    encoder.height = clip.height
    encoder.pixelFormat = constants.AV_PIX_FMT_YUV420P
    encoder.timeBase = new lib.Rational(1, clip.fps)
    encoder.framerate = new lib.Rational(clip.fps, 1)
    if (output.oformat?.hasFlags(constants.AVFMT_GLOBALHEADER)) encoder.setFlags(constants.AV_CODEC_FLAG_GLOBAL_HEADER)
    return encoder.open2(codec, lib.Dictionary.fromObject(format.options))
  }

  /** A picture as a frame of YUV. */
  #frame(picture: Uint8Array, { width, height, fps }: ClipFrames, index: bigint) {
    const { lib, constants } = this.#libav
    const timeBase = { num: 1, den: fps }
    const pixels = Buffer.from(picture.buffer, picture.byteOffset, picture.byteLength)
    const rgb = lib.Frame.fromVideoBuffer(pixels, { width, height, format: constants.AV_PIX_FMT_RGB24, timeBase })
    const yuv = new lib.Frame()
    yuv.alloc()
    yuv.width = width
    yuv.height = height
    yuv.format = constants.AV_PIX_FMT_YUV420P
    yuv.allocBuffer()
    const scaler = new lib.SoftwareScaleContext()
    const { AV_PIX_FMT_RGB24, AV_PIX_FMT_YUV420P, SWS_BICUBIC } = constants
    scaler.getContext(width, height, AV_PIX_FMT_RGB24, width, height, AV_PIX_FMT_YUV420P, SWS_BICUBIC)
    try {
      scaler.scaleFrameSync(yuv, rgb)
    } finally {
      scaler.freeContext()
      rgb.free()
    }
    yuv.pts = index
    return yuv
  }

  /** Encodes a frame, or, with null, what the encoder still holds, and writes the packets that are ready. */
  async #encode(
    encoder: CodecContext,
    output: FormatContext,
    stream: Stream,
    file: string,
    frame: InstanceType<Libav['lib']['Frame']> | null
  ): Promise<void> {
    const packet = new this.#libav.lib.Packet()
    packet.alloc()
    try {
      this.#need(await encoder.sendFrame(frame), file)
      while ((await encoder.receivePacket(packet)) >= 0) {
        packet.streamIndex = stream.index
        packet.rescaleTs(encoder.timeBase, stream.timeBase)
        this.#need(await output.interleavedWriteFrame(packet), file)
      }
    } finally {
      packet.free()
      frame?.free()
    }
  }

  /** Throws `write_failed` where `status` is one of FFmpeg's error codes, which are the negative numbers. */
  #need(status: number, file: string): void {
    if (status >= 0) return
    const reason = this.#libav.lib.FFmpegError.strerror(status)
    throw new VcapError('write_failed', `${file} could not be encoded: ${reason}`)
  }
}
