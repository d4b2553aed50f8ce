import { VcapError } from '../errors'
import type { FrameSettings } from '../options'
import type { Picture } from '../picture'
import { scaleShortSide } from '../scale'
import { boxesIn } from './boxes'
import { ReadFault, readTwice, readWhole, requireReadableEnds } from './fault'
import { decodeHeic, readHeif } from './heic'
import { identify } from './media'
import { openVideo } from './open'
import type { CountReason, PacketIndex } from './packet-index'
import { findShortfall } from './promise'
import { stillShortfall } from './promise-still'
import { CannotOpen, type ReadLimits, type VideoFile, type VideoReader } from './reader'
import { countPages, decodeImage } from './still'
import type { VideoTools } from './tools'
import { withBytes } from './unnamed-file'

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
  /** True where the file has less than its container promises; left out where it is whole. */
  partial?: true
  /** Why the frames of a video were counted by decoding all of it; undefined where they were sought. */
  counted?: CountReason
}

/**
 * The points of a video at which `count` frames are sampled, as fractions of its length: for point p the frame with the
 * index trunc(p · length), where length is the number of frames.
 */
export function samplePoints(count: number): number[] {
  if (count === 3) return [0.1, 0.5, 0.9]
  return Array.from({ length: count }, (_, i) => (i + 0.5) / count)
}

/** The settings that sampling one file takes. */
export type SampleSettings = Pick<FrameSettings, 'numFrames' | 'resize' | 'decodeTimeout' | 'allowPartial'>

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
  if (kind.type === 'sequence') return sampleSequence(file, settings, limits, tools)
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
  if (pages > 1 && format === 'gif') return sampleVideo({ path: file, demuxer: 'gif' }, settings, limits, tools)
  const frames: Frame[] = []
  for (const index of pages === 1 ? [0] : sampleIndices(pages, settings.numFrames)) {
    frames.push({ ...(await decode(index)), index, time: 0 })
  }
  return { frames, length: pages, ...partial }

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

/** An image that FFmpeg reads: one picture, or none that can be decoded, which is no matter of a codec then. */
async function sampleOtherImage(
  path: string,
  demuxer: string,
  settings: SampleSettings,
  limits: ReadLimits,
  tools: VideoTools
): Promise<SampledFrames> {
  try {
    return await sampleVideo({ path, demuxer }, { ...settings, numFrames: 1 }, limits, tools)
  } catch (error) {
    if (!(error instanceof VcapError) || error.code !== 'no_frames') throw error
    throw new VcapError('unreadable', 'The image cannot be decoded: it is damaged or ends early', { cause: error })
  }
}

/** The primary image of a HEIF file: a grid of HEVC tiles is composed here, AVIF is read by sharp. */
async function sampleHeif(bytes: Buffer, limits: ReadLimits, tools: VideoTools): Promise<SampledFrames> {
  const image = readHeif(bytes)
  const picture = image.codec === 'hvc1' ? await decodeHeic(image, limits, tools) : await decodeImage(bytes, undefined)
  return { frames: [{ ...picture, index: 0, time: 0 }], length: 1 }
}

/** A sequence is read without the still image beside it, which FFmpeg would take for the video. */
async function sampleSequence(
  file: string,
  settings: SampleSettings,
  limits: ReadLimits,
  tools: VideoTools
): Promise<SampledFrames> {
  const bytes = await readWhole(file)
  for (const { type, start } of boxesIn(bytes, 0, bytes.length)) if (type === 'meta') bytes.write('free', start - 4)
  return withBytes(bytes, (path) => sampleVideo({ path, demuxer: 'mov' }, settings, limits, tools))
}

async function sampleVideo(
  file: VideoFile,
  settings: SampleSettings,
  limits: ReadLimits,
  tools: VideoTools,
  mayRepeat = true
): Promise<SampledFrames> {
  try {
    return await sampleOpened(file, settings, limits, tools)
  } catch (error) {
    if (error instanceof ReadFault || error instanceof Truncated) throw error
    // A demuxer that cannot read a part of the file often tells of the damage that it then sees, not of the fault.
    await requireReadableEnds(file.path, limits.deadline)
    // The fault may have passed since. Opening is all that is repeated where there was none.
    if (mayRepeat && error instanceof CannotOpen) return sampleVideo(file, settings, limits, tools, false)
    const shortfall = await findShortfall(file.path, 0, undefined)
    throw shortfall === undefined ? error : new Truncated(shortfall)
  }
}

async function sampleOpened(
  file: VideoFile,
  settings: SampleSettings,
  limits: ReadLimits,
  tools: VideoTools
): Promise<SampledFrames> {
  const reader = await openVideo(file, limits, tools)
  try {
    const index = await reader.index()
    const partial = requireWhole(await findShortfall(file.path, index.packetCount, index.times), settings)
    return { ...(await sampleIndexed(reader, index, settings.numFrames)), ...partial }
  } finally {
    reader.close()
  }
}

async function sampleIndexed(reader: VideoReader, index: PacketIndex, count: number): Promise<SampledFrames> {
  const { length, times, countReason } = index
  if (countReason) return sampleByCounting(reader, index, count, countReason)
  const indices = sampleIndices(length, count)
  const wanted = [...new Set(indices)]
  const sought = await reader.decodeBySeeking(wanted)
  if ('countReason' in sought) return sampleByCounting(reader, index, count, sought.countReason)
  return { frames: toFrames(indices, wanted, sought.pictures, times), length }
}

/** The file has less than its container promises. */
class Truncated extends VcapError {
  constructor(shortfall: string) {
    super('unreadable', `truncated: ${shortfall}`)
  }
}

/** The mark of a file of which something is missing. Throws `unreadable` where such a file is not wanted. */
function requireWhole(shortfall: string | undefined, { allowPartial }: SampleSettings): { partial: true } | undefined {
  if (shortfall === undefined) return undefined
  if (!allowPartial) throw new Truncated(shortfall)
  return { partial: true }
}

/**
 * Samples a video by decoding all of it and counting the frames, whose number is the video's length. Where the
 * packets announce another number, the indices are computed again, and the video is decoded once more.
 */
async function sampleByCounting(
  reader: VideoReader,
  index: PacketIndex,
  count: number,
  counted: CountReason
): Promise<SampledFrames> {
  let { length } = index
  for (let attempt = 0; attempt < 2; attempt++) {
    const indices = sampleIndices(length, count)
    const wanted = [...new Set(indices)]
    const { pictures, times } = await reader.decodeFromStart(wanted)
    if (times.length === length) {
      // Of a file without times the ffmpeg command invents some.
      const known = index.countReason === 'no-times' ? undefined : times
      return { frames: toFrames(indices, wanted, pictures as Picture[], known), length, counted }
    }
    length = times.length
  }
  throw new VcapError('unreadable', 'It decodes differently each time')
}

function sampleIndices(length: number, count: number): number[] {
  return samplePoints(count).map((p) => Math.trunc(p * length))
}

/** The frames with the given indices, which may repeat. `pictures` are those of the indices in `wanted`. */
function toFrames(indices: number[], wanted: number[], pictures: Picture[], times?: ArrayLike<number>): Frame[] {
  return indices.map((index) => ({ ...pictures[wanted.indexOf(index)]!, index, time: times?.[index] || 0 }))
}
