import { createHash } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { VcapError } from '../errors'
import { isWritableFolder } from '../folders'
import type { RowSink } from '../rows/rows'

/** The folder of a journal. */
export interface JournalPlace {
  folder: string
  /** True where no later run could find it: it goes when the run ends. */
  isTemporary: boolean
}

/**
 * Makes the folder of an output's journal: beside the output; among temporary files, by the output's name, where its
 * folder takes no other; for a stream among them under a name of its own. Throws `output_unwritable`.
 */
export function makeJournalPlace({ path: output, isFile }: Pick<RowSink, 'path' | 'isFile'>): JournalPlace {
  const temporary = os.tmpdir()
  try {
    if (!isFile) return { folder: fs.mkdtempSync(path.join(temporary, 'vcap-journal-')), isTemporary: true }
    const beside = journalFolder(output)
    if (isWritableFolder(path.dirname(output)) || fs.existsSync(beside))
      return { folder: make(beside), isTemporary: false }
    const name = createHash('sha256').update(output).digest('hex').slice(0, 32)
    return { folder: make(path.join(temporary, `vcap-journal-${name}`)), isTemporary: false }
  } catch (error) {
    const { message } = error as Error
    throw new VcapError('output_unwritable', `The journal of ${output} cannot be made: ${message}`, { cause: error })
  }
}

/** The folder of an output's journal beside it. */
export function journalFolder(output: string): string {
  return `${output}.vcap`
}

function make(folder: string): string {
  fs.mkdirSync(folder, { recursive: true })
  return folder
}
