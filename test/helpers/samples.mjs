import path from 'node:path'
import { writeSamples } from '../../dist/demo/samples.js'
import { findFfmpeg } from '../../dist/frames/tools.js'
import { temporaryFolder } from './media.mjs'

/** Small clips and images of the demo model's world, and the CSV that lists them. */
export async function demoSamples({ clips = 6, images = 3, seed = 99, largest = 160 } = {}) {
  const folder = temporaryFolder()
  const { csv, samples } = await writeSamples({
    folder,
    clips,
    images,
    seed,
    largest,
    ffmpeg: findFfmpeg(undefined).path
  })
  return { folder, csv, samples, paths: samples.map((sample) => path.join(folder, sample.path)) }
}
