import { isCaptioned, type RowCaption } from '../caption'
import { DuplicateCount, manyOf } from '../checks/duplicates'

/** Of a caption, what says whether it is one that stands on many files. */
export type CountedCaption = Pick<RowCaption, 'status' | 'text'>

/** Told of each row that is written, in order: its caption as the output has it, and its path. */
type Look<T extends CountedCaption> = (caption: T, path: string) => void

/** How rows are written whose captions may stand on many files. */
export interface DuplicateParts<T extends CountedCaption, R> {
  /** Rows of the whole output. */
  total: number
  /** False where what was written cannot be written anew. */
  canBeginAnew: boolean
  /** Reads all rows and writes none. */
  read: (look: Look<T>) => Promise<void>
  /** Writes all rows, each after `look` saw it. */
  write: (look: Look<T>) => Promise<R>
  /** Flags a caption that stands on many files. */
  flag: (caption: T) => void
}

/** Writes rows, of which those with a caption that stands on many files are flagged. Returns what `write` returns. */
export async function writeFlagged<T extends CountedCaption, R>(parts: DuplicateParts<T, R>): Promise<R> {
  const { total, canBeginAnew, read, write, flag } = parts
  const many = manyOf(total)
  const files = new DuplicateCount()
  const count: Look<T> = ({ status, text }, path) => {
    if (isCaptioned({ status })) files.add(text, path)
  }
  let written: { result: R } | undefined
  // That a caption stands on many files is rare: what is written while they are counted nearly always stands.
  if (canBeginAnew) written = { result: await write(count) }
  else if (total >= many) await read(count)
  if (written && files.most < many) return written.result
  return write((caption) => {
    if (isCaptioned(caption) && files.count(caption.text) >= many) flag(caption)
  })
}
