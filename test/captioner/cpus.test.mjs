/** The processors that this process may use, out of files as kernels and containers show them. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { cpus, readCpus } from '../../dist/cpus.js'
import { main } from '../helpers/cli.mjs'
import { temporaryFolder } from '../helpers/media.mjs'

const base = temporaryFolder()
let count = 0

/** A folder with these files, in the place of the system's root. */
function system(files) {
  const root = path.join(base, String(count++))
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true })
    fs.writeFileSync(path.join(root, name), `${text}\n`)
  }
  return root
}
const second = '30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate'
const first = '32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct'
const v2 = (group, files) => ({
  '/proc/self/cgroup': `0::${group}`,
  '/proc/self/mountinfo': `23 1 8:1 / / rw - ext4 /dev/sda1 rw\n${second}`,
  ...Object.fromEntries(Object.entries(files).map(([folder, text]) => [`/sys/fs/cgroup${folder}/cpu.max`, text]))
})
const v1 = (group, quotas, mount = first) => ({
  '/proc/self/cgroup': `12:pids:/other\n5:cpu,cpuacct:${group}\n0::/`,
  '/proc/self/mountinfo': mount,
  ...Object.fromEntries(
    Object.entries(quotas).flatMap(([folder, [quota, period]]) => [
      [`/sys/fs/cgroup/cpu,cpuacct${folder}/cpu.cfs_quota_us`, quota],
      [`/sys/fs/cgroup/cpu,cpuacct${folder}/cpu.cfs_period_us`, period]
    ])
  )
})

for (const [name, files, quota, usable] of [
  ['nothing known', {}, undefined, 8],
  ['version 2, no limit', v2('/a', { '': 'max 100000', '/a': 'max 100000' }), undefined, 8],
  ['version 2, its own limit', v2('/a/b', { '/a/b': '150000 100000' }), 1.5, 2],
  ['version 2, a limit above it', v2('/a/b/c', { '/a': '200000 100000', '/a/b': 'max 100000' }), 2, 2],
  ['version 2, the lowest of several', v2('/a/b', { '': '400000 100000', '/a': '50000 50000', '/a/b': '7 1' }), 1, 1],
  ['version 2, in a container of its own', v2('/', { '': '250000 100000' }), 2.5, 3],
  ['version 2, under a name of outside', v2('/../../x', { '': '250000 100000' }), 2.5, 3],
  ['version 2, a tenth of a processor', v2('/a', { '/a': '10000 100000' }), 0.1, 1],
  ['version 2, more than there are', v2('/a', { '/a': '6400000 100000' }), 64, 8],
  ['version 2, unreadable', v2('/a', { '/a': 'what?' }), undefined, 8],
  ['version 1, no limit', v1('/a', { '/a': [-1, 100000] }), undefined, 8],
  ['version 1, its own limit', v1('/a/b', { '/a/b': [300000, 100000], '/a': [-1, 100000] }), 3, 3],
  ['version 1, a limit above it', v1('/a/b', { '/a/b': [-1, 100000], '/a': [50000, 25000] }), 2, 2],
  [
    "version 1, docker: the mount's top is the group",
    v1('/docker/1f', { '': [150000, 100000] }, first.replace(' / /sys', ' /docker/1f /sys')),
    1.5,
    2
  ],
  [
    'both versions: the lower one',
    {
      ...v1('/a', { '/a': [300000, 100000] }, `${first}\n${second.replace('/sys/fs/cgroup', '/unified')}`),
      '/unified/cpu.max': '200000 100000'
    },
    2,
    2
  ]
]) {
  test(`quota: ${name}`, () => {
    const found = readCpus(8, system(files))
    assert.deepEqual([found.allowed, found.quota, found.usable], [8, quota, usable])
  })
}

test('threads: one a physical core of those allowed, and no more than the quota', () => {
  const cores = { '/proc/self/status': 'Name:\tnode\nCpus_allowed:\tff\nCpus_allowed_list:\t0-5,8\nMems_allowed:\t1' }
  for (const cpu of [0, 1, 2, 3, 4, 5, 6, 7, 8]) {
    cores[`/sys/devices/system/cpu/cpu${cpu}/topology/thread_siblings_list`] = `${cpu % 4},${(cpu % 4) + 4}`
  }
  assert.equal(readCpus(7, system(cores)).threads, 4)
  assert.equal(readCpus(7, system({ ...cores, ...v2('/a', { '/a': '250000 100000' }) })).threads, 3)
  assert.equal(readCpus(7, system({ ...cores, ...v2('/a', { '/a': '550000 100000' }) })).threads, 4)
  const hidden = { '/proc/self/status': cores['/proc/self/status'] }
  assert.equal(readCpus(7, system(hidden)).threads, 7, 'each for itself where topology is hidden')
  assert.equal(readCpus(7, system({})).threads, 7)
})

test('cores: hyperthreads together, those of one memory node together', () => {
  const topology = (cpu) => `/sys/devices/system/cpu/cpu${cpu}/topology/thread_siblings_list`
  const root = system({
    '/proc/self/status': 'Name: node\nCpus_allowed_list:\t0-3,5-7',
    '/sys/devices/system/node/online': '0-1',
    '/sys/devices/system/node/node0/cpulist': '0,2,4,6',
    '/sys/devices/system/node/node1/cpulist': '1,3,5,7',
    ...Object.fromEntries([0, 1, 2, 3, 4, 5, 6, 7].map((cpu) => [topology(cpu), `${cpu % 4},${(cpu % 4) + 4}`]))
  })
  const { cores, threads } = readCpus(7, root)
  assert.deepEqual(cores, [
    { cpus: [0], node: 0 },
    { cpus: [2, 6], node: 0 },
    { cpus: [1, 5], node: 1 },
    { cpus: [3, 7], node: 1 }
  ])
  assert.equal(threads, 4)
  assert.deepEqual(readCpus(2, system({})).cores, Array(2).fill({ cpus: [], node: 0 }))
})

test('here', () => {
  const here = cpus()
  assert.equal(here.allowed, os.availableParallelism())
  assert.ok(here.threads >= 1 && here.threads <= here.usable && here.usable <= here.allowed)
  const { stdout } = spawnSync(process.execPath, [main, 'doctor'], { encoding: 'utf8' })
  assert.match(stdout, new RegExp(`^ok +CPUs +${here.allowed}(, quota [\\d.]+)?: ${here.threads} threads?$`, 'm'))
})

/** A control group of half a processor; undefined where this user may make none. */
function makeGroup() {
  for (const [top, files] of [
    ['/sys/fs/cgroup/cpu', { 'cpu.cfs_period_us': '100000', 'cpu.cfs_quota_us': '50000' }],
    ['/sys/fs/cgroup', { 'cpu.max': '50000 100000' }]
  ]) {
    const group = path.join(top, `vcap-test-${process.pid}`)
    try {
      fs.mkdirSync(group)
      process.on('exit', () => fs.rmdirSync(group))
      for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(group, name), text, { flag: 'r+' })
      return group
    } catch {
      // another version, or not allowed
    }
  }
  return undefined
}
const group = makeGroup()

test('in a real control group', { skip: group === undefined && 'none can be made here' }, () => {
  const shell = `echo $$ >${group}/cgroup.procs && exec "$0" "$@"`
  const { stdout } = spawnSync('sh', ['-c', shell, process.execPath, main, 'doctor'], { encoding: 'utf8' })
  assert.match(stdout, /^ok +CPUs +\d+, quota 0\.5: 1 thread$/m)
})
