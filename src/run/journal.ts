import fs from 'node:fs'
import path from 'node:path'
import type { CaptionerSettings, RowCaption, RowInput } from '../caption'
import { requireRowCaption } from '../caption-check'
import { VcapError } from '../errors'
import { isThere, syncFolder } from '../folders'
import { JournalFile } from './journal-file'
import { captionerFolder, type JournalPlace } from './journal-place'
import { KeyTable } from './key-table'
import { Lock } from './lock'
import { formatRecord, formatRevocation, readHead, RecordKinds } from './record'
import type { JournalScan } from './record-lines'
import { formatKey, hashRow, type RowKey } from './row-key'
import { fileState, readRunFile, requireSameRun, type RunFile } from './run-file'

/** Bytes of a record at least, by which the number of records of a file is guessed. */
const leastRecordBytes = 120

export interface JournalOptions {
  settings: CaptionerSettings
  /** Rows of the table, for which room is made. */
  rows: number
  /** Begin anew: what is there is kept under another name. */
  restart: boolean
  /** Whether a row's text goes into its prompt, and so into its key. */
  usesText: boolean
  /** Called where another process took the lock. */
  onLost: (error: Error) => void
}

/**
 * What is done of a run, durably: one record for each finished row, in the order in which they finished. It is a folder
 * beside the output: `run.json` says which run it is, `rows.log` holds the records, `lock` and `holder.json` say who
 * writes.
 */
export class Journal {
  readonly folder: string
  /** Of the run that is continued; undefined where this one is new. */
  readonly earlier: RunFile | undefined
  readonly scan: JournalScan
  readonly settings: CaptionerSettings
  /** True where no later run can find it. */
  readonly isTemporary: boolean
  readonly #file: JournalFile
  readonly #lock: Lock
  readonly #table: KeyTable
  readonly #usesText: boolean
  #isKept = false

  private constructor(
    folder: string,
    parts: {
      isTemporary: boolean
      earlier: RunFile | undefined
      scan: JournalScan
      file: JournalFile
      lock: Lock
      table: KeyTable
    },
    { settings, usesText }: JournalOptions
  ) {
    this.folder = folder
    this.isTemporary = parts.isTemporary
    this.earlier = parts.earlier
    this.scan = parts.scan
    this.#file = parts.file
    this.#lock = parts.lock
    this.#table = parts.table
    this.settings = settings
    this.#usesText = usesText
  }

  /**
   * Opens the journal in a folder, or makes it. Throws `run_locked`, naming who writes; `run_differs`, naming each
   * setting that is not as before; `output_unwritable`, `write_failed`.
   */
  static async open({ folder, isTemporary }: JournalPlace, options: JournalOptions): Promise<Journal> {
    const lock = await Lock.take(folder, options.onLost)
    try {
      if (options.restart) putAside(folder)
      const earlier = readRunFile(folder)
      if (earlier) requireSameRun(earlier.settings, options.settings)
      const records = path.join(folder, 'rows.log')
      const size = fileState(records)?.size ?? 0
      const table = new KeyTable(Math.max(options.rows, Math.ceil(size / leastRecordBytes)))
      const kinds = new RecordKinds()
      /** Lines with a checksum that is right, and without a caption of ours. */
      let unknown = 0
      const { file, scan } = await JournalFile.open(records, (record, offset) => {
        const head = readHead(record)
        if (head && head.label === undefined) table.setOffset(head.key, undefined)
        else if (head && kinds.numberOf(head.label!) !== undefined) table.setOffset(head.key, offset)
        else unknown++
      })
      scan.records -= unknown
      scan.damaged += unknown
      if (!earlier && scan.records > 0) {
        await file.close()
        throw new VcapError(
          'run_differs',
          `${records} holds captions, and the run.json beside it that says of which run they are is gone. ` +
            '--restart keeps them under another name and begins anew'
        )
      }
      return new Journal(folder, { isTemporary, earlier, scan, file, lock, table }, options)
    } catch (error) {
      await lock.release()
      throw error
    }
  }

  /** The key of the next row of a reading of the table. `restartKeys` begins another reading. */
  nextKey(input: RowInput): RowKey {
    const hash = hashRow(input, this.#usesText)
    return { hash, occurrence: this.#table.count(hash) }
  }

  restartKeys(): void {
    this.#table.resetCounts()
  }

  has(key: RowKey): boolean {
    return this.#table.offset(key) !== undefined
  }

  /** What became of a row; undefined where it is not done. Throws `read_failed`. */
  async read(key: RowKey): Promise<RowCaption | undefined> {
    const offset = this.#table.offset(key)
    if (offset === undefined) return undefined
    const record = await this.#file.read(offset)
    const end = record.indexOf(' ')
    // Another row's record under the same 64 bits is not this row's.
    return record.slice(0, end) === formatKey(key) ? parseCaption(record.slice(end + 1)) : undefined
  }

  /**
   * Resolves when the record would survive a power cut. `path` is for people, as the table has it. Rejects with
   * `write_failed`.
   */
  async append(key: RowKey, path: string, caption: RowCaption): Promise<void> {
    const { offset, written } = this.#file.append(formatRecord(key, path, caption))
    this.#table.setOffset(key, offset)
    return written
  }

  /** Takes back what was appended for a row: it is not done. */
  async revoke(key: RowKey): Promise<void> {
    this.#table.setOffset(key, undefined)
    return this.#file.append(formatRevocation(key)).written
  }

  /** Brings all that was appended to the disk. */
  flush(): Promise<void> {
    return this.#file.flush()
  }

  /** Lets the journal stay although it has no record: that a run without rows is finished, too, may be asked. */
  keep(): void {
    this.#isKept = true
  }

  /** Removes what `restart` put aside: this run is finished. */
  forgetEarlier(): void {
    const aside = asideFolder(this.folder)
    try {
      if (!isThere(aside)) return
      fs.rmSync(aside, { recursive: true, force: true })
      syncFolder(this.folder)
    } catch {
      // The next call of the finished run removes it.
    }
  }

  async close(): Promise<void> {
    await this.#file.close()
    await this.#lock.release()
    // A run that came to nothing leaves nothing.
    const kept = [asideFolder(this.folder), captionerFolder(this.folder)]
    const isEmpty = this.earlier === undefined && this.#file.size === 0 && !kept.some(fs.existsSync)
    if (!this.isTemporary && (this.#isKept || !isEmpty)) return
    try {
      fs.rmSync(this.folder, { recursive: true, force: true })
    } catch {
      // A disk that fails keeps it: the next run begins with it.
    }
  }
}

/** Where what `restart` replaces is kept until the new run ends. */
function asideFolder(folder: string): string {
  return path.join(folder, 'before')
}

/** Throws `write_failed`. */
function putAside(folder: string): void {
  const aside = asideFolder(folder)
  try {
    // The records go before what says of which run they are: never are they taken for another's.
    for (const name of ['rows.log', path.basename(captionerFolder(folder)), 'run.json']) {
      const file = path.join(folder, name)
      if (!isThere(file)) continue
      // What a restart that was interrupted has made is less than what it put aside.
      if (isThere(path.join(aside, name))) {
        fs.rmSync(file, { recursive: true })
      } else {
        if (!isThere(aside)) fs.mkdirSync(aside)
        fs.renameSync(file, path.join(aside, name))
        syncFolder(aside)
      }
      syncFolder(folder)
    }
  } catch (error) {
    const { message } = error as Error
    throw new VcapError('write_failed', `${folder} cannot be put aside: ${message}`, { cause: error })
  }
}

/** Throws `read_failed`. */
function parseCaption(json: string): RowCaption {
  try {
    return requireRowCaption(JSON.parse(json))
  } catch (error) {
    throw new VcapError('read_failed', `A record of the journal is damaged: ${(error as Error).message}`, {
      cause: error
    })
  }
}
