/**
 * `gpt4` killed by SIGKILL again and again, against a server that counts what it is asked: no row is asked for again
 * once its record is on the disk.
 *
 *   npm run kill:api -- [--kills 20] [--clips 40] [--seed N]
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { writeSamples } from '../dist/demo/samples.js'
import { findFfmpeg } from '../dist/frames/tools.js'
import { killApi } from '../test/helpers/kill-api.mjs'
import { randomOf } from '../test/helpers/random.mjs'

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '20' },
    clips: { type: 'string', default: '40' },
    seed: { type: 'string', default: String(Date.now() % 100_000) }
  }
})
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vcap-kill-api-'))
process.on('exit', () => fs.rmSync(folder, { recursive: true, force: true }))
console.log(`kill: seed ${values.seed}, ${values.clips} clips, ${values.kills} kills`)
const ffmpeg = findFfmpeg(undefined).path
const { csv } = await writeSamples({ folder, clips: Number(values.clips), images: 0, seed: 7, largest: 160, ffmpeg })
const random = randomOf(Number(values.seed))
const output = path.join(folder, 'captions.csv')
const { rows, asked } = await killApi({ csv, output, kills: Number(values.kills), random })
console.log(
  `kill: ${values.kills} kills; the last run of ${rows} rows is whole; ${asked} captions were asked for in all`
)
console.log('kill: no row was asked for again after its record')
