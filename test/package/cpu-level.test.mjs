/** The addon that tells the level of an x86-64 processor: of this one, and of those that QEMU makes. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import test from 'node:test'
import { root } from '../helpers/cli.mjs'

const file = path.join(root, 'build', 'cpu-level.node')
const isX64 = process.arch === 'x64'

/** Some of what each level adds, as Linux names it. */
const flags = { 2: ['popcnt', 'sse4_2'], 3: ['avx2', 'bmi2', 'fma'], 4: ['avx512bw', 'avx512vl'] }

test("this processor's level is that of Linux's flags", {
  skip: !(isX64 && process.platform === 'linux') && 'not Linux on x86-64'
}, () => {
  const cpu = fs
    .readFileSync('/proc/cpuinfo', 'utf8')
    .match(/^flags\s*:(.*)$/m)[1]
    .split(' ')
  const lacking = [2, 3, 4].find((level) => !flags[level].every((flag) => cpu.includes(flag)))
  assert.equal(createRequire(import.meta.url)(file).level, (lacking ?? 5) - 1)
})

const qemu = spawnSync('qemu-x86_64', ['--version']).status === 0

for (const [cpu, level] of [
  ['Conroe', 1],
  ['Nehalem', 2],
  ['Haswell', 3]
]) {
  test(`${cpu} is level ${level}`, { skip: !(isX64 && qemu) && 'no qemu-x86_64 (Debian: qemu-user)' }, () => {
    const program = `console.log(require(${JSON.stringify(file)}).level)`
    const args = ['-cpu', cpu, process.execPath, '--jitless', '-e', program]
    assert.equal(execFileSync('qemu-x86_64', args, { encoding: 'utf8', stdio: 'pipe' }), `${level}\n`)
  })
}
