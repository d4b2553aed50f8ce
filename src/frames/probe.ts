import type { FrameSettings } from '../options'
import { readTwice, readWhole } from './fault'
import { heicSize, readHeif } from './heic'
import { frameRate } from './frame-rate'
import { identify } from './media'
import type { PacketIndex } from './packet-index'
import { stillShortfall } from './promise-still'
import type { FrameSize, ReadLimits, VideoFile, VideoReader } from './reader'
import { readHeader } from './still'
import type { VideoTools } from './tools'
import { asImage, requireWhole, withSequence, withVideo } from './video'

/** What a video or an image is, without its frames. */
export interface MediaFacts extends FrameSize {
  /** Number of frames of the whole file, as sampling gives it; 1 for a still image. */
  length: number
  /** Mean number of frames a second; undefined for a still image and where the file has no times. */
  fps: number | undefined
  /** True where the file has less than its container promises. */
  partial?: true
}

export type ProbeSettings = Pick<FrameSettings, 'decodeTimeout' | 'allowPartial'>

/** What reads a file. */
interface Means {
  settings: ProbeSettings
  limits: ReadLimits
  tools: VideoTools
}

/**
 * Reads what a local video or image file is. No frame is decoded, unless only that tells: where frames cannot be
 * counted by their packets, and where the file does not say how large they are. `file` is an absolute path. Rejects as
 * `sampleFrames` does.
 */
export function probeMedia(
  file: string,
  settings: ProbeSettings,
  threads: number,
  tools: VideoTools
): Promise<MediaFacts> {
  const limits = { deadline: performance.now() + settings.decodeTimeout * 1000, threads }
  return readTwice(() => probeOnce(file, { settings, limits, tools }))
}

async function probeOnce(file: string, means: Means): Promise<MediaFacts> {
  const kind = await identify(file)
  if (kind.type === 'image') return probeImage(file, kind.format, means)
  if (kind.type === 'sequence') return withSequence(file, (video) => probeVideo(video, means))
  if (kind.type === 'ffmpegImage') return asStill(await asImage(() => probeVideo({ ...kind, path: file }, means)))
  return probeVideo({ path: file, demuxer: kind.demuxer }, means)
}

/** The times of a picture that FFmpeg reads as a video are FFmpeg's. */
function asStill(facts: MediaFacts): MediaFacts {
  return { ...facts, fps: undefined }
}

async function probeImage(file: string, format: string, means: Means): Promise<MediaFacts> {
  const bytes = await readWhole(file)
  const partial = requireWhole(stillShortfall(format, bytes), means.settings)
  const heif = format === 'heif' ? readHeif(bytes) : undefined
  // sharp has no decoder of HEVC, and without it tells nothing of such a file.
  if (heif?.codec === 'hvc1') return { length: 1, ...heicSize(heif), fps: undefined }
  const { pages, width, height, duration } = await readHeader(bytes)
  if (pages > 1 && format === 'gif') return { ...(await probeVideo({ path: file, demuxer: 'gif' }, means)), ...partial }
  const isAnimated = pages > 1 && format === 'webp'
  const fps = isAnimated && duration !== undefined ? pages / duration : undefined
  return { length: isAnimated ? pages : 1, width, height, fps, ...partial }
}

function probeVideo(file: VideoFile, { settings, limits, tools }: Means): Promise<MediaFacts> {
  return withVideo(file, settings, limits, tools, probeIndexed, true)
}

async function probeIndexed(reader: VideoReader, index: PacketIndex): Promise<MediaFacts> {
  const { unit, lastDuration, countReason } = index
  const { width, height } = (await reader.size()) ?? (await sizeOfFirst(reader, index))
  // Times of a bare stream are FFmpeg's invention.
  const rate = (times: ArrayLike<number>) => (unit === undefined ? undefined : frameRate({ times, unit, lastDuration }))
  if (countReason === undefined) return { length: index.length, width, height, fps: rate(index.times!) }
  const { times } = await reader.decodeFromStart([])
  return { length: times.length, width, height, fps: rate(times) }
}

async function sizeOfFirst(reader: VideoReader, { countReason }: PacketIndex): Promise<FrameSize> {
  const sought = countReason === undefined ? await reader.decodeBySeeking([0]) : { countReason }
  const { pictures } = 'pictures' in sought ? sought : await reader.decodeFromStart([0])
  const { width, height } = pictures[0]!
  return { width, height }
}
