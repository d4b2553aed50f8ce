import fs from 'node:fs'
import path from 'node:path'
import { VcapError } from '../errors'
import { findModel } from './find'
import { repoFolder } from './hub-cache'
import { models, type ListedModel } from './list'
import { partsOf } from './source'

/**
 * Takes a model of the list out of the hub's cache; a projector that another one needs stays. Returns the bytes that
 * are free then. Throws `usage` where it is none that is downloaded, `model_not_found`, `write_failed`.
 */
export function removeModel(name: string): number {
  const source = models.find((listed) => listed.name === name)?.source
  if (!source) {
    const names = models.flatMap((listed) => (listed.source ? [listed.name] : []))
    throw new VcapError('usage', `Expected one of ${names.join(', ')} to remove but received ${name}`)
  }
  const { model, mmproj } = findModel(name, undefined)
  const isCached = (file: string) => file.startsWith(`${repoFolder(source.repo)}${path.sep}`)
  if (!isCached(model)) throw new VcapError('usage', `${model} was not downloaded: remove it yourself`)
  const sharesProjector = models.some(
    (other) => other.name !== name && other.source?.repo === source.repo && isHere(other)
  )
  return removeCached(source.repo, [...partsOf(model), ...(sharesProjector ? [] : [mmproj])].filter(isCached))
}

function isHere({ name }: ListedModel): boolean {
  try {
    findModel(name, undefined)
    return true
  } catch {
    return false
  }
}

/**
 * Removes files of a repository from the hub's cache: their names, and their contents where no other name leads there.
 * Returns the bytes that are free then. Throws `write_failed`.
 */
function removeCached(repo: string, links: string[]): number {
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
