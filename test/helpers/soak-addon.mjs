import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { demoSamples } from './samples.mjs'

/** Bytes that a process of its own held after each cycle of loading a model, captioning with it and closing it. */
export async function soakAddon({ cycles, captions }) {
  const { paths } = await demoSamples({ clips: 2, images: 2, largest: 120 })
  const script = fileURLToPath(new URL('soak.mjs', import.meta.url))
  const args = ['--expose-gc', script, String(cycles), String(captions), ...paths]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  return JSON.parse(stdout)
}
