/**
 * Random tables through `run`, held against an oracle: rows in are rows out, each cell equal, or the table is refused
 * with a line before its first caption.
 *
 *   npm run fuzz:tables -- [--tables 100000] [--seed N]
 *
 * Prints the seed, and at the end how many tables of each kind there were. The first that is wrong ends it with exit
 * code 1 and is kept. Tables lie in memory where the system has a folder for that: each is written and flushed.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { fuzzTables } from '../test/helpers/fuzz-tables.mjs'

const { values } = parseArgs({
  options: { tables: { type: 'string', default: '100000' }, seed: { type: 'string' } }
})
const tables = Number(values.tables)
const seed = Number(values.seed ?? Date.now() % 1_000_000)
const folder = fs.mkdtempSync(path.join(fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir(), 'vcap-fuzz-'))
console.log(`fuzz: ${tables} tables of seed ${seed}`)
const started = Date.now()
const onTable = (done) => {
  if (done % 10_000 === 0) console.log(`fuzz: ${done} tables, ${Math.round((Date.now() - started) / 1000)} s`)
}
console.log(await fuzzTables({ seed, tables, folder, onTable }))
fs.rmSync(folder, { recursive: true })
