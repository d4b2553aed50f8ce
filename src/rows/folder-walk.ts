import type { Dirent } from 'node:fs'
import fs from 'node:fs/promises'
import path from 'node:path'
import { abortedError, VcapError } from '../errors'
import { LeftOut } from './left-out'

/** Entries of a folder that are read at once. */
const entriesAtOnce = 1024

/** One language whatever the machine's: numbers within names by their value. */
const collator = new Intl.Collator('en', { numeric: true })

/** Natural order of names: clip2 before clip10; those that are alike in it by their bytes. */
function compareNames(a: string, b: string): number {
  return collator.compare(a, b) || Buffer.compare(Buffer.from(a), Buffer.from(b))
}

/** A file, or a folder with what is in it, by its name. */
interface Entry {
  name: string
  /** Undefined for a file. */
  entries?: Entry[]
  isLink?: boolean
}

/** A link to a folder, found on the way. */
interface FolderLink {
  place: string
  entry: Entry
}

/**
 * Finds the files below a folder. Links to files count as files. Links to folders are followed once all that has a
 * place of its own is listed, so that a folder is listed once, under its own name where it has one, and no loop is gone
 * round.
 */
export class FolderWalk {
  readonly leftOut = new LeftOut()
  /** Files with other names. */
  others = 0
  readonly #root: string
  readonly #isWanted: (name: string) => boolean
  readonly #signal: AbortSignal | undefined
  /** Folders that were entered, by device and number. */
  readonly #entered = new Set<string>()
  readonly #links: FolderLink[] = []

  /** `isWanted`: whether a file of this name is listed. */
  constructor(root: string, isWanted: (name: string) => boolean, signal: AbortSignal | undefined) {
    this.#root = root
    this.#isWanted = isWanted
    this.#signal = signal
  }

  /**
   * Absolute paths, folder by folder in natural order. A folder that cannot be read is left out, unless it is the first
   * one: that throws `usage`. Throws `aborted`.
   */
  async files(): Promise<string[]> {
    const top: Entry = { name: '', entries: [] }
    await this.#enter(this.#root, top)
    for (let next = 0; next < this.#links.length; next++) await this.#follow(this.#links[next]!)
    return [...pathsOf(top, this.#root)]
  }

  async #enter(place: string, folder: Entry): Promise<void> {
    let entries: Entry[]
    try {
      const { dev, ino } = await fs.stat(place, { bigint: true })
      const identity = `${dev}:${ino}`
      if (this.#entered.has(identity)) return this.leftOut.add('repeated', this.#shown(place))
      this.#entered.add(identity)
      entries = await this.#read(place)
    } catch (error) {
      return this.#refuse(place, error as Error)
    }
    folder.entries = entries.sort((a, b) => compareNames(a.name, b.name))
    for (const entry of entries) {
      if (entry.entries && !entry.isLink) await this.#enter(path.join(place, entry.name), entry)
    }
  }

  async #read(place: string): Promise<Entry[]> {
    const entries: Entry[] = []
    // Names as bytes: as text, those that are not UTF-8 would be taken for others.
    const folder = await fs.opendir(place, { encoding: 'buffer' as 'utf8', bufferSize: entriesAtOnce })
    for await (const found of folder as unknown as AsyncIterable<Dirent<Buffer>>) {
      if (this.#signal?.aborted) throw abortedError(this.#signal)
      const entry = await this.#take(place, found)
      if (entry) entries.push(entry)
    }
    return entries
  }

  async #take(place: string, found: Dirent<Buffer>): Promise<Entry | undefined> {
    const name = found.name.toString()
    const isMedia = this.#isWanted(name)
    const inside = path.join(place, name)
    if (found.isFile() && !isMedia) {
      this.others++
      return undefined
    }
    if (!Buffer.from(name).equals(found.name)) {
      this.leftOut.add('unnamable', Buffer.concat([Buffer.from(this.#shown(place, path.sep)), found.name]))
      return undefined
    }
    if (name.startsWith('.')) {
      if (isMedia || found.isDirectory()) this.leftOut.add('hidden', this.#shown(inside))
      return undefined
    }
    if (found.isFile()) return { name }
    if (found.isDirectory()) return { name, entries: [] }
    if (found.isSymbolicLink()) return this.#takeLink(inside, name, isMedia)
    if (isMedia) this.leftOut.add('special', this.#shown(inside))
    return undefined
  }

  async #takeLink(place: string, name: string, isMedia: boolean): Promise<Entry | undefined> {
    try {
      const target = await fs.stat(place)
      if (target.isDirectory()) {
        const entry = { name, entries: [], isLink: true }
        this.#links.push({ place, entry })
        return entry
      }
      if (target.isFile() && isMedia) return { name }
      if (target.isFile()) this.others++
      else if (isMedia) this.leftOut.add('special', this.#shown(place))
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      const isNowhere = code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP'
      const mayBeFolder = path.extname(name) === ''
      if (!isMedia && !mayBeFolder) this.others++
      else this.leftOut.add(isNowhere ? 'broken' : 'unreadable', this.#shown(place), isNowhere ? undefined : message)
    }
    return undefined
  }

  /** A link to a folder in which it lies itself is a loop, also where that folder begins above the first one. */
  async #follow({ place, entry }: FolderLink): Promise<void> {
    try {
      if (!isWithin(await fs.realpath(path.dirname(place)), await fs.realpath(place))) await this.#enter(place, entry)
      else this.leftOut.add('loop', this.#shown(place))
    } catch (error) {
      this.#refuse(place, error as Error)
    }
  }

  #refuse(place: string, error: NodeJS.ErrnoException): void {
    if (error instanceof VcapError) throw error
    if (place === this.#root) {
      throw new VcapError('usage', `Folder ${place} cannot be read: ${error.message}`, { cause: error })
    }
    this.leftOut.add('unreadable', this.#shown(place), error.message)
  }

  /** A place as messages name it: below the first folder. */
  #shown(place: string, end = ''): string {
    const name = path.relative(this.#root, place)
    return name === '' ? '' : name + end
  }
}

function isWithin(place: string, folder: string): boolean {
  return place === folder || place.startsWith(folder.endsWith(path.sep) ? folder : folder + path.sep)
}

function* pathsOf({ entries = [] }: Entry, place: string): Generator<string> {
  for (const entry of entries) {
    const inside = path.join(place, entry.name)
    if (entry.entries) yield* pathsOf(entry, inside)
    else yield inside
  }
}
