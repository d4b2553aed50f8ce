import { VcapError } from '../errors'
import type { FrameSettings } from '../options'
import type { Picture } from '../picture'
import type { MediaKind } from '../prompts/presets'
import { scaleShortSide } from '../scale'
import { readTwice, readWhole } from './fault'
import { frameRate } from './frame-rate'
import { decodeHeic, readHeif } from './heic'
import { identify } from './media'
import type { CountReason, PacketIndex } from './packet-index'
import { sampledIndices, type PointSettings } from './points'
import { stillShortfall } from './promise-still'
import type { ReadLimits, VideoFile, VideoReader } from './reader'
import { countPages, decodeImage, readHeader } from './still'
import type { VideoTools } from './tools'
import { asImage, requireWhole, withSequence, withVideo } from './video'

/** A decoded frame of a video or an image file. */
export interface Frame extends Picture {
  /** Index among all frames of the file in presentation order, from 0. */
  index: number
  /** Presentation time in seconds from the file's start; 0 where the file has no timestamps. */
  time: number
}

/** The sampled frames of one file. */
export interface SampledFrames {
  /** In presentation order. */
  frames: Frame[]
  /** Number of frames of the whole file; 1 for a still image. */
  length: number
  /** What the file is: an animation is a video. */
  kind: MediaKind
  /** True where the file has less than its container promises; left out where it is whole. */
  partial?: true
  /** Why the frames of a video were counted by decoding all of it; undefined where they were sought. */
  counted?: CountReason
}

/** The settings that sampling one file takes. */
export type SampleSettings = PointSettings & Pick<FrameSettings, 'resize' | 'decodeTimeout' | 'allowPartial'>

/**
 * Decodes the sampled frames of a local video or image file and turns them upright. `file` is an absolute path; for an
 * empty one it rejects with `missing`. `threads` is the number of threads of each decoder. Rejects with `missing`,
 * `unreadable`, `no_frames` or `ffmpeg_missing`.
 */
export async function sampleFrames(
  file: string,
  settings: SampleSettings,
  threads: number,
  tools: VideoTools
): Promise<SampledFrames> {
  const limits = { deadline: performance.now() + settings.decodeTimeout * 1000, threads }
  const sampled = await readTwice(() => sampleOnce(file, settings, limits, tools))
  if (settings.resize === undefined) return sampled
  const { resize } = settings
  return {
    ...sampled,
    frames: await Promise.all(
      sampled.frames.map(async (frame) => ({ ...frame, ...(await scaleShortSide(frame, resize)) }))
    )
  }
}

async function sampleOnce(
  file: string,
  settings: SampleSettings,
  limits: ReadLimits,
  tools: VideoTools
): Promise<SampledFrames> {
  const kind = await identify(file)
  if (kind.type === 'image') return sampleImage(file, kind.format, settings, limits, tools)
  if (kind.type === 'sequence') return withSequence(file, (video) => sampleVideo(video, settings, limits, tools))
  if (kind.type === 'ffmpegImage') return sampleOtherImage(file, kind.demuxer, settings, limits, tools)
  return sampleVideo({ path: file, demuxer: kind.demuxer }, settings, limits, tools)
}

async function sampleImage(
  file: string,
  format: string,
  settings: SampleSettings,
  limits: ReadLimits,
  tools: VideoTools
): Promise<SampledFrames> {
  const bytes = await readWhole(file)
  let partial = requireWhole(stillShortfall(format, bytes), settings)
  if (format === 'heif') return sampleHeif(bytes, limits, tools)
  // The pages of a TIFF file are not an animation: the first one is the image.
  const pages = format === 'tiff' ? 1 : await countPages(bytes)
  if (pages > 1 && format === 'gif') {
    return { ...(await sampleVideo({ path: file, demuxer: 'gif' }, settings, limits, tools)), ...partial }
  }
  const frames: Frame[] = []
  for (const index of pages === 1 ? [0] : sampledIndices(pages, settings, await rateOfPages())) {
    frames.push({ ...(await decode(index)), index, time: 0 })
  }
  return { frames, length: pages, kind: pages > 1 ? 'video' : 'image', ...partial }

  async function rateOfPages(): Promise<number | undefined> {
    if (settings.fps === undefined) return undefined
    const { duration } = await readHeader(bytes)
    return duration === undefined ? undefined : pages / duration
  }

  async function decode(page: number): Promise<Picture> {
    try {
      return await decodeImage(bytes, page)
    } catch (error) {
      if (!settings.allowPartial) throw error
    }
    partial = { partial: true }
    return decodeImage(bytes, page, true)
  }
}

/** An image that FFmpeg reads: one picture. */
function sampleOtherImage(
  path: string,
  demuxer: string,
  settings: SampleSettings,
  limits: ReadLimits,
  tools: VideoTools
): Promise<SampledFrames> {
  return asImage(async () => ({
    ...(await sampleVideo({ path, demuxer }, { ...settings, numFrames: 1 }, limits, tools)),
    kind: 'image'
  }))
}

/** The primary image of a HEIF file: a grid of HEVC tiles is composed here, AVIF is read by sharp. */
async function sampleHeif(bytes: Buffer, limits: ReadLimits, tools: VideoTools): Promise<SampledFrames> {
  const image = readHeif(bytes)
  const picture = image.codec === 'hvc1' ? await decodeHeic(image, limits, tools) : await decodeImage(bytes, undefined)
  return { frames: [{ ...picture, index: 0, time: 0 }], length: 1, kind: 'image' }
}

function sampleVideo(
  file: VideoFile,
  settings: SampleSettings,
  limits: ReadLimits,
  tools: VideoTools
): Promise<SampledFrames> {
  return withVideo(file, settings, limits, tools, (reader, index) => sampleIndexed(reader, index, settings))
}

async function sampleIndexed(reader: VideoReader, index: PacketIndex, points: PointSettings): Promise<SampledFrames> {
  const { length, times, countReason } = index
  if (countReason) return sampleByCounting(reader, index, points, countReason)
  const indices = sampledIndices(length, points, rateOf(index, points, times))
  const wanted = [...new Set(indices)]
  const sought = await reader.decodeBySeeking(wanted)
  if ('countReason' in sought) return sampleByCounting(reader, index, points, sought.countReason)
  return { frames: toFrames(indices, wanted, sought.pictures, times), length, kind: 'video' }
}

/**
 * Samples a video by decoding all of it and counting the frames, whose number is the video's length. Where the
 * packets announce another number, the indices are computed again, and the video is decoded once more.
 */
async function sampleByCounting(
  reader: VideoReader,
  index: PacketIndex,
  points: PointSettings,
  counted: CountReason
): Promise<SampledFrames> {
  let indices = sampledIndices(index.length, points, rateOf(index, points, index.times))
  for (let attempt = 0; attempt < 2; attempt++) {
    const wanted = [...new Set(indices)]
    const { pictures, times } = await reader.decodeFromStart(wanted)
    // Of a file without times the ffmpeg command invents some.
    const known = index.countReason === 'no-times' ? undefined : times
    const meant = sampledIndices(times.length, points, rateOf(index, points, known))
    if (meant.length === indices.length && meant.every((frame, i) => frame === indices[i])) {
      const frames = toFrames(indices, wanted, pictures as Picture[], known)
      return { frames, length: times.length, kind: 'video', counted }
    }
    indices = meant
  }
  throw new VcapError('unreadable', 'It decodes differently each time')
}

/** The video's mean rate where it is wanted and known. */
function rateOf({ unit }: PacketIndex, { fps }: PointSettings, times?: ArrayLike<number>): number | undefined {
  if (fps === undefined || unit === undefined || times === undefined) return undefined
  return frameRate({ times, unit, lastDuration: undefined })
}

/** The frames with the given indices, which may repeat. `pictures` are those of the indices in `wanted`. */
function toFrames(indices: number[], wanted: number[], pictures: Picture[], times?: ArrayLike<number>): Frame[] {
  return indices.map((index) => ({ ...pictures[wanted.indexOf(index)]!, index, time: times?.[index] || 0 }))
}
