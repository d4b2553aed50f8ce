import fs from 'node:fs'
import path from 'node:path'
import { checkSync, lock } from 'proper-lockfile'
import { formatBytes, type DownloadProgressEvent } from '../download-event'
import { abortedError, VcapError } from '../errors'
import { waitFor } from '../waiting'
import { download, partOf } from './download'
import type { Hub, HubFile } from './hub'
import { blobFile, findCached, placeCached, repoFolder, type HubPlace } from './hub-cache'
import type { KnownContent } from './list'

/** Milliseconds between two looks at what another process downloads. */
const lookMs = 500
/** Milliseconds without a sign of life after which a process that downloads counts as dead, and between two signs. */
const staleMs = 15_000
const signMs = 3_000
/** Bytes that stay free on the disk. */
const spareBytes = 256 * 1024 * 1024

/** A file that is wanted, and what it has to be where that is known. */
export interface WantedFile extends HubPlace {
  known?: KnownContent | undefined
}

export interface PullFileOptions {
  hub: Hub
  licence?: string | undefined
  signal?: AbortSignal | undefined
  onEvent?: ((event: DownloadProgressEvent) => void) | undefined
}

/**
 * Brings files of the hub into its cache where they are not there. All are looked up before the first is downloaded. Of
 * many processes that want one at once one downloads, and the others wait. Throws `model_not_found`, `download_failed`,
 * `write_failed`, `usage`, `aborted`.
 */
export async function pullFiles(wanted: WantedFile[], options: PullFileOptions): Promise<void> {
  const files: HubFile[] = []
  for (const { known, ...place } of wanted) {
    if (findCached(place) !== undefined) continue
    const file = await options.hub.describe(place, options.signal)
    if (known) requireKnown(file, known, options.hub.endpoint)
    files.push(file)
  }
  for (const file of files) {
    const blob = blobFile(file.place.repo, file.etag)
    if (!fs.existsSync(blob)) await downloadOnce(file, blob, options)
    placeCached(file.place, file)
  }
}

/** A name stands for certain contents: another one, however good, is not brought in its place. */
function requireKnown(
  { place, etag, size }: HubFile,
  { sha256, bytes, rounded }: KnownContent,
  endpoint: string
): void {
  const differs =
    sha256 !== undefined && etag !== sha256
      ? `its checksum is ${etag} and not ${sha256}`
      : !rounded && size !== bytes && `it has ${size} bytes and not ${bytes}`
  if (!differs) return
  throw new VcapError(
    'model_not_found',
    `${endpoint} has another ${place.repo}/${place.file} than this name stands for: ${differs}. ` +
      `hf:${place.repo}:FILE takes what is there`
  )
}

async function downloadOnce(file: HubFile, blob: string, options: PullFileOptions): Promise<void> {
  const { repo, file: name } = file.place
  const emit = options.onEvent ?? (() => undefined)
  makeFolder(path.dirname(blob))
  const { signal, release } = await takeTurn(file, blob, options)
  try {
    if (fs.existsSync(blob)) return
    requireSpace(file, blob)
    const { hub, licence = null } = options
    emit({ type: 'download', repo, file: name, bytes: file.size, from: hub.endpoint, to: repoFolder(repo), licence })
    const onBytes = (bytes: number) =>
      emit({ type: 'downloading', repo, file: name, bytes, total: file.size, byAnother: false })
    await download(hub, file, blob, { signal, onBytes })
    emit({ type: 'downloaded', repo, file: name, bytes: file.size })
  } finally {
    await release()
  }
}

/** What stands beside a content while a process downloads it. */
export function lockOf(blob: string): string {
  return `${blob}.vcap-lock`
}

/** Whether a process that is alive downloads a content. Throws Node's errors. */
export function isDownloading(blob: string): boolean {
  return checkSync(blob, { lockfilePath: lockOf(blob), realpath: false, stale: staleMs })
}

/** Waits until no other process downloads a blob. The signal ends what this one does, also where it lost its turn. */
async function takeTurn(
  { place, size }: HubFile,
  blob: string,
  { signal, onEvent = () => undefined }: PullFileOptions
): Promise<{ signal: AbortSignal; release: () => Promise<void> }> {
  const lost = new AbortController()
  const ending = signal ? AbortSignal.any([signal, lost.signal]) : lost.signal
  const onCompromised = (error: Error) => lost.abort(error)
  const options = { lockfilePath: lockOf(blob), realpath: false, stale: staleMs, update: signMs, onCompromised }
  while (true) {
    if (signal?.aborted) throw abortedError(signal)
    try {
      const release = await lock(blob, options)
      return { signal: ending, release: () => release().catch(() => undefined) }
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      if (code !== 'ELOCKED')
        throw new VcapError('write_failed', `${blob} cannot be locked: ${message}`, { cause: error })
    }
    const bytes = fs.statSync(partOf(blob), { throwIfNoEntry: false })?.size ?? 0
    onEvent({ type: 'downloading', repo: place.repo, file: place.file, bytes, total: size, byAnother: true })
    await waitFor(lookMs, signal)
    if (fs.existsSync(blob)) return { signal: ending, release: async () => undefined }
  }
}

function makeFolder(folder: string): void {
  try {
    // One after another: all at once, a disk that is read-only is told as a folder that is not there.
    if (fs.existsSync(folder)) return
    makeFolder(path.dirname(folder))
    fs.mkdirSync(folder)
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'EEXIST') return // another process was faster
    if (cause instanceof VcapError) throw cause
    throw new VcapError('write_failed', `${folder} cannot be made: ${message}. HF_HUB_CACHE names another folder`, {
      cause
    })
  }
}

/** Throws `write_failed` where the disk has no room for what is still to come. */
function requireSpace({ place, size }: HubFile, blob: string): void {
  const there = fs.statSync(partOf(blob), { throwIfNoEntry: false })?.size ?? 0
  const { bavail, bsize } = fs.statfsSync(path.dirname(blob))
  const free = bavail * bsize
  if (free >= size - there + spareBytes) return
  throw new VcapError(
    'write_failed',
    `${place.repo}/${place.file} needs ${formatBytes(size - there)} more, and ${path.dirname(blob)} has ` +
      `${formatBytes(free)} left: ` +
      'make room, or name another folder with HF_HUB_CACHE'
  )
}
