import { VcapError } from '../errors'
import type { FrameSettings } from '../options'
import type { Picture } from '../picture'
import { scaleShortSide } from '../scale'
import { identify } from './media'
import { openVideo } from './open'
import type { FrameIndex, ReadLimits, VideoFile, VideoReader } from './reader'
import { countPages, decodeImage, readImageFile } from './still'
import type { VideoTools } from './tools'

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

export type SampleSettings = Pick<FrameSettings, 'numFrames' | 'resize' | 'decodeTimeout'>

/**
 * Decoded frames of a local video or image file, upright, in order; the file's length as well.
 * `file`: absolute, or empty; `threads`: of a decoder. Throws `missing`, `unreadable`, `no_frames`, `ffmpeg_missing`.
 */
export async function sampleFrames(
  file: string,
  settings: SampleSettings,
  threads: number,
  tools: VideoTools
): Promise<SampledFrames> {
  const kind = await identify(file)
  const limits = { deadline: Date.now() + settings.decodeTimeout * 1000, threads }
  const sampled =
    kind.type === 'image'
      ? await sampleImage(file, kind.format, settings.numFrames, limits, tools)
      : await sampleVideo({ path: file, demuxer: kind.demuxer }, settings.numFrames, limits, tools)
  if (settings.resize === undefined) return sampled
  const { resize } = settings
  return {
    ...sampled,
    frames: await Promise.all(
      sampled.frames.map(async (frame) => ({ ...frame, ...(await scaleShortSide(frame, resize)) }))
    )
  }
}

async function sampleImage(
  file: string,
  format: string,
  count: number,
  limits: ReadLimits,
  tools: VideoTools
): Promise<SampledFrames> {
  if (format === 'bmp') return sampleVideo({ path: file, demuxer: 'bmp_pipe' }, 1, limits, tools) // sharp has no reader for it
  const bytes = await readImageFile(file)
  const pages = format === 'tiff' ? 1 : await countPages(bytes)
  if (pages === 1) return { frames: [{ ...(await decodeImage(bytes, 0)), index: 0, time: 0 }], length: 1 }
  if (format === 'gif') return sampleVideo({ path: file, demuxer: 'gif' }, count, limits, tools)
  const frames: Frame[] = []
  for (const index of sampleIndices(pages, count)) frames.push({ ...(await decodeImage(bytes, index)), index, time: 0 })
  return { frames, length: pages }
}

async function sampleVideo(
  file: VideoFile,
  count: number,
  limits: ReadLimits,
  tools: VideoTools
): Promise<SampledFrames> {
  const reader = await openVideo(file, limits, tools)
  try {
    const index = await reader.index()
    const indices = sampleIndices(index.length, count)
    const wanted = [...new Set(indices)]
    const found = await reader.bySeeking(wanted)
    if (found) return { frames: toFrames(indices, wanted, found, index), length: index.length }
    return await sampleByCounting(reader, index, count)
  } finally {
    reader.close()
  }
}

/** For streams whose packets lie about their frames: the length is what can be decoded. */
async function sampleByCounting(reader: VideoReader, index: FrameIndex, count: number): Promise<SampledFrames> {
  let { length } = index
  for (let attempt = 0; attempt < 2; attempt++) {
    const indices = sampleIndices(length, count)
    const wanted = [...new Set(indices)]
    const decoded = await reader.fromStart(wanted)
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

function toFrames(
  indices: number[],
  wanted: number[],
  pictures: (Picture | undefined)[],
  { times }: FrameIndex
): Frame[] {
  return indices.map((index) => ({ ...pictures[wanted.indexOf(index)]!, index, time: times?.[index] ?? 0 }))
}
