/** Real processes that are killed, or to which the disk fails, at each call that changes journal or output. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { root } from '../helpers/cli.mjs'
import { cannotFail } from '../helpers/faults.mjs'
import { temporaryFolder } from '../helpers/media.mjs'

/** Places of each kind; `npm run faults` takes more. */
const places = Number(process.env.VCAP_FAULT_PLACES ?? 4)
const base = temporaryFolder()
const library = path.join(base, 'write-faults.so')
const input = path.join(base, 'in.csv')
const script = `
  import { run } from ${JSON.stringify(path.join(root, 'dist', 'index.js'))}
  const info = { name: 'n', summary: '', digest: '', settings: { model: 'n' }, warnings: [], window: 4, concurrency: 4 }
  const captionRow = async ({ path }) =>
    ({ status: 'ok', text: 'It is ' + path.split('/').at(-1), numFrames: 1, error: null, usage: null })
  const captioner = { info, captionRow, close: async () => undefined }
  try {
    await run(process.argv[1], process.argv[2], { captioner })
  } catch ({ code, exitCode, message }) {
    console.log(code + ' ' + message)
    process.exitCode = exitCode
  }`

function start(output, faults) {
  const count = path.join(base, 'count')
  const env = {
    ...process.env,
    LD_PRELOAD: library,
    VCAP_WRITE_COUNT: count,
    ...(faults && { VCAP_WRITE_FAULTS: faults })
  }
  const args = ['--input-type=module', '-e', script, input, output]
  const { status, signal, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8', env })
  return { status, signal, stdout, calls: signal ? 0 : Number(fs.readFileSync(count, 'utf8')) }
}

test('killed, or failed by the disk, at each such call: the same command comes to the undisturbed end', {
  skip: cannotFail
}, () => {
  const source = path.join(root, 'test/helpers/write-faults.c')
  execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, source], { stdio: 'inherit' })
  fs.writeFileSync(input, `path\n${Array.from({ length: 20 }, (_, i) => `${i}.mp4\n`).join('')}`)
  const undisturbed = path.join(base, 'faulty-not.csv')
  const { calls, status } = start(undisturbed)
  assert.equal(status, 0)
  assert.ok(calls > 12, `${calls} calls`)
  const expected = fs.readFileSync(undisturbed, 'utf8')
  for (const kind of ['kill', 'enospc', 'eio']) {
    const step = Math.max(1, calls / places)
    for (let at = 0; at < calls; at += step) {
      const where = `${kind} ${Math.floor(at)}`
      const output = path.join(base, `faulty-${where.replace(' ', '-')}.csv`)
      const ended = start(output, where)
      if (kind === 'kill') assert.equal(ended.signal, 'SIGKILL', where)
      else if (ended.status !== 0) {
        assert.equal(ended.status, 75, `${where}: ${ended.stdout}`)
        assert.match(ended.stdout, /^write_failed .*faulty-.*(ENOSPC|EIO)/, where)
      }
      const again = start(output)
      assert.deepEqual([again.status, again.stdout], [0, ''], where)
      assert.equal(fs.readFileSync(output, 'utf8'), expected, where)
      assert.deepEqual(fs.readdirSync(`${output}.vcap`).sort(), ['rows.log', 'run.json'], where)
    }
  }
})
