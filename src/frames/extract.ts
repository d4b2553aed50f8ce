import { parseFrameOptions, type FrameOptions } from '../options'
import { Decoder } from './decoder'
import type { Frame } from './sample'

const decoder = new Decoder()
let underWay = 0

/**
 * Decoded frames of a local video or image file, upright, in order.
 * Throws `missing`, `unreadable`, `no_frames`, `ffmpeg_missing`, `decoder_lost`, `aborted`.
 */
export async function extractFrames(file: string, options?: FrameOptions): Promise<Frame[]> {
  const settings = parseFrameOptions(options)
  underWay++
  try {
    return (await decoder.sample(file, settings, underWay)).frames
  } finally {
    underWay--
  }
}
