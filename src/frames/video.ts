import { VcapError } from '../errors'
import type { FrameSettings } from '../options'
import { boxesIn } from './boxes'
import { ReadFault, readWhole, requireReadableEnds } from './fault'
import { openVideo } from './open'
import type { PacketIndex } from './packet-index'
import { findShortfall } from './promise'
import { CannotOpen, type ReadLimits, type VideoFile, type VideoReader } from './reader'
import type { VideoTools } from './tools'
import { withBytes } from './unnamed-file'

/** The settings that decide whether a file is read at all. */
export type OpenSettings = Pick<FrameSettings, 'allowPartial'>

/** A mark of what is got out of a file that has less than its container promises; nothing where it is whole. */
export interface PartialMark {
  partial?: true
}

/**
 * Opens a video, indexes it by its packets, checks that it is whole, and hands both to `use`. `durations`: the index is
 * to know when the last frame ends. Rejects with `missing`, `unreadable`, `no_frames` or `ffmpeg_missing`.
 */
export async function withVideo<T extends object>(
  file: VideoFile,
  settings: OpenSettings,
  limits: ReadLimits,
  tools: VideoTools,
  use: (reader: VideoReader, index: PacketIndex) => Promise<T>,
  durations = false
): Promise<T & PartialMark> {
  for (let mayRepeat = true; ; mayRepeat = false) {
    try {
      return await openOnce(file, settings, limits, tools, use, durations)
    } catch (error) {
      if (error instanceof ReadFault || error instanceof Truncated) throw error
      // A demuxer that cannot read a part of the file often tells of the damage that it then sees, not of the fault.
      await requireReadableEnds(file.path, limits.deadline)
      // The fault may have passed since. Opening is all that is repeated where there was none.
      if (mayRepeat && error instanceof CannotOpen) continue
      const shortfall = await findShortfall(file.path, 0, undefined)
      throw shortfall === undefined ? error : new Truncated(shortfall)
    }
  }
}

async function openOnce<T extends object>(
  file: VideoFile,
  settings: OpenSettings,
  limits: ReadLimits,
  tools: VideoTools,
  use: (reader: VideoReader, index: PacketIndex) => Promise<T>,
  durations: boolean
): Promise<T & PartialMark> {
  const reader = await openVideo(file, limits, tools)
  try {
    const index = await reader.index(durations)
    const partial = requireWhole(await findShortfall(file.path, index.packetCount, index.times), settings)
    return { ...(await use(reader, index)), ...partial }
  } finally {
    reader.close()
  }
}

/** The file has less than its container promises. */
class Truncated extends VcapError {
  constructor(shortfall: string) {
    super('unreadable', `truncated: ${shortfall}`)
  }
}

/** The mark of a file of which something is missing. Throws `unreadable` where such a file is not wanted. */
export function requireWhole(shortfall: string | undefined, { allowPartial }: OpenSettings): PartialMark {
  if (shortfall === undefined) return {}
  if (!allowPartial) throw new Truncated(shortfall)
  return { partial: true }
}

/** Runs `use` with the video of a file that has a still image beside it, which FFmpeg would take for the video. */
export async function withSequence<T>(file: string, use: (video: VideoFile) => Promise<T>): Promise<T> {
  const bytes = await readWhole(file)
  for (const { type, start } of boxesIn(bytes, 0, bytes.length)) if (type === 'meta') bytes.write('free', start - 4)
  return withBytes(bytes, (path) => use({ path, demuxer: 'mov' }))
}

/** Reads an image as a video of one frame; that none of it can be decoded is no matter of a codec then. */
export async function asImage<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (!(error instanceof VcapError) || error.code !== 'no_frames') throw error
    throw new VcapError('unreadable', 'The image cannot be decoded: it is damaged or ends early', { cause: error })
  }
}
