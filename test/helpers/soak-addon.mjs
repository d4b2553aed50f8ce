import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { demoSamples } from './samples.mjs'

/**
 * Left alone, the C library keeps more or less of what was freed, which moves by tens of megabytes and hides a leak of
 * some. With these settings what is free goes back to the system, and what is leaked does not.
 */
const givingBack = { MALLOC_ARENA_MAX: '1', MALLOC_MMAP_THRESHOLD_: '65536', MALLOC_TRIM_THRESHOLD_: '65536' }

/**
 * Bytes that a process of its own held after each cycle of loading a model, captioning with it and closing it.
 * `settings`: variables of its environment.
 */
export async function soakAddon({ cycles, captions, settings = {} }) {
  const { paths } = await demoSamples({ clips: 2, images: 2, largest: 120 })
  const script = fileURLToPath(new URL('soak.mjs', import.meta.url))
  const args = ['--expose-gc', script, String(cycles), String(captions), ...paths]
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    env: { ...process.env, ...givingBack, ...settings }
  })
  return JSON.parse(stdout)
}

/** The least of the memory of these cycles: what work that has just ended still holds is not in it, a leak is. */
export const floorOf = (memory) => Math.min(...memory)
