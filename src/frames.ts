import path from 'node:path'
import { decodeBySeeking, decodeFromStart } from './decode'
import type { FrameIndex, VideoFile } from './demux'
import { indexFrames } from './demux'
import { VcapError } from './errors'
import { findFfmpeg, type FfmpegLimits } from './ffmpeg'
import { identify } from './media'
import { parseFrameOptions, type FrameOptions, type FrameSettings } from './options'
import type { Picture } from './picture'
import { scaleShortSide } from './scale'
import { countPages, decodeImage, readImageFile } from './still'

/** One sampled picture of a video, or the picture of an image. */
export interface Frame extends Picture {
  /** Place among the video's frames, from 0. */
  index: number
  /** Seconds from the file's start; 0 where the stream does not say. */
  time: number
}

export interface SampledFrames {
  frames: Frame[]
  /** Frames of the whole video; 1 for an image. */
  length: number
}

/**
 * Where in a video its frames are taken, as parts of its length. Frame p is the one with
 * index int(p · length).
 */
export function samplePoints(count: number): number[] {
  if (count === 3) return [0.1, 0.5, 0.9]
  return Array.from({ length: count }, (_, i) => (i + 0.5) / count)
}

/**
 * Decoded frames of a local video or image file, upright, in order.
 * Throws `missing`, `unreadable`, `no_frames`, `ffmpeg_missing`, `aborted`.
 */
export async function extractFrames(file: string, options?: FrameOptions): Promise<Frame[]> {
  const settings = parseFrameOptions(options)
  return (await sampleFrames(file, settings, findFfmpeg(settings.ffmpeg).path)).frames
}

/** As `extractFrames`, with options complete and the ffmpeg known; the video's length as well. */
export async function sampleFrames(file: string, settings: FrameSettings, ffmpeg: string): Promise<SampledFrames> {
  const absolute = path.resolve(file)
  const kind = await identify(file === '' ? file : absolute)
  const limits = { ffmpeg, deadline: Date.now() + settings.decodeTimeout * 1000, signal: settings.signal }
  const sampled = kind.type === 'image'
    ? await sampleImage(absolute, kind.format, settings.numFrames, limits)
    : await sampleVideo({ path: absolute, demuxer: kind.demuxer }, settings.numFrames, limits)
  if (settings.resize === undefined) return sampled
  const { resize } = settings
  return { ...sampled, frames: await Promise.all(sampled.frames.map(async (frame) => ({ ...frame, ...(await scaleShortSide(frame, resize)) }))) }
}

async function sampleImage(file: string, format: string, count: number, limits: FfmpegLimits): Promise<SampledFrames> {
  if (format === 'bmp') return sampleVideo({ path: file, demuxer: 'bmp_pipe' }, 1, limits) // sharp has no reader for it
  const bytes = await readImageFile(file)
  const pages = format === 'tiff' ? 1 : await countPages(bytes)
  if (pages === 1) return { frames: [{ ...(await decodeImage(bytes, 0)), index: 0, time: 0 }], length: 1 }
  if (format === 'gif') return sampleVideo({ path: file, demuxer: 'gif' }, count, limits)
  const frames: Frame[] = []
  for (const index of sampleIndices(pages, count)) frames.push({ ...(await decodeImage(bytes, index)), index, time: 0 })
  return { frames, length: pages }
}

async function sampleVideo(file: VideoFile, count: number, limits: FfmpegLimits): Promise<SampledFrames> {
  const index = await indexFrames(file, limits)
  const indices = sampleIndices(index.length, count)
  const wanted = [...new Set(indices)]
  const found = await decodeBySeeking(file, index, wanted, limits)
  if (found) return { frames: toFrames(indices, wanted, found, index), length: index.length }
  return sampleByCounting(file, index, count, limits)
}

/** For streams whose packets lie about their frames: the length is what can be decoded. */
async function sampleByCounting(file: VideoFile, index: FrameIndex, count: number, limits: FfmpegLimits): Promise<SampledFrames> {
  let { length } = index
  for (let attempt = 0; attempt < 2; attempt++) {
    const indices = sampleIndices(length, count)
    const wanted = [...new Set(indices)]
    const decoded = await decodeFromStart(file, wanted, limits)
    if (decoded.pictures.every((picture) => picture !== undefined)) {
      return { frames: toFrames(indices, wanted, decoded.pictures, index), length }
    }
    length = decoded.length
  }
  throw new VcapError('unreadable', 'It decodes differently each time')
}

function sampleIndices(length: number, count: number): number[] {
  return samplePoints(count).map((p) => Math.trunc(p * length))
}

function toFrames(indices: number[], wanted: number[], pictures: (Picture | undefined)[], { times }: FrameIndex): Frame[] {
  return indices.map((index) => ({ ...pictures[wanted.indexOf(index)]!, index, time: times?.[index] ?? 0 }))
}
