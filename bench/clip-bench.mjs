/** What the benches have in common that caption rendered clips of ten seconds by `run`. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { clip } from './clips.mjs'
import { pair } from './pairs.mjs'
import { context, sizes } from './workloads.mjs'

/**
 * The command line's options (`values`), the model's name, what loads it, how it answers, and the clips: their files,
 * a folder that goes with the process, and in it the table of the files.
 */
export function clipBench() {
  const { values } = parseArgs({
    options: {
      model: { type: 'string', default: '60m' },
      clips: { type: 'string', default: '32' },
      batch: { type: 'string', default: '16' },
      size: { type: 'string', default: '640x360' },
      tokens: { type: 'string', default: '32' },
      rounds: { type: 'string', default: '3' },
      threads: { type: 'string', default: '0' },
      json: { type: 'string' }
    }
  })
  const [width, height] = sizes[values.size]
  const { name, model, mmproj } = pair(values.model)
  const loading = {
    model,
    mmproj,
    gpus: 'none',
    sequences: Number(values.batch),
    contextPerSequence: name === 'demo' ? 0 : context,
    threads: Number(values.threads),
    chatTemplate: name === 'demo' ? '' : 'vicuna_v1'
  }
  const answering = { maxTokens: Number(values.tokens), ignoreEos: true }
  const files = Array.from({ length: Number(values.clips) }, (_, seed) => clip({ width, height, seconds: 10, seed }))
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vcap-bench-'))
  process.on('exit', () => fs.rmSync(folder, { recursive: true, force: true }))
  const csv = path.join(folder, 'clips.csv')
  fs.writeFileSync(csv, `path\n${files.join('\n')}\n`)
  return { values, name, loading, answering, files, folder, csv }
}
