import fs from 'node:fs'
import path from 'node:path'
import { VcapError } from '../errors'
import { repoFolder } from './hub-cache'

/**
 * Removes files of a repository from the hub's cache: their names, and their contents where no other name leads there.
 * Returns the bytes that are free then. Throws `write_failed`.
 */
export function removeCached(repo: string, links: string[]): number {
  try {
    const blobs = new Set(links.map((link) => fs.realpathSync(link)))
    for (const link of links) fs.rmSync(link)
    const used = new Set(snapshotLinks(repo).map((link) => fs.realpathSync(link)))
    let bytes = 0
    for (const blob of blobs) {
      if (used.has(blob)) continue
      if (fs.existsSync(blob)) {
        bytes += fs.statSync(blob).size
        fs.rmSync(blob)
      }
    }
    return bytes
  } catch (cause) {
    throw new VcapError('write_failed', `${repo} cannot be removed from the cache: ${(cause as Error).message}`, {
      cause
    })
  }
}

/** All names in a repository's snapshots that lead to a content. */
function snapshotLinks(repo: string): string[] {
  const folder = path.join(repoFolder(repo), 'snapshots')
  const names = fs.existsSync(folder) ? (fs.readdirSync(folder, { recursive: true }) as string[]) : []
  return names
    .map((name) => path.join(folder, name))
    .filter((file) => fs.statSync(file, { throwIfNoEntry: false })?.isFile())
}
