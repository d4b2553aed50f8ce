/**
 * Random weights, the same each time: node tools/models/random.mjs SHAPE FOLDER [F16|Q8_0]
 * For benchmarks, where only the amount of work matters. Shapes: 60m, 300m (language model's parameters, each with
 * CLIP-L/336's geometry in a slim tower), clip-l (six of CLIP-L/336's layers at full width, hardly a language model).
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { languageModel, projector } from './llava.mjs'

const common = { vocabulary: 32000, context: 16384, ropeBase: 1e4 }
export const shapes = {
  '60m': {
    languageModel: { name: 'random 60M', width: 512, layers: 8, heads: 8, groups: 4, feedForward: 1408, ...common },
    projector: {
      name: 'random 60M projector',
      image: 336,
      patch: 14,
      width: 192,
      layers: 6,
      heads: 6,
      feedForward: 768,
      projection: 512
    }
  },
  '300m': {
    languageModel: { name: 'random 300M', width: 1024, layers: 20, heads: 16, groups: 8, feedForward: 2816, ...common },
    projector: {
      name: 'random 300M projector',
      image: 336,
      patch: 14,
      width: 384,
      layers: 8,
      heads: 6,
      feedForward: 1536,
      projection: 1024
    }
  },
  'clip-l': {
    languageModel: { name: 'random CLIP-L', width: 512, layers: 1, heads: 8, groups: 4, feedForward: 1408, ...common },
    projector: {
      name: 'random CLIP-L projector',
      image: 336,
      patch: 14,
      width: 1024,
      layers: 6,
      heads: 16,
      feedForward: 4096,
      projection: 512
    }
  }
}

/** A tensor's bytes by its name: matrices N(0, 0.05²), norms about 1, biases about 0. */
function fill(name, type, size) {
  const next = randomWords(name)
  const isNorm = /norm\.weight$|ln\d?\.weight$/.test(name)
  const sigma = name.endsWith('.bias') ? 0.01 : 0.05
  const table = Float32Array.from({ length: 4096 }, (_, i) => (isNorm ? 1 : 0) + sigma * quantile((i + 0.5) / 4096))
  if (type === 'F32') return bytesOf(Float32Array.from({ length: size / 4 }, () => table[next() >>> 20]))
  const halves = Uint16Array.from(table, toHalf)
  if (type === 'F16') {
    const out = new Uint16Array(size / 2)
    for (let i = 0; i < out.length; i++) out[i] = halves[next() >>> 20]
    return bytesOf(out)
  }
  // A block of Q8_0 is one scale for 32 signed bytes.
  const out = new Uint8Array(size)
  const scale = toHalf(sigma / 40)
  for (let block = 0; block < size; block += 34) {
    out[block] = scale & 255
    out[block + 1] = scale >> 8
    for (let i = 2; i < 34; i++)
      out[block + i] = Math.round(Math.max(-127, Math.min(127, (table[next() >>> 20] / sigma) * 40)))
  }
  return out
}

const bytesOf = (array) => new Uint8Array(array.buffer)

/** xorshift32, seeded by a name (FNV-1a). */
function randomWords(name) {
  let state = 2166136261
  for (const char of name) state = Math.imul(state ^ char.codePointAt(0), 16777619)
  state ||= 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

/** The normal distribution's quantile function, by its logistic approximation: good enough for weights. */
function quantile(p) {
  return Math.log(p / (1 - p)) / 1.702
}

/** The bits of a number as IEEE half precision. Subnormals become 0, which changes no weight much. */
function toHalf(value) {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0]
  const exponent = ((bits >>> 23) & 255) - 112
  if (exponent <= 0) return 0
  return ((bits >>> 16) & 0x8000) | (exponent << 10) | ((bits >>> 13) & 1023)
}

/** A model file of random weights: `make` as in llava.mjs, for a shape; other seeds give other weights. */
export function randomFile(make, shape, seed = '') {
  return make(shape, (name, type) => (size) => fill(seed + name, type, size))
}

/** Writes the pair of GGUF files and returns their paths. */
export function writeRandomPair(shape, folder, type = 'F16') {
  mkdirSync(folder, { recursive: true })
  const model = join(folder, `random-${shape}-${type}.gguf`)
  const mmproj = join(folder, `random-${shape}-mmproj.gguf`)
  randomFile(languageModel, { ...shapes[shape].languageModel, type }).write(model)
  randomFile(projector, { ...shapes[shape].projector, type: 'F16' }).write(mmproj)
  return { model, mmproj }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [shape, folder, type] = process.argv.slice(2)
  if (!shapes[shape] || !folder) {
    console.error(`usage: node tools/models/random.mjs ${Object.keys(shapes).join('|')} FOLDER [F16|Q8_0]`)
    process.exit(2)
  }
  console.log(writeRandomPair(shape, folder, type))
}
