/**
 * The models that are measured: the demo's, and models of real proportions with random weights, which are written into
 * the cache when they are first asked for.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, renameSync } from 'node:fs'
import path from 'node:path'
import { shapes, writeRandomPair } from '../tools/models/random.mjs'
import { inCache, root } from './cache.mjs'
import { machine } from './machine.mjs'
import { llamaTool } from './setup.mjs'

export const pairNames = ['demo', ...Object.keys(shapes)]

/**
 * One pair of files, `{ name, model, mmproj, shape }`. Peers that make their own weights take the sizes of the layers
 * from `shape`.
 */
export function pair(name, type = 'F16') {
  if (name === 'demo') {
    const file = (part) => path.join(root, 'models', 'demo', part)
    return { name, model: file('vcap-demo.gguf'), mmproj: file('vcap-demo-mmproj.gguf') }
  }
  if (!shapes[name]) throw new Error(`Expected one of ${pairNames.join(', ')} as a model but received ${name}`)
  // The folder names the version of the code that writes the models. It is raised with that code, so that new files
  // are made.
  const folder = inCache('models', 'v3')
  const files = {
    model: path.join(folder, `random-${name}-${type}.gguf`),
    mmproj: path.join(folder, `random-${name}-mmproj.gguf`)
  }
  if (!Object.values(files).every((file) => existsSync(file))) writeRandomPair(name, folder, type)
  return { name, ...files, shape: shapes[name] }
}

/** The pair `name` with the weights of its language model converted to `type`, as llama-quantize calls it. */
export function quantised(name, type) {
  const own = pair(name)
  if (type === 'F16') return own
  const model = inCache('models', 'quantised', `${name}-${type}.gguf`)
  if (!existsSync(model)) {
    const args = [own.model, `${model}.partial`, type, String(machine().cores)]
    const { status, error, stderr } = spawnSync(llamaTool('llama-quantize'), args, { encoding: 'utf8' })
    if (error) throw new Error('There is no llama-quantize: node bench/setup.mjs brings it')
    if (status !== 0) throw new Error(`llama-quantize failed: ${stderr.trim().split('\n').at(-1)}`)
    renameSync(`${model}.partial`, model)
  }
  return { ...own, model }
}
