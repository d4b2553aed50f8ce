import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { stringify } from 'csv-stringify/sync'
import { mapInOrder } from '../ordered'
import { availableFormats, imageFormats, writeClip, writeImage } from './encode'
import { Random } from './random'
import { captionOf, drawScene, type Scene } from './world'

export interface Sample {
  /** Relative to the folder. */
  path: string
  scene: Scene
  expected: string
}

export interface SampleOptions {
  folder: string
  clips: number
  images: number
  seed: number
  ffmpeg: string
  /** Bound of the short side in pixels. */
  largest?: number
  signal?: AbortSignal
  onSample?: (done: number, total: number) => void
}

/**
 * Renders clips and images of the demo world into `folder`, in turn through all formats,
 * and writes `samples.csv` (path, expected) beside them.
 */
export async function writeSamples(options: SampleOptions): Promise<{ csv: string; samples: Sample[] }> {
  const { folder, clips, images, seed, ffmpeg, signal, onSample, largest } = options
  await fs.mkdir(folder, { recursive: true })
  const formats = availableFormats(ffmpeg)
  const random = new Random(seed)
  const plans = Array.from({ length: clips + images }, (_, i) => {
    const still = i >= clips
    const scene = drawScene(random, { still, largest })
    const format = formats[i % formats.length]!
    const name = still
      ? `image-${number(i - clips)}.${imageFormats[(i - clips) % imageFormats.length]}`
      : `clip-${number(i)}.${format.extension}`
    const write = (file: string) =>
      still ? writeImage(file, scene, seed + i) : writeClip(file, scene, seed + i, format, ffmpeg, signal)
    return { sample: { path: name, scene, expected: captionOf(scene.subject) }, write }
  })
  const samples: Sample[] = []
  const written = mapInOrder(plans, os.availableParallelism(), async ({ sample, write }) => {
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

function number(i: number): string {
  return String(i + 1).padStart(3, '0')
}
