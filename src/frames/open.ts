import { VcapError } from '../errors'
import { FfmpegReader } from './ffmpeg-reader'
import { loadLibav, type Libav } from './libav'
import { LibavReader } from './libav-reader'
import type { ReadLimits, VideoFile, VideoReader } from './reader'
import { installing, type VideoTools } from './tools'

let libav: Promise<Libav | Error> | undefined

/** Opens a video with the best of the tools that works here. Throws `ffmpeg_missing`, and what the readers throw. */
export async function openVideo(
  file: VideoFile,
  limits: ReadLimits,
  { nodeAv, ffmpeg }: VideoTools
): Promise<VideoReader> {
  const loaded = nodeAv ? await (libav ??= loadLibav().catch((error: Error) => error)) : undefined
  if (loaded && !(loaded instanceof Error)) return LibavReader.open(loaded, file, limits)
  if (ffmpeg !== undefined) return new FfmpegReader(file, { ...limits, ffmpeg })
  throw new VcapError(
    'ffmpeg_missing',
    `node-av does not load here and there is no ffmpeg: ${installing}. node-av says: ${loaded?.message.split('\n')[0]}`
  )
}
