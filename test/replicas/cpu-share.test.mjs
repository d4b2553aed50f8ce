/** How replicas share the processors, on machines of many kinds. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { test } from 'node:test'
import { cpus } from '../../dist/cpus.js'
import { shareCpus } from '../../dist/replicas/cpu-share.js'
import { root } from '../helpers/cli.mjs'

/** A machine of so many nodes of so many cores with `ways` hyperthreads, numbered as Linux mostly does. */
function machine(nodes, coresOfNode, ways = 1, quota) {
  const count = nodes * coresOfNode
  const cores = Array.from({ length: count }, (_, core) => ({
    cpus: Array.from({ length: ways }, (_, way) => core + way * count),
    node: Math.floor(core / coresOfNode)
  }))
  const usable = Math.min(count * ways, Math.ceil(quota ?? Infinity))
  return { allowed: count * ways, quota, usable, threads: Math.min(usable, count), cores }
}
const automatic = { threads: 0, decoders: 0 }
const nodesOf = ({ cores }, { cpus }) =>
  new Set(cores.filter((core) => core.cpus.some((cpu) => cpus.includes(cpu))).map(({ node }) => node))
const sum = (shares, what) => shares.reduce((total, share) => total + share[what], 0)

for (const [name, system] of [
  ['2 cores', machine(1, 2)],
  ['64 cores', machine(1, 64)],
  ['32 cores of two hyperthreads', machine(1, 32, 2)],
  ['two nodes of 32 cores', machine(2, 32, 2)],
  ['eight nodes of 8 cores', machine(8, 8)],
  ['three nodes of 5 cores', machine(3, 5)]
]) {
  test(`${name}: every core is one replica's, and none is left out`, () => {
    const nodes = new Set(system.cores.map(({ node }) => node)).size
    for (let replicas = 2; replicas <= system.cores.length; replicas++) {
      const shares = shareCpus(replicas, system, automatic)
      const all = shares.flatMap(({ cpus }) => cpus)
      assert.equal(all.length, system.allowed)
      assert.equal(new Set(all).size, all.length)
      for (const share of shares) {
        const cores = system.cores.filter(({ cpus }) => share.cpus.includes(cpus[0]))
        assert.deepEqual(
          share.cpus.slice().sort(),
          cores
            .flatMap(({ cpus }) => cpus)
            .slice()
            .sort(),
          'hyperthreads of a core stay together'
        )
        assert.equal(share.threads, cores.length)
        assert.equal(share.isApart, nodes > 1)
        if (replicas >= nodes) assert.equal(nodesOf(system, share).size, 1, 'within one node')
      }
      assert.ok(sum(shares, 'decoders') >= Math.max(2, system.usable))
    }
  })
}

test('fewer replicas than nodes have whole nodes', () => {
  const system = machine(4, 4)
  const nodes = shareCpus(2, system, automatic).map((share) => [...nodesOf(system, share)])
  assert.deepEqual(nodes, [
    [0, 1],
    [2, 3]
  ])
})

test('more replicas than cores run where there is room, with a thread each', () => {
  const shares = shareCpus(4, machine(1, 2), automatic)
  assert.deepEqual(shares, Array(4).fill({ cpus: [], threads: 1, decoders: 1, isApart: false }))
})

test('one replica is bound to nothing', () => {
  assert.deepEqual(shareCpus(1, machine(2, 8), automatic), [{ cpus: [], threads: 16, decoders: 16, isApart: false }])
})

test('a quota leaves the threads and decoders that it pays for', () => {
  const shares = shareCpus(4, machine(1, 64, 1, 8), automatic)
  assert.ok(shares.every(({ threads, cpus }) => threads === 2 && cpus.length === 16))
  assert.equal(sum(shares, 'decoders'), 8)
  assert.ok(
    shareCpus(4, machine(1, 64, 1, 1.5), automatic).every(({ threads, decoders }) => threads === 1 && decoders === 1)
  )
})

test('what is asked for: threads of each, decoders of all together', () => {
  const shares = shareCpus(3, machine(1, 12), { threads: 6, decoders: 7 })
  assert.deepEqual(
    shares.map(({ threads, decoders }) => [threads, decoders]),
    [
      [6, 2],
      [6, 2],
      [6, 3]
    ]
  )
})

const two = { skip: (process.platform !== 'linux' || cpus().allowed < 2) && 'needs two processors and Linux' }
test('a process runs, with its threads and those that they start, on the processors that it is bound to', two, () => {
  const [first] = cpus().cores.flatMap((core) => core.cpus)
  const script = `
    const fs = require('node:fs')
    const { execFileSync } = require('node:child_process')
    const { loadAddon } = require(${JSON.stringify(path.join(root, 'dist/native/load.js'))})
    loadAddon().runOnCpus([${first}])
    const listed = (status) => /^Cpus_allowed_list:\\s*(\\S+)$/m.exec(status)[1]
    const status = (thread) => fs.readFileSync('/proc/self/task/' + thread + '/status', 'utf8')
    const threads = fs.readdirSync('/proc/self/task').map(status)
    const child = execFileSync('cat', ['/proc/self/status'], { encoding: 'utf8' })
    console.log(JSON.stringify([...threads, child].map(listed)))`
  const seen = JSON.parse(execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' }))
  assert.ok(seen.length > 2)
  assert.deepEqual([...new Set(seen)], [String(first)])
})
