import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { digestOf } from '../digest'
import { VcapError } from '../errors'
import { isThere, isWritableFolder, syncFolder } from '../folders'
import { unwritable } from '../rows/output-place'
import type { RowSink } from '../rows/rows'

/** The folder of a journal. */
export interface JournalPlace {
  folder: string
  /** True where no later run could find it: it goes when the run ends. */
  isTemporary: boolean
}

/** What journals have in their folders. */
const journalNames = /^(run\.json(\.tmp)?|rows\.log|before|captioner|output\.tmp|sidecars\.log|lock(-.*)?)$/

/**
 * Makes the folder of an output's journal: the one that was `named`; or else beside the output; among temporary files,
 * by the output's name, where its folder takes no other; for a stream among them under a name of its own. One that is
 * there is taken, wherever it is. Throws `output_unwritable`, `write_failed`, and `usage` where the named folder has
 * other files.
 */
export function makeJournalPlace(
  { path: output, isFile }: Pick<RowSink, 'path' | 'isFile'>,
  named?: string | undefined
): JournalPlace {
  const temporary = os.tmpdir()
  try {
    if (named !== undefined) return { folder: requireJournal(make(path.resolve(named))), isTemporary: false }
    if (!isFile) return { folder: fs.mkdtempSync(path.join(temporary, 'vcap-journal-')), isTemporary: true }
    const [beside, elsewhere] = journalFolders(output)
    const isBeside = isThere(beside) || (!isOwn(elsewhere) && isWritableFolder(path.dirname(output)))
    const folder = make(isBeside ? beside : elsewhere)
    if (!isBeside && !isOwn(folder)) throw new Error(`${folder} is another user's`)
    return { folder, isTemporary: false }
  } catch (error) {
    if (error instanceof VcapError) throw error
    throw unwritable(output, `its journal cannot be made: ${(error as Error).message}`, error)
  }
}

/** A journal that comes to nothing is removed with its folder, and so must not be among other files. */
function requireJournal(folder: string): string {
  const other = fs.readdirSync(folder).find((name) => !journalNames.test(name))
  if (other === undefined) return folder
  const why = `there is ${other} in it: name a new folder, an empty one, or that of an earlier run's journal`
  throw new VcapError('usage', `${folder} is no folder for a journal, since ${why}`)
}

/** Where a run's captioner keeps what it has to know of earlier calls; it makes it when it has something to keep. */
export function captionerFolder(folder: string): string {
  return path.join(folder, 'captioner')
}

/** The folders in which an output's journal may be: beside it, else among temporary files. */
export function journalFolders(output: string): [beside: string, elsewhere: string] {
  const name = digestOf('sha256', output, 'hex').slice(0, 32)
  return [`${output}.vcap`, path.join(os.tmpdir(), `vcap-journal-${name}`)]
}

/** Whether a folder is there that this user made: the folder for temporary files is everybody's. */
function isOwn(folder: string): boolean {
  const stat = fs.lstatSync(folder, { throwIfNoEntry: false })
  return stat?.isDirectory() === true && stat.uid === (process.geteuid?.() ?? stat.uid)
}

/** A folder that a power cut does not take away. */
function make(folder: string): string {
  try {
    // Not `recursive`: Node tries that without end where a file system, such as /proc, makes no folders at all.
    fs.mkdirSync(folder)
  } catch (error) {
    if (!fs.statSync(folder, { throwIfNoEntry: false })?.isDirectory()) throw error
  }
  syncFolder(path.dirname(folder))
  return folder
}
