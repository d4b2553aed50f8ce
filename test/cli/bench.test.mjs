/** `bench` on the demo model: its figures belong together, whatever they are. */
import assert from 'node:assert/strict'
import path from 'node:path'
import { test } from 'node:test'
import { cli } from '../helpers/cli.mjs'
import { demoSamples } from '../helpers/samples.mjs'

const { csv, folder, paths } = await demoSamples({ clips: 3, images: 1 })
const bench = (...args) => cli(['bench', ...args, '--model', 'demo', '--gpus', 'none'])

test('a CSV: as many captions as asked, its files in turn', async () => {
  const { status, stdout, stderr } = await bench(csv, '--clips', '6', '--json')
  assert.equal(status, 0, stderr)
  const made = JSON.parse(stdout)
  assert.equal(made.clips, 6)
  assert.equal(made.failed, 0)
  assert.ok(Math.abs(made.videosPerSecond * made.seconds - 6) < 1e-6)
  assert.ok(made.imageTokensPerSecond > made.outputTokensPerSecond && made.outputTokensPerSecond > 0)
  for (const share of Object.values(made.waited)) assert.ok(share >= 0 && share <= 1)
  assert.ok(made.peakMemory > 50e6)
  assert.deepEqual(Object.keys(made.milliseconds), ['frames', 'preprocess', 'queued', 'vision', 'prefill', 'decode'])
})

test('files: each once, a missing one is counted as failed', async () => {
  const { status, stdout } = await bench(...paths.slice(0, 2), path.join(folder, 'nothing.mp4'))
  assert.equal(status, 3)
  assert.match(stdout, /^captions +2 of 3 in /m)
  assert.match(stdout, /^engine waited /m)
})

test('nothing that can be captioned: why', async () => {
  const { status, stderr } = await bench(path.join(folder, 'nothing.mp4'))
  assert.equal(status, 3)
  assert.match(stderr, /^vcap-native: No clip could be captioned; the first, .*: No such file\n$/)
})

test('a number of clips that is none is wrong usage', async () => {
  assert.equal((await bench('--clips', '0')).status, 2)
})
