import fs from 'node:fs'
import path from 'node:path'
import { VcapError } from '../errors'
import { blobOfPart } from './download'
import { findModel } from './find'
import { repoFolder, snapshotFiles } from './hub-cache'
import { models } from './list'
import { isDownloading, lockOf } from './pull'
import { isProjector, partsOf, revision, sourceOf } from './source'

/**
 * Takes a model, by its name in the list or as `hf:OWNER/REPO[:FILE]`, out of the hub's cache, and what downloads of
 * its repository left that did not end; a projector that another model needs stays. Returns the bytes that are free
 * then. Throws `usage` where it is none that is downloaded, `model_not_found`, `write_failed`.
 */
export function removeModel(name: string): number {
  const source = models.find((listed) => listed.name === name)?.source ?? sourceOf(name)
  if (!source) {
    const names = models.flatMap((listed) => (listed.source ? [listed.name] : []))
    throw new VcapError('usage', `Expected one of ${names.join(', ')} or hf:OWNER/REPO to remove but received ${name}`)
  }
  const left = removeParts(source.repo)
  try {
    return left + removeCached(source.repo, cachedFiles(name, source.repo))
  } catch (error) {
    if (left > 0 && error instanceof VcapError && error.code === 'model_not_found') return left
    throw error
  }
}

/** The names in the cache that go with a model. */
function cachedFiles(name: string, repo: string): string[] {
  const { model, mmproj } = findModel(name, undefined)
  const isCached = (file: string) => file.startsWith(`${repoFolder(repo)}${path.sep}`)
  if (!isCached(model)) throw new VcapError('usage', `${model} was not downloaded: remove it yourself`)
  const parts = partsOf(model)
  const isOther = (file: string) =>
    file.endsWith('.gguf') && !isProjector(file) && !parts.some((part) => part.endsWith(`${path.sep}${file}`))
  const sharesProjector = snapshotFiles(repo, revision).some(isOther)
  return [...parts, ...(sharesProjector ? [] : [mmproj])].filter(isCached)
}

/** Removes parts of contents that nobody downloads now. Returns their bytes. Throws `write_failed`. */
function removeParts(repo: string): number {
  const folder = path.join(repoFolder(repo), 'blobs')
  return cleaning(repo, () => {
    let bytes = 0
    for (const name of fs.existsSync(folder) ? fs.readdirSync(folder) : []) {
      const part = path.join(folder, name)
      const blob = blobOfPart(part)
      if (blob === undefined || isDownloading(blob)) continue
      bytes += fs.statSync(part).size
      fs.rmSync(part)
      fs.rmSync(lockOf(blob), { recursive: true, force: true })
    }
    return bytes
  })
}

/**
 * Removes files of a repository from the hub's cache: their names, and their contents where no other name leads there.
 * Returns the bytes that are free then. Throws `write_failed`.
 */
function removeCached(repo: string, links: string[]): number {
  return cleaning(repo, () => {
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
  })
}

function cleaning(repo: string, work: () => number): number {
  try {
    return work()
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
