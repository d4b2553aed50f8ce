/** Runs over RPC servers, each a device: one model on two of them, two models on four, and a server that is lost. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { cli } from './cli.mjs'
import { realServer } from './rpc.mjs'
import { demoSamples } from './samples.mjs'

/** The cases: devices, what is asked of them, and whether a server is killed in the midst. */
export const rpcRuns = [
  { name: 'tp-2-layer', servers: 2, args: ['--tp-size', '2', '--split-mode', 'layer'] },
  { name: 'tp-2-tensor', servers: 2, args: ['--tp-size', '2', '--split-mode', 'tensor'] },
  { name: 'dp-2-tp-2', servers: 4, args: ['--dp-size', '2', '--tp-size', '2', '--split-mode', 'tensor'] },
  { name: 'lost-server', servers: 4, args: ['--dp-size', '2', '--tp-size', '2'], kills: true }
]

/** The event after which rows go to the replicas; each of so few is done in a moment. */
const rowsBegin = '"type":"total"'

/** `{ clips, expected }`: a table of so many clips, and the output of one device. */
export async function rpcClips(clips) {
  const { folder, csv } = await demoSamples({ clips, images: 0, seed: 12 })
  const output = path.join(folder, 'expected.csv')
  const ran = await cli(['run', csv, output, '--model', 'demo', '--gpus', 'none', '--bs', '4'])
  assert.equal(ran.status, 0, ran.stderr)
  return { folder, csv, clips, expected: fs.readFileSync(output, 'utf8') }
}

/** Throws where a case's output is not that of one device, or a row is lost or doubled. The rows of each replica. */
export async function rpcRun({ name, servers: count, args, kills }, { folder, csv, clips, expected }) {
  const servers = await Promise.all(Array.from({ length: count }, realServer))
  const endpoints = servers.map(({ endpoint }) => endpoint)
  const output = path.join(folder, `${name}.csv`)
  const asked = ['--model', 'demo', '--gpus', 'none', '--bs', '4', '--rpc', endpoints.join(','), '--json', ...args]
  let killed = false
  const onStderr = (text) => {
    if (!kills || killed || !text.includes(rowsBegin)) return
    killed = true
    void servers[0].kill()
  }
  try {
    const { status, stderr } = await cli(['run', csv, output, ...asked], { onStderr })
    assert.equal(status, 0, stderr)
    assert.equal(fs.readFileSync(output, 'utf8'), expected, `${name}: the captions are those of one device`)
    const events = stderr.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : []))
    const rows = events.filter(({ type }) => type === 'row')
    assert.equal(new Set(rows.map(({ index }) => index)).size, clips)
    assert.equal(rows.length, clips, `${name}: each row once`)
    const warnings = events.filter(({ type }) => type === 'warning').map(({ message }) => message)
    if (kills)
      assert.ok(
        warnings.some((message) => /Replica 0 was lost/.test(message)),
        stderr
      )
    const replicas = [...new Set(rows.map(({ replica }) => replica))].sort()
    return replicas.map((number) => rows.filter(({ replica }) => replica === number).length)
  } finally {
    await Promise.all(servers.map((server) => server.kill()))
  }
}
