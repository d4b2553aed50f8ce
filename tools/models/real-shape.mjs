/**
 * LLaVA-1.6-34B with zeros for weights: node tools/models/real-shape.mjs FOLDER [Q4_0|Q4_K|Q8_0|F16]
 * The files have the real names, types and shapes; as holes they take a few megabytes of disk.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { languageModel, llava34b, projector } from './llava.mjs'

const [folder, type = 'Q4_K'] = process.argv.slice(2)
if (!folder) {
  console.error('usage: node tools/models/real-shape.mjs FOLDER [Q4_0|Q4_K|Q8_0|F16]')
  process.exit(2)
}
mkdirSync(folder, { recursive: true })
const gigabytes = (bytes) => `${(bytes / 1e9).toFixed(2)} GB`
const model = join(folder, `llava-34b-zeros-${type}.gguf`)
console.log(model, gigabytes(languageModel(llava34b.languageModel(type)).write(model)))
const mmproj = join(folder, 'llava-34b-zeros-mmproj-F16.gguf')
console.log(mmproj, gigabytes(projector(llava34b.projector('F16')).write(mmproj)))
