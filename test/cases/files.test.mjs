/**
 * Every file of the cases as a row of one table, through the command with the demo model: once read by FFmpeg's
 * libraries, once by its command. Each row has the status, the length and the reason that its case says.
 */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { stringify } from 'csv-stringify/sync'
import { findFfmpeg } from '../../dist/frames/tools.js'
import { readRows, run } from '../helpers/cli.mjs'
import { hasEncoder, temporaryFolder } from '../helpers/media.mjs'
import { fileCases } from './files.mjs'
import { matches } from './says.mjs'

const folder = temporaryFolder()

/** The cases that can be tried here, their files made: by some ffmpeg processes beside one another. */
async function makeCases() {
  const encoders = new Map()
  const isThere = (name) => encoders.get(name) ?? encoders.set(name, hasEncoder(name)).get(name)
  const cases = fileCases.filter(({ encoder, skip }) => !skip?.() && (!encoder || isThere(encoder)))
  for (const name of ['codecs', 'videos', 'images']) fs.mkdirSync(path.join(folder, name))
  const waiting = cases.filter(({ make }) => make)
  const makeNext = async () => {
    for (let one = waiting.shift(); one; one = waiting.shift()) {
      await Promise.resolve(one.make(path.join(folder, one.file))).catch((error) => {
        throw new Error(`${one.name} cannot be made: ${error.stderr ?? error.message}`)
      })
    }
  }
  await Promise.all([makeNext(), makeNext(), makeNext()])
  return cases
}

const made = await makeCases()

/** What is not as its case says; undefined where all is. */
function difference({ frames, status, says = '' }, row) {
  if (frames === undefined) {
    return row.status === status && matches(says, row.error) && row.text === '' ? undefined : `${status}: ${says}`
  }
  const isLong = frames === 'some' ? Number(row.num_frames) > 0 : row.num_frames === String(frames)
  return row.status === 'ok' && isLong && row.text !== '' && row.error === '' ? undefined : `ok, ${frames} frames`
}

/** By the command as well: all but the codecs and names, which `npm run cases` reads so, and the frames' tests. */
const isForBoth = ({ group }) => process.env.VCAP_CASES === 'all' || !/codecs|names/.test(group)
const byCommand = made.filter(isForBoth)

for (const [reader, cases, flags] of [
  ["FFmpeg's libraries", made, []],
  ['the ffmpeg command', byCommand, ['--ffmpeg', findFfmpeg(undefined).path]]
]) {
  test(`${cases.length} files as rows of one table, read by ${reader}`, { timeout: 280_000 }, async () => {
    const table = path.join(folder, `in-${flags.length}.csv`)
    const output = path.join(folder, `out-${flags.length}.csv`)
    const cells = cases.map(({ name, file, path: named }) => [named ?? file, name])
    fs.writeFileSync(table, stringify([['path', 'case'], ...cells]))
    const { status, stderr } = await run(table, output, '--anyres', 'off', ...flags)
    assert.equal(status, 3, stderr)
    const rows = readRows(output)
    assert.deepEqual(
      rows.map((row) => row.case),
      cases.map(({ name }) => name)
    )
    const different = cases.flatMap((one, i) => {
      const expected = difference(one, rows[i])
      const { status: is, num_frames: frames, error } = rows[i]
      return expected === undefined ? [] : [`${one.name}: expected ${expected}, is ${is}, ${frames} frames: ${error}`]
    })
    assert.deepEqual(different, [])
  })
}

test('what is read and what is not are both there', () => {
  const failing = made.filter(({ frames }) => frames === undefined).length
  assert.ok(failing > 60 && made.length - failing > 100, `${failing} of ${made.length} fail`)
})
