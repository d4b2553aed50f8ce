import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { VcapError } from './errors'

/*
 * Folders that the system gives a process, each of which may be missing: a container's user may have no name and no
 * home, and a service no place for temporary files.
 */

/** Where files go that can be had again: XDG_CACHE_HOME, or else .cache at home; undefined where there is no home. */
export function cacheFolder(): string | undefined {
  const { XDG_CACHE_HOME: named } = process.env
  if (named && path.isAbsolute(named)) return named
  const home = homeFolder()
  return home === undefined ? undefined : path.join(home, '.cache')
}

function homeFolder(): string | undefined {
  try {
    return os.homedir() || undefined
  } catch {
    return undefined // HOME is not set, and the user has no entry in the system's list
  }
}

/** Whether this process may make and remove files in a folder. Throws Node's errors where the disk does not say. */
export function isWritableFolder(folder: string): boolean {
  try {
    fs.accessSync(folder, fs.constants.W_OK | fs.constants.X_OK)
    return true
  } catch (error) {
    if (isPassing(error)) throw error
    return false
  }
}

/** Unlike `existsSync`, which takes a disk that fails for one that has nothing. Throws Node's errors. */
export function isThere(file: string): boolean {
  return fs.statSync(file, { throwIfNoEntry: false }) !== undefined
}

/** Errors of a disk that space, a quota, or another try may mend: nothing was asked for that cannot be. */
const passing = ['ENOSPC', 'EDQUOT', 'EIO', 'ESTALE', 'ETIMEDOUT']

/** Whether a rerun may pass what the system refused. */
export function isPassing(error: unknown): boolean {
  return passing.includes((error as NodeJS.ErrnoException | undefined)?.code ?? '')
}

/**
 * The error code for an output, or its journal, that the system does not let be written: `write_failed` where a rerun
 * may pass, also on a disk that is read-only, as the system makes one that fails; else `output_unwritable`.
 */
export function unwritableCode(cause: unknown): 'write_failed' | 'output_unwritable' {
  const isReadOnly = (cause as NodeJS.ErrnoException | undefined)?.code === 'EROFS'
  return isReadOnly || isPassing(cause) ? 'write_failed' : 'output_unwritable'
}

/**
 * Brings what a file holds to the disk. By its number: Yarn's Plug'n'Play has handles of its own in the place of
 * Node's, and they cannot.
 */
export function syncFile({ fd }: { fd: number }): Promise<void> {
  return promisify(fs.fdatasync)(fd)
}

/**
 * Brings the names in a folder to the disk: a file that was synced is lost by a power cut where its name was not.
 * Throws Node's errors where the disk fails; a file system that cannot sync folders is let be.
 */
export function syncFolder(folder: string): void {
  let descriptor: number | undefined
  try {
    descriptor = fs.openSync(folder, 'r')
    fs.fsyncSync(descriptor)
  } catch (error) {
    if (isPassing(error)) throw error
  } finally {
    if (descriptor !== undefined) fs.closeSync(descriptor)
  }
}

/** Puts a file in the place of another, of which a power cut leaves either, whole. Throws `write_failed`. */
export function replaceDurably(file: string, text: string): void {
  const temporary = `${file}.tmp`
  try {
    const descriptor = fs.openSync(temporary, 'w')
    try {
      fs.writeFileSync(descriptor, text)
      fs.fsyncSync(descriptor)
    } finally {
      fs.closeSync(descriptor)
    }
    fs.renameSync(temporary, file)
    syncFolder(path.dirname(file))
  } catch (error) {
    throw new VcapError('write_failed', `${file} cannot be written: ${(error as Error).message}`, { cause: error })
  }
}

/** Makes a folder of its own for temporary files, gone when the process ends. Throws `output_unwritable`. */
export function makeTemporaryFolder(prefix: string): string {
  const folder = os.tmpdir()
  try {
    const made = fs.mkdtempSync(path.join(folder, prefix))
    process.once('exit', () => fs.rmSync(made, { recursive: true, force: true }))
    return made
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    const why = code === 'ENOENT' ? 'it does not exist' : message
    throw new VcapError(
      'output_unwritable',
      `Temporary files cannot be written into ${folder}: ${why}. Name another folder with TMPDIR`,
      { cause }
    )
  }
}
