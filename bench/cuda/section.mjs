/** One section of the check, in this process: node section.mjs CONTEXT, as JSON; its result goes to descriptor 3. */
import fs from 'node:fs'
import { sections } from './sections.mjs'
import { findTarget, Skip } from './target.mjs'

const context = JSON.parse(process.argv[2])
const section = sections(context.short).find(({ name }) => name === context.name)
let result
try {
  result = await section.run({ ...context, target: findTarget(context.device) })
} catch (error) {
  result = error instanceof Skip ? { skipped: error.message } : { failed: error.message }
  if (result.failed) console.error(error.stack)
}
fs.writeSync(3, JSON.stringify(result))
process.exit(0)
