import { createHash } from 'node:crypto'
import { sizeAt } from './picture.mjs'

/**
 * Layouts of random sizes against geometry.json of tools/parity/generate.py, which holds
 * them in full or as a digest for every `rows` of them. Returns what differs.
 */
export function checkGeometry(addon, { seed, count, fields, sets }) {
  const faults = []
  for (const { name, tileSize, patchSize, pinpoints, layouts, rows, digests } of sets) {
    const vision = { tileSize, patchSize, pinpoints, aspect: 'anyres', merge: 'spatial_unpad' }
    const layoutAt = (i) => {
      const layout = addon.testing.layout(vision, ...sizeAt(i, seed), Number.MAX_SAFE_INTEGER)
      return fields.map((field) => layout[field]).join(' ')
    }
    for (let i = 0; layouts && i < count; i++) {
      const actual = layoutAt(i)
      if (actual !== layouts[i].join(' '))
        faults.push(`${name} ${sizeAt(i, seed).join('x')}: ${actual} instead of ${layouts[i].join(' ')}`)
    }
    for (let start = 0; digests && start < count; start += rows) {
      const text = Array.from({ length: Math.min(rows, count - start) }, (_, i) => layoutAt(start + i)).join('\n')
      const digest = createHash('sha256').update(text).digest('hex').slice(0, 16)
      if (digest !== digests[start / rows])
        faults.push(`${name}: a layout among sizes ${start} to ${start + rows - 1} of seed ${seed}`)
    }
  }
  return faults
}
