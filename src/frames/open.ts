import { VcapError } from '../errors'
import { FfmpegReader } from './ffmpeg-reader'
import { loadLibav, type Libav } from './libav'
import { LibavReader } from './libav-reader'
import type { ReadLimits, VideoFile, VideoReader } from './reader'
import { installHint, type VideoTools } from './tools'

/** The result of loading node-av, which is tried once in a process. */
let libav: Promise<Libav | Error> | undefined

/**
 * Opens a video with node-av where it is installed and loads, and otherwise with the ffmpeg command. Rejects with
 * `ffmpeg_missing`, `unreadable` or `no_frames`.
 */
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
    `node-av does not load here and there is no ffmpeg: ${installHint}. node-av says: ${loaded?.message.split('\n')[0]}`
  )
}
