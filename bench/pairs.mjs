/** The models measured: the demo's, and random weights of real proportions, written into the cache when first asked for. */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { shapes, writeRandomPair } from '../tools/models/random.mjs'
import { inCache, root } from './cache.mjs'

export const pairNames = ['demo', ...Object.keys(shapes)]

/** `{ name, model, mmproj, shape }`; `shape` tells peers that bring their own weights what to make. */
export function pair(name, type = 'F16') {
  if (name === 'demo') {
    const file = (part) => path.join(root, 'models', 'demo', part)
    return { name, model: file('vcap-demo.gguf'), mmproj: file('vcap-demo-mmproj.gguf') }
  }
  if (!shapes[name]) throw new Error(`Expected one of ${pairNames.join(', ')} as a model but received ${name}`)
  // What writes them is part of their name: a change there makes new files.
  const folder = inCache('models', 'v3')
  const files = {
    model: path.join(folder, `random-${name}-${type}.gguf`),
    mmproj: path.join(folder, `random-${name}-mmproj.gguf`)
  }
  if (!Object.values(files).every((file) => existsSync(file))) writeRandomPair(name, folder, type)
  return { name, ...files, shape: shapes[name] }
}
