import fs from 'node:fs/promises'
import path from 'node:path'
import { stringify } from 'csv-stringify/sync'
import { cpus } from '../cpus'
import { VcapError } from '../errors'
import { mapInOrder } from '../ordered'
import { availableFormats, imageFormats, openClipEncoder, writeClip, writeImage } from './encode'
import { Random } from './random'
import { captionOf, drawScene, type Scene } from './world'

/** A clip or an image that was written. */
export interface Sample {
  /** Path relative to the samples' folder. */
  path: string
  scene: Scene
  /** The correct caption. */
  expected: string
}

export interface SampleOptions {
  /** The folder to write to. It is created where it does not exist. */
  folder: string
  /** Number of clips. */
  clips: number
  /** Number of images. */
  images: number
  seed: number
  /** Path of the ffmpeg command that encodes clips; undefined: FFmpeg's libraries do, by node-av. */
  ffmpeg: string | undefined
  /** Largest length of a picture's short side in pixels. */
  largest?: number
  signal?: AbortSignal
  /** Called after each sample with the number of samples written and of all samples. */
  onSample?: (done: number, total: number) => void
}

/**
 * Renders clips and images of the demo world into `folder` and writes the table `samples.csv` there, with the columns
 * `path` and `expected`. Successive samples take the formats in turn. Rejects with `ffmpeg_missing`,
 * `output_unwritable`, `write_failed`, `aborted` or an error of the file system.
 */
export async function writeSamples(options: SampleOptions): Promise<{ csv: string; samples: Sample[] }> {
  const { folder, clips, images, seed, ffmpeg, signal, onSample, largest } = options
  await makeFolder(folder)
  const encoder = await openClipEncoder(ffmpeg)
  const formats = availableFormats(encoder)
  const random = new Random(seed)
  const plans = Array.from({ length: clips + images }, (_, i) => {
    const still = i >= clips
    const scene = drawScene(random, { still, largest })
    const format = formats[i % formats.length]!
    const name = still
      ? `image-${ordinal(i - clips)}.${imageFormats[(i - clips) % imageFormats.length]}`
      : `clip-${ordinal(i)}.${format.extension}`
    const write = (file: string) =>
      still ? writeImage(file, scene, seed + i) : writeClip(file, scene, seed + i, format, encoder, signal)
    return { sample: { path: name, scene, expected: captionOf(scene.subject) }, write }
  })
  const samples: Sample[] = []
  const written = mapInOrder(plans, cpus().usable, async ({ sample, write }) => {
    await write(path.join(folder, sample.path))
    return sample
  })
  for await (const sample of written) {
    samples.push(sample)
    onSample?.(samples.length, plans.length)
  }
  const csv = path.join(folder, 'samples.csv')
  await fs.writeFile(
    csv,
    stringify(
      samples.map(({ path, expected }) => ({ path, expected })),
      { header: true }
    )
  )
  return { csv, samples }
}

/** Throws `output_unwritable`. */
async function makeFolder(folder: string): Promise<void> {
  try {
    await fs.mkdir(folder, { recursive: true })
    await fs.access(folder, fs.constants.W_OK)
  } catch (cause) {
    const { message } = cause as Error
    throw new VcapError('output_unwritable', `Folder ${folder} cannot be written: ${message}`, { cause })
  }
}

/** The number of the sample with index `i`, counted from 1, as at least three digits. */
function ordinal(i: number): string {
  return String(i + 1).padStart(3, '0')
}
