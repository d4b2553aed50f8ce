/** A run with sidecars that kills its process at a rename: `node sidecar-run.mjs FOLDER EXISTS [before|after N]`. */
import fs from 'node:fs'
import path from 'node:path'
import { run } from '../../dist/index.js'
import { namingCaptioner } from './naming-captioner.mjs'

const [folder, sidecarExists, when, at] = process.argv.slice(2)
const { renameSync } = fs
let renames = 0
fs.renameSync = (from, to) => {
  const isLast = from.endsWith('.vcap.tmp') && ++renames === Number(at)
  if (isLast && when === 'before') process.kill(process.pid, 'SIGKILL')
  renameSync(from, to)
  if (isLast) process.kill(process.pid, 'SIGKILL')
}
const { sidecars } = await run(path.join(folder, 'in.csv'), path.join(folder, 'out.csv'), {
  captioner: namingCaptioner(),
  sidecar: true,
  sidecarExists
})
process.stdout.write(JSON.stringify(sidecars))
