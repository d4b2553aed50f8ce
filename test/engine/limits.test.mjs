/** Few threads, few open files: what cannot be started is an error with a code, and the process goes on. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import { readRows, root } from '../helpers/cli.mjs'
import { temporaryFolder } from '../helpers/media.mjs'
import { demoSamples } from '../helpers/samples.mjs'

const { paths } = await demoSamples({ clips: 1, images: 1 })
const folder = temporaryFolder()
const shim = path.join(folder, 'fail-threads.so')
const compiled = spawnSync('cc', [
  '-shared',
  '-fPIC',
  '-o',
  shim,
  path.join(root, 'test/helpers/fail-threads.c'),
  '-ldl'
])
const onLinux = process.platform === 'linux' && compiled.status === 0

const script = `
  const { loadCaptioner } = require(${JSON.stringify(path.join(root, 'dist/index.js'))})
  const { loadAddon } = require(${JSON.stringify(path.join(root, 'dist/native/load.js'))})
  const image = { data: new Uint8Array(64 * 48 * 3).fill(90), width: 64, height: 48 }
  const options = { model: 'demo', gpus: 'none', sequences: 2, threads: 3 }
  const attempt = async () => {
    try {
      const captioner = await loadCaptioner(options)
      const { tokens } = await captioner.captionImages([image], { maxTokens: 5, ignoreEos: true })
      await captioner.close()
      return tokens.length
    } catch (error) {
      return error.code
    }
  }
  async function main() {
    // Node's own threads, which it cannot do without, start at the first use of a file and of the addon.
    await require('node:fs').promises.stat('.')
    loadAddon()
    process.env.VCAP_TEST_THREADS_LEFT = process.argv[1]
    const limited = await attempt()
    delete process.env.VCAP_TEST_THREADS_LEFT
    console.log(JSON.stringify([limited, await attempt()]))
  }
  main()`

test('where so few threads can be started a load is refused, or the model works; later loads do', {
  skip: !onLinux
}, () => {
  const env = { ...process.env, LD_PRELOAD: shim }
  const outcomes = [0, 1, 2, 4, 5, 6, 40].map((left) => {
    const { status, signal, stdout, stderr } = spawnSync(process.execPath, ['-e', script, left], {
      encoding: 'utf8',
      env
    })
    assert.deepEqual({ left, status, signal, stderr }, { left, status: 0, signal: null, stderr: '' })
    const [limited, unlimited] = JSON.parse(stdout)
    assert.equal(unlimited, 5, `left: ${left}`)
    return limited
  })
  for (const outcome of outcomes) assert.ok(outcome === 5 || outcome === 'engine_lost', String(outcome))
  assert.equal(outcomes[0], 'engine_lost')
  assert.equal(outcomes.at(-1), 5)
})

test('with few open files a run ends with a reason and the code of what a rerun may pass, or is whole', {
  skip: process.platform !== 'linux'
}, () => {
  const table = path.join(folder, 'few-files.csv')
  fs.writeFileSync(table, `path\n${paths.join('\n')}\n`)
  const main = path.join(root, 'dist/cli/main.js')
  const statuses = new Set()
  for (const limit of [24, 27, 32, 38, 60]) {
    const output = path.join(folder, `few-files-${limit}.csv`)
    const command = `ulimit -n ${limit} && exec "$0" "$1" run "$2" "$3" --model demo --gpus none`
    const { status, signal, stderr } = spawnSync('sh', ['-c', command, process.execPath, main, table, output], {
      encoding: 'utf8'
    })
    assert.equal(signal, null, `${limit}: ${stderr}`)
    assert.doesNotMatch(stderr, /undefined|TypeError|\n\s+at /, `${limit}`)
    statuses.add(status)
    if (status === 0) assert.equal(readRows(output).length, paths.length)
    else assert.match(stderr, /open files/)
  }
  assert.deepEqual([...statuses].sort(), [0, 75])
})
