/** Where the benchmarks keep what they make: models, clips, peers. Git ignores it; it may be removed at any time. */
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))
export const cacheDir = fileURLToPath(new URL('.cache', import.meta.url))

/** The path of a place in the cache; the folder that holds it is created. */
export function inCache(...parts) {
  const place = path.join(cacheDir, ...parts)
  mkdirSync(path.dirname(place), { recursive: true })
  return place
}
