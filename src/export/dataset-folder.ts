import fs from 'node:fs'
import path from 'node:path'
import { VcapError } from '../errors'

/** Where files from elsewhere are linked, in a dataset's folder. */
const linkFolder = 'media'

/** The folder of a dataset whose files must be named relative to it: those from elsewhere are linked into it. */
export class DatasetFolder {
  /** Links that were made. */
  linked = 0
  /** By its name, the file that a link leads to. */
  readonly #links = new Map<string, string>()

  constructor(readonly path: string) {}

  /** The name of a file in this folder, with `/` between its parts. Throws `write_failed`. */
  nameOf(file: string): string {
    const name = path.relative(this.path, file)
    const isBelow = name !== '' && !name.startsWith('..') && !path.isAbsolute(name)
    return (isBelow ? name : this.#link(file)).split(path.sep).join('/')
  }

  #link(file: string): string {
    const { name, ext } = path.parse(file)
    for (let count = 1; ; count++) {
      const link = path.join(linkFolder, count === 1 ? name + ext : `${name}-${count}${ext}`)
      const taken = this.#links.get(link)
      if (taken === file) return link
      if (taken === undefined && this.#make(path.join(this.path, link), file)) {
        this.#links.set(link, file)
        this.linked++
        return link
      }
    }
  }

  /** False where something else has the name. A link of an earlier export is made anew. */
  #make(link: string, file: string): boolean {
    try {
      const there = fs.lstatSync(link, { throwIfNoEntry: false })
      if (there && !there.isSymbolicLink()) return false
      if (there) fs.rmSync(link)
      fs.mkdirSync(path.dirname(link), { recursive: true })
      fs.symlinkSync(file, link)
      return true
    } catch (cause) {
      const why = (cause as Error).message
      throw new VcapError('write_failed', `${file} cannot be linked into ${this.path}: ${why}`, { cause })
    }
  }
}

/** Throws `output_unwritable`. */
export function makeFolder(folder: string): void {
  try {
    fs.mkdirSync(folder, { recursive: true })
  } catch (cause) {
    throw new VcapError('output_unwritable', `${folder} cannot be made: ${(cause as Error).message}`, { cause })
  }
}
