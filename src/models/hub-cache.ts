import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { VcapError } from '../errors'
import { cacheFolder, syncFolder } from '../folders'

/*
 * The cache of the Hugging Face Hub, shared with its own tools: `models--OWNER--NAME/` with the contents of files in
 * `blobs/` by their checksums, links to them in `snapshots/COMMIT/` by their names, and in `refs/` what commit a
 * branch stood for.
 */

/** A file of the hub by its place there. */
export interface HubPlace {
  /** `owner/name`. */
  repo: string
  file: string
  /** A branch, a tag or a commit. */
  revision: string
}

/** A file's content, as the hub knows it. */
export interface HubBlob {
  commit: string
  /** The name of its content in the cache: SHA-256 in hex of large files, git's SHA-1 of small ones. */
  etag: string
}

/** Throws `model_not_found` where there is no home for it. */
export function hubCacheFolder(env = process.env): string {
  const named = env.HF_HUB_CACHE ?? env.HUGGINGFACE_HUB_CACHE
  if (named) return path.resolve(expandHome(named))
  if (env.HF_HOME) return path.join(path.resolve(expandHome(env.HF_HOME)), 'hub')
  const cache = cacheFolder()
  if (cache !== undefined) return path.join(cache, 'huggingface', 'hub')
  throw new VcapError(
    'model_not_found',
    'There is no folder for downloaded models, since HOME is not set and this user has no home folder: ' +
      'name one with HF_HUB_CACHE, or pass --model FILE.gguf --mmproj FILE.gguf'
  )
}

function expandHome(folder: string): string {
  return folder === '~' || folder.startsWith('~/') ? path.join(os.homedir(), folder.slice(1)) : folder
}

/** The folder of a repository. Throws `usage` for a name that is none. */
export function repoFolder(repo: string): string {
  if (!/^[\w.-]+\/[\w.-]+$/.test(repo) || /(^|\/)\.+(\/|$)|--|\.\./.test(repo)) {
    throw new VcapError('usage', `Expected OWNER/NAME as a repository of the hub but received ${repo}`)
  }
  return path.join(hubCacheFolder(), `models--${repo.replace('/', '--')}`)
}

/** Where the content of a file lies, or will. */
export function blobFile(repo: string, etag: string): string {
  return path.join(repoFolder(repo), 'blobs', etag)
}

/** The file in the cache, as it was when its branch was last looked at; undefined where it is not there whole. */
export function findCached({ repo, file, revision }: HubPlace): string | undefined {
  const folder = repoFolder(repo)
  const commit = isCommit(revision) ? revision : readText(path.join(folder, 'refs', revision))?.trim()
  if (commit === undefined) return undefined
  const link = path.join(folder, 'snapshots', commit, requireInside(file))
  return fs.statSync(link, { throwIfNoEntry: false })?.isFile() ? link : undefined
}

/** The names of a repository's files that are in the cache, of the commit that a branch stood for last. */
export function snapshotFiles(repo: string, revision: string): string[] {
  const folder = repoFolder(repo)
  const commit = isCommit(revision) ? revision : readText(path.join(folder, 'refs', revision))?.trim()
  const snapshot = path.join(folder, 'snapshots', commit ?? '')
  if (!commit || !fs.existsSync(snapshot)) return []
  const names = fs.readdirSync(snapshot, { recursive: true }) as string[]
  return names.filter((file) => findCached({ repo, file, revision }) !== undefined).sort()
}

/**
 * Makes a blob that is there appear under its name in a snapshot, and the branch stand for it. Returns the name's path.
 * Where the file system has no links, the content goes there itself. Throws Node's errors.
 */
export function placeCached({ repo, file, revision }: HubPlace, { commit, etag }: HubBlob): string {
  const folder = repoFolder(repo)
  const link = path.join(folder, 'snapshots', commit, requireInside(file))
  const blob = blobFile(repo, etag)
  fs.mkdirSync(path.dirname(link), { recursive: true })
  if (!fs.statSync(link, { throwIfNoEntry: false })) putLink(blob, link)
  if (!isCommit(revision)) {
    const ref = path.join(folder, 'refs', revision)
    fs.mkdirSync(path.dirname(ref), { recursive: true })
    writeWhole(ref, commit)
  }
  return link
}

function putLink(blob: string, link: string): void {
  const temporary = `${link}.${process.pid}.tmp`
  try {
    fs.symlinkSync(path.relative(path.dirname(link), blob), temporary)
  } catch {
    fs.linkSync(blob, temporary)
  }
  fs.renameSync(temporary, link) // over a link that leads to nothing
  syncFolder(path.dirname(link))
}

function writeWhole(file: string, text: string): void {
  const temporary = `${file}.${process.pid}.tmp`
  fs.writeFileSync(temporary, text)
  fs.renameSync(temporary, file)
}

/** A name from outside must not lead out of its folder. Throws `usage`. */
function requireInside(file: string): string {
  const normal = path.normalize(file)
  if (normal === '' || path.isAbsolute(normal) || normal.split(path.sep).includes('..')) {
    throw new VcapError('usage', `Expected the name of a file in its repository but received ${file}`)
  }
  return normal
}

function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision)
}

function readText(file: string): string | undefined {
  try {
    return fs.readFileSync(file, 'utf8')
  } catch {
    return undefined // not there: nothing of that branch was downloaded
  }
}
