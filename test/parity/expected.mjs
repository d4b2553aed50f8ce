import fs from 'node:fs'
import path from 'node:path'
import { gunzipSync } from 'node:zlib'

/** One model's folder as tools/parity/generate.py writes it: the files' paths, and the expectation with its arrays. */
export function readExpected(folder) {
  const expected = JSON.parse(fs.readFileSync(path.join(folder, 'expected.json'), 'utf8'))
  const blob = gunzipSync(fs.readFileSync(path.join(folder, 'expected.bin.gz')))
  const array = ({ type, shape, offset }) => {
    const length = shape.reduce((product, n) => product * n, 1)
    const Type = { uint8: Uint8Array, float32: Float32Array }[type]
    return new Type(
      blob.buffer.slice(blob.byteOffset + offset, blob.byteOffset + offset + length * Type.BYTES_PER_ELEMENT)
    )
  }
  for (const image of expected.images) {
    image.count = image.features.shape[0]
    image.tiles = array(image.tiles)
    image.features = array(image.features)
  }
  for (const caption of expected.captions) caption.logits = array(caption.logits)
  for (const video of expected.videos ?? []) {
    video.count = video.features.shape[0]
    for (const what of ['tiles', 'features', 'logits']) video[what] = array(video[what])
  }
  return { ...expected, model: path.join(folder, 'model.gguf'), mmproj: path.join(folder, 'mmproj.gguf') }
}

/** The models in a folder of models, by name. */
export function listExpected(folder) {
  return fs
    .readdirSync(folder)
    .filter((name) => fs.existsSync(path.join(folder, name, 'expected.json')))
    .sort()
}
