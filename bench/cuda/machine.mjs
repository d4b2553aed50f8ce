/** Sections of the check: what is in this machine, and what is in the addon. */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import nodeGypBuild from 'node-gyp-build'
import { loadAddon } from '../../dist/native/load.js'
import { root } from '../cache.mjs'
import { gpuCode } from './fatbin.mjs'

/** What a command prints; undefined where it is not here or fails. */
function output(command, ...args) {
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28 })
  return status === 0 ? stdout.trim() : undefined
}

const fields = ['name', 'driver_version', 'memory.total', 'power.limit', 'clocks.max.sm', 'pcie.link.gen.max']

export async function devices({ target }) {
  const found = target.devices()
  const nvidia = output('nvidia-smi', `--query-gpu=${fields.join(',')}`, '--format=csv,noheader')
  const rows = found.map(({ name, description, memoryTotal, memoryFree, problem }) => [
    name,
    description,
    `${(memoryTotal / 2 ** 30).toFixed(1)} GiB`,
    `${(memoryFree / 2 ** 30).toFixed(1)} GiB`,
    problem ?? ''
  ])
  return {
    right: found.length > 0 && found.every(({ problem }) => problem === undefined),
    summary: [`${found.length} ${found.length === 1 ? 'device' : 'devices'}`, nvidia].filter(Boolean).join('; '),
    table: { head: ['device', 'what', 'memory', 'free', 'problem'], rows },
    data: { devices: found, nvidia }
  }
}

/**
 * The addon's file: its size, the GPUs it has code for, and the libraries it needs. Wrong where it needs the driver,
 * without which it would not load, or asks for a function of it that nobody defines.
 */
export async function build() {
  const { llamaCpp, backends } = loadAddon().build
  const file = nodeGypBuild.resolve(root)
  const bytes = fs.statSync(file).size
  const needed = [...(output('readelf', '-d', file) ?? '').matchAll(/NEEDED.*\[(.*)\]/g)].map(([, name]) => name)
  const undefinedNames = (output('nm', '-D', '--undefined-only', file) ?? '').match(/\bcu[A-Z]\w+/g) ?? []
  const missing = undefinedNames.filter((name) => !name.startsWith('cubl'))
  const code = gpuCode(file)
  return {
    right: !needed.some((name) => name.startsWith('libcuda.so')) && missing.length === 0,
    summary:
      `llama.cpp ${llamaCpp}, ${backends.join(', ')}; ${(bytes / 1e6).toFixed(1)} MB; needs ${needed.join(', ')}` +
      (missing.length > 0 ? `; undefined: ${missing.join(', ')}` : ''),
    ...(Object.keys(code).length > 0 && { table: { head: ['code for', 'modules'], rows: Object.entries(code) } }),
    data: { file: path.relative(root, file), bytes, needed, missing, code, backends }
  }
}
