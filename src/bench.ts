import fs from 'node:fs/promises'
import path from 'node:path'
import type { RowInput, Timings, VideoCaption } from './caption'
import type { Captioner } from './captioner'
import { writeSamples } from './demo/samples'
import { asVcapError, isRowError, VcapError } from './errors'
import { findVideoTools } from './frames/tools'
import { makeTemporaryFolder } from './folders'
import { loadCaptioner } from './load'
import type { NativeModelInfo } from './native/addon'
import { parseBenchOptions, pickLoadOptions, type BenchOptions } from './options'
import { mapInOrder } from './ordered'
import { isListed } from './rows/listing'
import { isTable, openRows, requireRoot, type RowsOptions } from './rows/open'
import type { FormatName } from './table-format'

/** How fast one model captions certain clips here. */
export interface BenchResult {
  model: Pick<NativeModelInfo, 'name' | 'parameters' | 'devices' | 'sequences' | 'contextPerSequence'>
  /** Captions asked for, and how many of them failed. */
  clips: number
  failed: number
  /** From the first clip to the last, without loading and one caption before. */
  seconds: number
  videosPerSecond: number
  imageTokensPerSecond: number
  outputTokensPerSecond: number
  /** Shares of the time in which the engine waited for frames: wholly, and on average over its slots. */
  waited: { idle: number; emptySlots: number }
  /** Bytes this process held at most, decoders not counted. */
  peakMemory: number
  /** Medians a caption, in milliseconds; `queued` is the wait for the engine. */
  milliseconds: Timings
}

/** Files that are captioned where nothing says how many. */
const defaultClips = 100
const demoClips = 24

/**
 * Captions videos and images, or those of one table or folder, and tells how fast that was. Without files it renders
 * clips of the demo's world. Throws what `run` throws, and `usage` where no file could be captioned.
 */
export async function bench(files: string[] = [], options: BenchOptions = {}): Promise<BenchResult> {
  const settings = parseBenchOptions(options)
  if (files.length > 0) return measure(await listClips(files, settings.clips ?? defaultClips, settings), options)
  const folder = makeTemporaryFolder('vcap-bench-')
  try {
    const { samples } = await writeSamples({
      folder,
      clips: demoClips,
      images: 0,
      seed: 1,
      ffmpeg: findVideoTools(settings.ffmpeg).ffmpeg,
      largest: 480,
      signal: settings.signal
    })
    return await measure(
      samples.map((sample) => ({ path: path.join(folder, sample.path), text: undefined })),
      options
    )
  } finally {
    await fs.rm(folder, { recursive: true, force: true })
  }
}

/** The first `most` of the files, or of the rows of the one table or folder. */
async function listClips(
  files: string[],
  most: number,
  { root, signal, inputFormat }: RowsOptions & { inputFormat?: FormatName | undefined }
): Promise<RowInput[]> {
  const [input] = files
  const isRows = files.length === 1 && (isTable(input!) || isListed(input!))
  if (!isRows) return files.slice(0, most).map((file) => ({ path: path.resolve(file) }))
  requireRoot(root)
  const source = await openRows(input!, { root, signal, format: inputFormat })
  try {
    const clips: RowInput[] = []
    for await (const { input } of source.rows()) {
      clips.push(input)
      if (clips.length === most) break
    }
    if (clips.length === 0) throw new VcapError('usage', `${input} has no rows`)
    return clips
  } finally {
    source.close()
  }
}

async function measure(clips: RowInput[], options: BenchOptions): Promise<BenchResult> {
  const count = options.clips ?? clips.length
  const captioner = await loadCaptioner(pickLoadOptions(options))
  try {
    const caption = (clip: RowInput) => captionOrError(captioner, clip, options.signal)
    await caption(clips[0]!) // memory is touched and graphs are built before anything counts
    captioner.occupancy.reset()
    const started = performance.now()
    const outcomes: (VideoCaption | VcapError)[] = []
    for await (const made of mapInOrder(takeTurns(clips, count), captioner.window, caption)) outcomes.push(made)
    const seconds = (performance.now() - started) / 1000
    const waited = captioner.occupancy.wait
    const captions = outcomes.filter((made): made is VideoCaption => !(made instanceof VcapError))
    if (captions.length === 0) throw noCaption(clips[0]!, outcomes[0] as VcapError)
    const total = (tokens: (made: VideoCaption) => number) => captions.reduce((sum, made) => sum + tokens(made), 0)
    const { name, parameters, devices, sequences, contextPerSequence } = captioner.info
    return {
      model: { name, parameters, devices, sequences, contextPerSequence },
      clips: count,
      failed: count - captions.length,
      seconds,
      videosPerSecond: captions.length / seconds,
      imageTokensPerSecond: total(({ imageTokens }) => imageTokens) / seconds,
      outputTokensPerSecond: total(({ tokens }) => tokens.length) / seconds,
      waited,
      peakMemory: process.resourceUsage().maxRSS * 1024,
      milliseconds: medians(captions.map(({ timings }) => timings))
    }
  } finally {
    await captioner.close()
  }
}

function noCaption({ path }: RowInput, first: VcapError): VcapError {
  return new VcapError(first.code, `No clip could be captioned; the first, ${path}: ${first.message}`, { cause: first })
}

/** A file that cannot be captioned is counted and does not end the measurement. */
async function captionOrError(
  captioner: Captioner,
  { path, text }: RowInput,
  signal: AbortSignal | undefined
): Promise<VideoCaption | VcapError> {
  try {
    return await captioner.caption(path, { signal, ...(text !== undefined && { text }) })
  } catch (thrown) {
    const error = asVcapError(thrown)
    if (isRowError(error)) return error
    throw error
  }
}

function* takeTurns<T>(items: T[], count: number): Generator<T> {
  for (let i = 0; i < count; i++) yield items[i % items.length]!
}

function medians(timings: Timings[]): Timings {
  const middle = (step: keyof Timings) => timings.map((each) => each[step]).sort((a, b) => a - b)[timings.length >> 1]!
  return {
    frames: middle('frames'),
    preprocess: middle('preprocess'),
    queued: middle('queued'),
    vision: middle('vision'),
    prefill: middle('prefill'),
    decode: middle('decode')
  }
}
