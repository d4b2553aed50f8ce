import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { VcapError } from '../errors'
import { parseListOptions, type ListOptions } from '../options'
import { FolderWalk } from './folder-walk'
import { beginsAsMedia, mediaTypeOf, signatureBytes } from './media-names'
import type { Table } from './table'

/** The videos and images of a folder. */
export interface MediaListing {
  /** Absolute paths, folder by folder in natural order (`clip2` before `clip10`), the same on every machine. */
  files: string[]
  /** What was left out and why, a sentence for each reason. */
  warnings: string[]
  /** Files that are no videos or images by their endings. */
  others: number
}

/**
 * Lists the videos and images below a folder by their endings: `.mp4`, `.avi`, `.mov`, `.mkv`, `.webm`, `.m2ts`,
 * `.ts`, `.mpg`, `.flv`, `.wmv`, `.gif`; `.jpg`, `.jpeg`, `.png`, `.ppm`, `.bmp`, `.pgm`, `.tif`, `.tiff`, `.webp`,
 * `.avif`. What is hidden (`.name`) is left out. Links are followed, each folder is listed once. The path of a single
 * file lists that file. Throws `usage` and `aborted`.
 */
export async function listMedia(place: string, options: ListOptions = {}): Promise<MediaListing> {
  const { type, signal } = parseListOptions(options)
  const kind = findInput(place)
  if (kind === 'media') return { files: [path.resolve(place)], warnings: [], others: 0 }
  if (kind !== 'folder') {
    const seen = kind === 'nothing' ? 'not found' : 'is no folder, and no video or image by its name or its first bytes'
    throw new VcapError('usage', `Input ${place} ${seen}`)
  }
  const isWanted = (name: string) => {
    const found = mediaTypeOf(name)
    return found !== undefined && (type === 'all' || type === found)
  }
  const walk = new FolderWalk(path.resolve(place), isWanted, signal)
  const files = await walk.files()
  const warnings = walk.leftOut.sentences()
  if (files.length === 0) warnings.unshift(`has no ${type === 'all' ? 'videos or images' : `${type}s`} to list`)
  return { files, warnings: warnings.map((message) => `${place}: ${message}`), others: walk.others }
}

/** What an input is; `stream` and `file` are taken for tables. */
type InputKind = 'folder' | 'media' | 'file' | 'stream' | 'nothing'

/** Whether an input is listed: a folder, or one video or image, by its name's ending or by its first bytes. */
export function isListed(input: string): boolean {
  const kind = findInput(input)
  return kind === 'folder' || kind === 'media'
}

/** Throws `usage` where an output has the name of a video or image, which it may be the last copy of. */
export function requireTableName(output: string): void {
  if (mediaTypeOf(output) === undefined) return
  throw new VcapError('usage', `Output ${output} has the name of a video or image: name a table, such as samples.csv`)
}

function findInput(input: string): InputKind {
  const stat = input === '-' ? undefined : statOf(input)
  if (!stat) return input === '-' ? 'stream' : 'nothing'
  if (stat.isDirectory()) return 'folder'
  if (!stat.isFile()) return 'stream'
  return mediaTypeOf(input) !== undefined || beginsAsMedia(readHead(input)) ? 'media' : 'file'
}

function statOf(place: string): fs.Stats | undefined {
  try {
    return fs.statSync(place)
  } catch {
    return undefined // opening it says why
  }
}

function readHead(file: string): Buffer {
  let descriptor: number | undefined
  try {
    descriptor = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
    const head = Buffer.alloc(signatureBytes)
    return head.subarray(0, fs.readSync(descriptor, head, 0, head.length, 0))
  } catch {
    return Buffer.alloc(0) // opening it says why
  } finally {
    if (descriptor !== undefined) fs.closeSync(descriptor)
  }
}

/** A listing as a table with the one column `path`. */
export interface ListedTable extends Table {
  /** Of all paths: the same for the same rows. */
  readonly digest: string
}

/** Opens a folder, or one video or image, as a table. Throws what `listMedia` throws. */
export async function openListing(input: string, signal: AbortSignal | undefined): Promise<ListedTable> {
  const { files, warnings } = await listMedia(input, { signal })
  const hash = createHash('sha256')
  for (const file of files) hash.update(`${file}\0`)
  return {
    label: input,
    format: { format: 'csv' },
    columns: ['path'],
    total: files.length,
    warnings,
    digest: hash.digest('hex'),
    resized: false,
    async *records() {
      for (const file of files) yield [file]
    },
    close: () => undefined
  }
}
