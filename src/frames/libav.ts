import { VcapError } from '../errors'
import { isMemoryScarce, OutOfMemory } from './memory-limit'

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

/** The most that FFmpeg allocates at once. */
const maxAllocation = 2 ** 31

/**
 * Throws `OutOfMemory` where `status` says that and the process's limit may be why: up to `bytes` were asked for. Other
 * errors of FFmpeg may concern a damaged packet alone.
 */
export function requireMemory({ constants }: Libav, status: number, bytes = maxAllocation): void {
  if (status === constants.AVERROR_ENOMEM && isMemoryScarce(bytes)) throw new OutOfMemory('FFmpeg is refused some')
}

/** Throws `unreadable` where `status` is one of FFmpeg's error codes, which are the negative numbers. */
export function requireSuccess(libav: Libav, status: number): void {
  requireMemory(libav, status)
  if (status < 0) throw new VcapError('unreadable', `It cannot be decoded: ${libav.lib.FFmpegError.strerror(status)}`)
}
