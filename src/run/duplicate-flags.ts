import { isCaptioned, type RowCaption } from '../caption'
import { DuplicateCount, manyOf } from '../checks/duplicates'

/** Of a caption, what says whether it is one that stands on many files. */
export type CountedCaption = Pick<RowCaption, 'status' | 'text'>

/**
 * Told of each caption that is written, in order: as the output has it, its row's path, and its name where the row has
 * several. True where it is to be flagged: it stands on many files.
 */
export type Look = (caption: CountedCaption, path: string, name?: string) => boolean

/** How rows are written whose captions may stand on many files. */
export interface DuplicateParts<R> {
  /** Rows of the whole output. */
  total: number
  /** False where what was written cannot be written anew. */
  canBeginAnew: boolean
  /** Reads all rows and writes none. */
  read: (look: Look) => Promise<void>
  /** Writes all rows, each after `look` saw its captions. */
  write: (look: Look) => Promise<R>
}

/** Writes rows, of which captions that stand on many files are flagged. Returns what `write` returns. */
export async function writeFlagged<R>({ total, canBeginAnew, read, write }: DuplicateParts<R>): Promise<R> {
  const many = manyOf(total)
  const files = new DuplicateCount()
  const count: Look = (caption, path, name) => {
    if (isCaptioned(caption)) files.add(counted(caption, name), path)
    return false
  }
  let written: { result: R } | undefined
  // That a caption stands on many files is rare: what is written while they are counted nearly always stands.
  if (canBeginAnew) written = { result: await write(count) }
  else if (total >= many) await read(count)
  if (written && files.most < many) return written.result
  return write((caption, _, name) => isCaptioned(caption) && files.count(counted(caption, name)) >= many)
}

/** Captions of several names are counted apart. */
function counted({ text }: CountedCaption, name: string | undefined): string {
  return name === undefined ? text : `${name}\0${text}`
}
