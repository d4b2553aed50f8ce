/** Processors that this machine is not, by qemu's user mode: each takes its variant, or is refused with a sentence. */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { call, makeFolder, must, requireRight } from './project.mjs'

/** qemu's models and the variant of each; none below x86-64-v2. Its translation has no AVX-512. */
const models = [
  ['Nehalem', 'x86-64-v2'],
  ['SandyBridge', 'x86-64-v2'],
  ['Haswell', 'x86-64-v3'],
  ['EPYC', 'x86-64-v3'],
  ['Skylake-Server', 'x86-64-v3'],
  ['core2duo', undefined],
  ['Conroe', undefined]
]

export const whyNoCpus = () =>
  process.arch !== 'x64' || process.platform !== 'linux'
    ? 'levels are of x86-64'
    : spawnSync('qemu-x86_64', ['--version']).status !== 0 && 'there is no qemu-x86_64 (Debian: qemu-user)'

/** On the machine's own processor, then on each of qemu's. */
export async function cpus({ registry, version, demo }) {
  const folder = makeFolder('cpus')
  const env = { npm_config_registry: registry.url, npm_config_ignore_scripts: 'true' }
  fs.writeFileSync(path.join(folder, 'package.json'), '{ "private": true }')
  try {
    await must('npm', ['install', '--no-audit', '--no-fund', `vcap-native@${version}`], { cwd: folder, env })
    const command = path.join(folder, 'node_modules', 'vcap-native', 'dist', 'cli', 'main.js')
    const few = path.join(folder, 'few.csv')
    const [head, ...rows] = fs.readFileSync(demo.csv, 'utf8').trim().split('\n')
    const absolute = rows.slice(0, 2).map((row) => path.join(path.dirname(demo.csv), row))
    fs.writeFileSync(few, `${[head, ...absolute].join('\n')}\n`)
    const seen = [`this one: ${await variantOf(process.execPath, [command])}`]
    for (const [model, expected] of models) {
      const [emulator, args] = ['qemu-x86_64', ['-cpu', model, process.execPath, command]]
      const output = path.join(folder, `${model}.csv`)
      const run = await call(emulator, [...args, 'run', few, output, '--model', 'demo', '--gpus', 'none'])
      if (expected === undefined) {
        if (run.status !== 2 || !/x86-64-v2/.test(run.said)) {
          throw new Error(`${model} ended with ${run.status ?? run.signal}:\n${run.said}`)
        }
        seen.push(`${model}: refused`)
        continue
      }
      if (run.status !== 0) throw new Error(`${model} ended with ${run.status ?? run.signal}:\n${run.said}`)
      requireRight(output, 2)
      const variant = await variantOf(emulator, args)
      if (variant !== expected) throw new Error(`${model} took ${variant}, not ${expected}`)
      seen.push(`${model}: ${variant}`)
    }
    return seen.join('; ')
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

/** The variant that doctor says is loaded. */
async function variantOf(command, args) {
  const { stdout } = await call(command, [...args, 'doctor', '--json'])
  return /x86-64-v\d/.exec(JSON.parse(stdout).find(({ name }) => name === 'addon').detail)?.[0]
}
