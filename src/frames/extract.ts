import { parseFrameOptions, type FrameOptions } from '../options'
import { Decoder } from './decoder'
import type { Frame } from './sample'

const decoder = new Decoder()

/**
 * Decoded frames of a local video or image file, upright, in order.
 * Throws `missing`, `unreadable`, `no_frames`, `ffmpeg_missing`, `decoder_lost`, `aborted`.
 */
export async function extractFrames(file: string, options?: FrameOptions): Promise<Frame[]> {
  return (await decoder.sample(file, parseFrameOptions(options))).frames
}
