/** A real disk that is full: the run says so and ends with 75; with space again the same command comes to its end. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { after, test } from 'node:test'
import { run } from '../../dist/index.js'
import { temporaryFolder } from '../helpers/media.mjs'

const base = temporaryFolder()
const disk = path.join(base, 'disk')
fs.mkdirSync(disk)
const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk])
after(() => status === 0 && spawnSync('umount', [disk]))
const skip = status !== 0 && 'this user may not mount a small disk'

function naming() {
  const asked = []
  const info = { name: 'n', summary: '', digest: '', settings: { model: 'n' }, warnings: [], window: 4, concurrency: 4 }
  const captionRow = async ({ path: file }) => {
    asked.push(path.basename(file))
    const text = `It is ${path.basename(file)}. ${'And more. '.repeat(20)}`
    return { status: 'ok', text, numFrames: 1, error: null, usage: null }
  }
  return { asked, info, captionRow, close: async () => undefined }
}

test('full while the journal, or while the output is written', { skip }, async () => {
  const input = path.join(base, 'in.csv')
  fs.writeFileSync(input, `path\n${Array.from({ length: 1500 }, (_, i) => `${i}.mp4\n`).join('')}`)
  const undisturbed = path.join(base, 'undisturbed.csv')
  await run(input, undisturbed, { captioner: naming() })
  const journal = fs.statSync(path.join(`${undisturbed}.vcap`, 'rows.log')).size
  const output = path.join(disk, 'out.csv')
  const ballast = path.join(disk, 'ballast')
  // In the second case there is room for the journal and not for the output.
  for (const [taken, named] of [
    [950_000, /out\.csv\.vcap\/rows\.log cannot be written: ENOSPC/],
    [1_000_000 - journal, /out\.csv cannot be written: ENOSPC/]
  ]) {
    fs.writeFileSync(ballast, Buffer.alloc(taken))
    const captioner = naming()
    const told = []
    const onEvent = ({ type, path: name }) => type === 'row' && told.push(name)
    for (let time = 0; time < 2; time++)
      await assert.rejects(run(input, output, { captioner, onEvent }), {
        code: 'write_failed',
        exitCode: 75,
        message: named
      })
    assert.ok(!fs.existsSync(output))
    fs.rmSync(ballast)
    captioner.asked.length = 0
    await run(input, output, { captioner })
    assert.equal(captioner.asked.length, 1500 - told.length, 'what was told as done is not captioned again')
    assert.equal(fs.readFileSync(output, 'utf8'), fs.readFileSync(undisturbed, 'utf8'))
    fs.rmSync(output)
    fs.rmSync(`${output}.vcap`, { recursive: true })
  }
})
