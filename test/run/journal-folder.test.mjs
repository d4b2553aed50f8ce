/** A journal in a folder that was named: runs go on by it, also those whose output is a stream. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { run, VcapError } from '../../dist/index.js'
import { readStatus } from '../../dist/run/status.js'
import { readCells } from '../helpers/cli.mjs'
import { temporaryFolder } from '../helpers/media.mjs'
import { nullCaptioner } from '../helpers/null-captioner.mjs'

const folder = temporaryFolder()
const at = (name) => path.join(folder, name)
const input = at('in.csv')
fs.writeFileSync(input, `path\n${Array.from({ length: 40 }, (_, i) => `${i}.mp4\n`).join('')}`)

/** Runs with a captioner that is lost after so many rows. What was captioned, what was warned of, how it ended. */
async function attempt(output, options, rows = Number.POSITIVE_INFINITY) {
  const captioner = nullCaptioner(1)
  let asked = 0
  const captionRow = async (...args) => {
    if (++asked > rows) throw new VcapError('engine_lost', 'lost')
    return captioner.captionRow(...args)
  }
  const warnings = []
  const onEvent = ({ type, message }) => type === 'warning' && warnings.push(message)
  const ended = await run(input, output, { captioner: { ...captioner, captionRow }, onEvent, ...options }).catch(
    (error) => error
  )
  return { asked, warnings, ended }
}

test('a stream: nothing is captioned twice where a journal has its folder; else it says so in a line', async () => {
  const journal = at('stream.journal')
  const first = await attempt('/dev/null', { journal }, 10)
  assert.equal(first.ended.code, 'engine_lost')
  assert.deepEqual(first.warnings, [])
  assert.equal((await readStatus(journal)).state, 'stopped')
  const done = (await readStatus(journal)).done
  assert.ok(done > 0)
  const second = await attempt('/dev/null', { journal })
  assert.deepEqual([second.asked, second.ended.rows], [40 - done, 40])
  assert.equal((await readStatus(journal)).state, 'finished')
  const third = await attempt('/dev/null', { journal })
  assert.deepEqual([third.asked, third.ended.already], [0, false], 'the rows are written again')

  const without = await attempt('/dev/null', {})
  assert.deepEqual(without.warnings, [
    'Output /dev/null is a stream: what is captioned is lost if this run is stopped; ' +
      '--journal DIR keeps it for the same command to go on'
  ])
})

test('a file: its journal is there and not beside it, also on another file system', async (t) => {
  const folders = [at('file.journal')]
  if (fs.existsSync('/dev/shm') && fs.statSync('/dev/shm').dev !== fs.statSync(folder).dev) {
    folders.push(path.join('/dev/shm', `vcap-test-${process.pid}`))
    t.after(() => fs.rmSync(folders[1], { recursive: true, force: true }))
  }
  for (const [i, journal] of folders.entries()) {
    const output = at(`out-${i}.csv`)
    fs.writeFileSync(output, 'old', { mode: 0o640 })
    await attempt(output, { journal }, 5)
    assert.equal(fs.readFileSync(output, 'utf8'), 'old')
    await attempt(output, { journal })
    assert.equal(readCells(output).length, 41)
    assert.equal(fs.statSync(output).mode & 0o777, 0o640)
    assert.deepEqual(
      fs.readdirSync(folder).filter((name) => name.startsWith(`out-${i}`)),
      [`out-${i}.csv`]
    )
    assert.deepEqual(fs.readdirSync(journal).sort(), ['rows.log', 'run.json'])
    assert.equal((await attempt(output, { journal })).ended.already, true)
  }
})

test('another format of one output is another output', async () => {
  const output = at('captions')
  await attempt(output, { format: 'csv' })
  assert.equal((await attempt(output, { format: 'csv' })).ended.already, true)
  const { asked, ended } = await attempt(output, { format: 'jsonl' })
  assert.deepEqual([asked, ended.already], [0, false])
  assert.equal(JSON.parse(fs.readFileSync(output, 'utf8').split('\n')[0]).path, '0.mp4')
})

test('a folder with other files is refused, and nothing in it is touched', async () => {
  const journal = at('mine')
  fs.mkdirSync(journal)
  fs.writeFileSync(path.join(journal, 'notes.txt'), 'keep')
  const { ended, asked } = await attempt('/dev/null', { journal })
  assert.deepEqual([ended.code, asked], ['usage', 0])
  assert.match(ended.message, /is no folder for a journal, since there is notes\.txt in it: name a new folder/)
  assert.deepEqual(fs.readdirSync(journal), ['notes.txt'])
  const nowhere = await attempt('/dev/null', { journal: at('none/journal') })
  assert.equal(nowhere.ended.code, 'output_unwritable')
})
