import { VcapError } from '../errors'

// node-av is an ES module: what we know of it when compiling is its types.
type Lib = typeof import('node-av/lib', { with: { 'resolution-mode': 'import' }})
type Constants = typeof import('node-av/constants', { with: { 'resolution-mode': 'import' }})

export type CodecContext = InstanceType<Lib['CodecContext']>
export type FormatContext = InstanceType<Lib['FormatContext']>
export type AvFrame = InstanceType<Lib['Frame']>
export type Packet = InstanceType<Lib['Packet']>
export type Stream = InstanceType<Lib['Stream']>

/**
 * FFmpeg's libraries: avformat, avcodec, avfilter. Their calls are used as they are, without a thread for each: to change
 * threads between a packet and the next costs as much as a third of decoding them, and the process is there for nothing else.
 */
export interface Libav {
  lib: Lib
  is: Constants
}

/** Loads node-av. Rejects where it is not installed or its binary does not fit this machine. */
export async function loadLibav(): Promise<Libav> {
  const [lib, is] = await Promise.all([import('node-av/lib'), import('node-av/constants')])
  lib.Log.setLevel(is.AV_LOG_QUIET)
  return { lib, is }
}

/** Throws `unreadable` where `status` is one of FFmpeg's errors. */
export function check({ lib }: Libav, status: number): void {
  if (status < 0) throw new VcapError('unreadable', `It cannot be decoded: ${lib.FFmpegError.strerror(status)}`)
}
