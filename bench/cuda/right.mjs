/** Sections of the check: whether the devices compute what they should. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { writeSamples } from '../../dist/demo/samples.js'
import { findFfmpeg } from '../../dist/frames/tools.js'
import { loadCaptioner } from '../../dist/index.js'
import { loadAddon } from '../../dist/native/load.js'
import { bounds, checkModel, summarise } from '../../test/parity/check.mjs'
import { listExpected, readExpected } from '../../test/parity/expected.mjs'
import { root } from '../cache.mjs'

/** The demo's videos and images, captioned by the devices and by the CPU. */
export async function demo({ target, short }) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vcap-check-'))
  try {
    const counts = short ? { clips: 4, images: 2 } : { clips: 40, images: 10 }
    const ffmpeg = findFfmpeg(undefined).path
    const { samples } = await writeSamples({ folder, seed: 1, largest: 480, ffmpeg, ...counts })
    const files = samples.map((sample) => path.join(folder, sample.path))
    const ours = await captionAll(files, target.settings)
    const cpu = await captionAll(files, { gpus: 'none' })
    const rows = files.flatMap((file, i) => (ours[i] === cpu[i] ? [] : [[path.basename(file), ours[i], cpu[i]]]))
    return {
      right: rows.length === 0,
      summary: `${files.length - rows.length} of ${files.length} captions are the CPU's`,
      ...(rows.length > 0 && { table: { head: ['file', 'on the device', 'on the CPU'], rows } }),
      data: { captions: files.length, different: rows.length }
    }
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

async function captionAll(files, settings) {
  const captioner = await loadCaptioner({ model: 'demo', ...settings })
  try {
    const texts = []
    for await (const { text, error } of captioner.captionAll(files)) texts.push(text ?? error.message)
    return texts
  } finally {
    await captioner.close()
  }
}

/** Features, first logits and greedy tokens against transformers', on the models that the tests have. */
export async function parity({ target }) {
  const addon = loadAddon()
  const folder = path.join(root, 'test', 'fixtures', 'parity')
  const names = listExpected(folder)
  const devices = target.kind === 'cpu' ? [] : target.devices().map(({ name }) => name)
  const rows = []
  const faulty = []
  for (const name of names) {
    const expected = readExpected(path.join(folder, name))
    // A GPU's products of F32 are TF32, with the mantissa of half precision: F32 models are held to that.
    const least = bounds[expected.precision] === bounds.Q8_0 ? bounds.Q8_0 : bounds.F16
    const checked = await checkModel(addon, expected, { devices }, target.kind === 'cpu' ? undefined : least)
    const { cosine, logits, agreed, steps } = summarise(checked)
    rows.push([name, cosine.toFixed(6), logits.toExponential(1), `${agreed} of ${steps}`, checked.faults.join('; ')])
    if (checked.faults.length > 0) faulty.push(name)
  }
  return {
    right: faulty.length === 0,
    summary: faulty.length === 0 ? `${names.length} models within their bounds` : `out of bounds: ${faulty.join(', ')}`,
    table: { head: ['model', 'least cosine', 'largest difference of a logit', 'tokens agreed', 'faults'], rows },
    data: { models: rows }
  }
}
