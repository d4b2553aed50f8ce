import { parseFrameOptions, type FrameOptions } from '../options'
import { Decoder } from './decoder'
import type { Frame } from './sample'

const decoder = new Decoder()

/**
 * Decodes frames of a local video or image file. They are returned upright and in presentation order.
 * Rejects with `usage`, `missing`, `unreadable`, `no_frames`, `ffmpeg_missing`, `decoder_lost` or `aborted`.
 */
export async function extractFrames(file: string, options?: FrameOptions): Promise<Frame[]> {
  return (await decoder.sample(file, parseFrameOptions(options))).frames
}
