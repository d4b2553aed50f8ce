/** Replicas over RPC servers, two devices each: the captions of one device, also when a server is lost in mid-run. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { after, test } from 'node:test'
import { run } from '../../dist/index.js'
import { realServer } from '../helpers/rpc.mjs'
import { demoSamples } from '../helpers/samples.mjs'

const options = { model: 'demo', gpus: 'none', sequences: 2, contextPerSequence: 1024 }
const { folder, samples } = await demoSamples({ clips: 6, images: 2 })
const table = path.join(folder, 'table.csv')
const rows = Array.from({ length: 32 }, (_, i) => samples[i % samples.length].path)
fs.writeFileSync(table, `path\n${rows.join('\n')}\n`)
const output = (name) => path.join(folder, `${name}.csv`)
await run(table, output('one'), options)
const expected = fs.readFileSync(output('one'), 'utf8')

const servers = await Promise.all(Array.from({ length: 4 }, realServer))
after(() => Promise.all(servers.map(({ kill }) => kill())))
const four = { ...options, rpc: servers.map(({ endpoint }) => endpoint), tpSize: 2, dpSize: 2 }

for (const splitMode of ['layer', 'tensor']) {
  test(`two replicas of two devices each, split by ${splitMode}: the captions of one device`, async () => {
    const seen = new Set()
    const devices = []
    const onEvent = (event) => {
      if (event.type === 'row') seen.add(event.replica)
      if (event.type === 'replicas') devices.push(...event.replicas.map((replica) => replica.devices.length))
    }
    const name = `four-${splitMode}`
    await run(table, output(name), { ...four, splitMode, onEvent })
    assert.equal(fs.readFileSync(output(name), 'utf8'), expected)
    assert.deepEqual([...seen].sort(), [0, 1])
    assert.equal(Math.max(...devices), 2)
  })
}

test('a server that is lost in mid-run: its rows are captioned by the other replica', async () => {
  const by = []
  let states = []
  let before
  const warnings = []
  const onEvent = (event) => {
    if (event.type === 'replicas') states = event.replicas
    if (event.type === 'warning') warnings.push(event.message)
    if (event.type !== 'row') return
    by.push(event)
    if (by.length !== 6) return
    before = by.length
    servers[3].kill()
  }
  const { failed } = await run(table, output('lost'), { ...four, onEvent })
  assert.equal(failed, 0)
  assert.equal(fs.readFileSync(output('lost'), 'utf8'), expected)
  assert.equal(new Set(by.map(({ index }) => index)).size, rows.length, 'none is lost or doubled')
  assert.equal(before, 6)
  assert.ok(states[1].losses >= 1, JSON.stringify(states))
  assert.match(warnings[0], /^Replica 1 was lost/)
})
