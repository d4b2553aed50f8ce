/** The models that the check measures with. */
import fs from 'node:fs'
import path from 'node:path'
import { languageModel, llava34b, projector } from '../../tools/models/llava.mjs'
import { inCache } from '../cache.mjs'
import { pair } from '../pairs.mjs'

/**
 * A pair by its name, `{ name, model, mmproj, shape, frames }`, written when it is first asked for: those of bench/,
 * and `34b-TYPE`, of LLaVA-1.6-34B's shapes and types with zeros for weights. Their files are holes and take no room; a
 * GPU may run a little faster on zeros, since they take less power. `frames`: pictures a caption, few enough that
 * sixteen captions fit a large GPU.
 */
export function checkedPair(name) {
  if (!name.startsWith('34b-')) return { frames: name === 'demo' ? 1 : 3, ...pair(name) }
  const type = name.slice('34b-'.length)
  const folder = inCache('models', 'zeros')
  fs.mkdirSync(folder, { recursive: true })
  const files = { model: path.join(folder, `34b-${type}.gguf`), mmproj: path.join(folder, '34b-mmproj.gguf') }
  const shape = { languageModel: llava34b.languageModel(type), projector: llava34b.projector('F16') }
  if (!fs.existsSync(files.model)) languageModel(shape.languageModel).write(files.model)
  if (!fs.existsSync(files.mmproj)) projector(shape.projector).write(files.mmproj)
  return { name, ...files, shape, frames: type === 'F16' ? 1 : 3 }
}
