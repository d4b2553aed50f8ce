/**
 * Answers by JSON Schemas at temperature 1, of the demo model and of random weights that would ramble, each held
 * against its schema: node scripts/check-json.mjs [--count N], of each model.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { askAll, models } from '../test/helpers/json-answers.mjs'

const { values } = parseArgs({ options: { count: { type: 'string', default: '500' } } })
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vcap-json-'))
try {
  for (const [name, files] of Object.entries(models(folder))) {
    const started = Date.now()
    const { statuses, tokens } = await askAll(files, { count: Number(values.count), sequences: 16 })
    const shown = Object.entries(statuses).map(([status, count]) => `${count} ${status}`)
    console.log(
      `${name}: ${values.count} answers, all valid (${shown.join(', ')}); ${tokens} tokens, ${Date.now() - started} ms`
    )
  }
} finally {
  fs.rmSync(folder, { recursive: true, force: true })
}
