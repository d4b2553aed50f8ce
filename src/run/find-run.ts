import fs from 'node:fs'
import path from 'node:path'
import { VcapError } from '../errors'
import { journalFolders } from './journal-place'
import { readRunFile, type RunFile } from './run-file'

/** The journal of an output, and the run that it is of. */
export interface FoundRun {
  folder: string
  run: RunFile
}

/** By an output or its journal's folder; undefined where no run is known. Throws `run_differs`, `read_failed`. */
export function findRun(output: string): FoundRun | undefined {
  for (const folder of foldersOf(output)) {
    const run = readRunFile(folder)
    if (run) return { folder, run }
  }
  return undefined
}

/** Throws `usage` where no run of this output is known. */
export function requireRun(output: string): FoundRun {
  const found = findRun(output)
  if (found) return found
  const folders = foldersOf(output)
  throw new VcapError('usage', `No run of ${output} is known: there is neither ${folders.join(' nor ')}`)
}

/** Where an output's journal may be. */
function foldersOf(output: string): string[] {
  const beside = journalFolders(realName(path.resolve(output)))
  const isFolder = fs.statSync(output, { throwIfNoEntry: false })?.isDirectory()
  return isFolder ? [output, ...beside] : beside
}

/** A file that is named by a link has its journal where it is; one that is not there yet, in its real folder. */
function realName(output: string): string {
  try {
    return fs.realpathSync(output)
  } catch {
    // not finished yet
  }
  try {
    return path.join(fs.realpathSync(path.dirname(output)), path.basename(output))
  } catch {
    return output
  }
}
