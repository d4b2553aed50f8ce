import { VcapError } from '../errors'

// node-av is an ES module and this package is CommonJS: only node-av's types can be imported statically.
type Lib = typeof import('node-av/lib', { with: { 'resolution-mode': 'import' }})
type Constants = typeof import('node-av/constants', { with: { 'resolution-mode': 'import' }})

export type CodecContext = InstanceType<Lib['CodecContext']>
export type FormatContext = InstanceType<Lib['FormatContext']>
export type IOContext = InstanceType<Lib['IOContext']>
export type AvFrame = InstanceType<Lib['Frame']>
export type Packet = InstanceType<Lib['Packet']>
export type Stream = InstanceType<Lib['Stream']>

/**
 * FFmpeg's libraries libavformat, libavcodec and libavfilter, as node-av binds them. Their synchronous functions are
 * used: the asynchronous ones hand each packet to another thread, which costs up to a third of the time of decoding,
 * and a decoder process has no other work to do meanwhile.
 */
export interface Libav {
  /** Classes around FFmpeg's structures. */
  lib: Lib
  /** FFmpeg's constants, such as `AVERROR_EOF`. */
  constants: Constants
}

/** Loads node-av. Rejects where it is not installed or where its binary does not fit this machine. */
export async function loadLibav(): Promise<Libav> {
  const [lib, constants] = await Promise.all([import('node-av/lib'), import('node-av/constants')])
  lib.Log.setLevel(constants.AV_LOG_QUIET)
  return { lib, constants }
}

/** Throws `unreadable` where `status` is one of FFmpeg's error codes, which are the negative numbers. */
export function requireSuccess({ lib }: Libav, status: number): void {
  if (status < 0) throw new VcapError('unreadable', `It cannot be decoded: ${lib.FFmpegError.strerror(status)}`)
}
