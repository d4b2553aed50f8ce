import path from 'node:path'
import { isCaptioned, type RowCaption, type RowStatus } from '../caption'
import { scanJournal } from './journal-file'
import { requireRun } from './find-run'
import { KeyTable } from './key-table'
import { findHolder, type Holder } from './lock'
import { captionOf, readHead, RecordKinds } from './record'

/** Rows that are shown of the last captions, and of the last failures. */
const shownRows = 5

/** A run as its journal has it. */
export interface RunStatus {
  state: 'running' | 'stopped' | 'finished'
  input: string
  output: string
  /** ISO 8601: when it was begun, and when it was finished. */
  started: string
  finished: string | null
  /** Rows of the table when the run was last begun or gone on with. */
  rows: number
  /** Rows with a record; more than `rows` where the table has lost some since. */
  done: number
  /** Rows by status; those that did not occur are not there. */
  statuses: Partial<Record<RowStatus, number>>
  /** Rows by flag: as the model answered; once it is finished, as the output has them, `duplicate` among them. */
  flags: Record<string, number>
  /** Rows without a caption. */
  failed: number
  /** Records that are damaged: their rows will be captioned again. */
  damaged: number
  /** Rows a second since it was last begun or gone on with, and seconds that are left; null while nobody writes. */
  rate: number | null
  secondsLeft: number | null
  holder: Holder | null
  lastCaptions: JournalledRow[]
  lastFailures: JournalledRow[]
}

/** A row as its record has it: its path as in the table, and what became of it. */
export type JournalledRow = { path: string } & RowCaption

/**
 * How a run stands, by its output or its journal's folder, whether somebody writes it now or not. Throws `usage` where
 * there is none, `read_failed`.
 */
export async function readStatus(output: string): Promise<RunStatus> {
  const { folder, run } = requireRun(output)
  const counter = new RecordCounter(run.rows)
  const { damaged } = await scanJournal(path.join(folder, 'rows.log'), counter.add)
  const holder = findHolder(folder) ?? null
  const { done, statuses, flags } = counter.count()
  const seconds = (Date.now() - Date.parse(run.begun.at)) / 1000
  // The clock may have been set back since.
  const rate = holder && seconds > 0 ? (done - run.begun.done) / seconds : null
  return {
    state: holder ? 'running' : run.finished ? 'finished' : 'stopped',
    input: run.input,
    output: run.output,
    started: run.started,
    finished: run.finished?.at ?? null,
    rows: run.rows,
    done,
    statuses,
    flags: run.finished?.summary.flags ?? flags,
    failed: Object.entries(statuses).reduce((sum, [status, count]) => (isFailed(status) ? sum + count : sum), 0),
    damaged: damaged + counter.unknown,
    rate,
    secondsLeft: rate ? Math.max(0, run.rows - done) / rate : null,
    holder,
    lastCaptions: counter.lastOf('captioned'),
    lastFailures: counter.lastOf('failed')
  }
}

function isFailed(status: string): boolean {
  return !isCaptioned({ status: status as RowStatus })
}

/** Counts rows by the last record of each. */
class RecordCounter {
  /** Records without a caption of ours. */
  unknown = 0
  /** Of each key the number of its record's kind, in place of an offset. */
  readonly #table: KeyTable
  readonly #kinds = new RecordKinds()
  /** Rows of each kind, by its number. */
  readonly #rows: number[] = []
  readonly #last = { captioned: [] as Buffer[], failed: [] as Buffer[] }

  constructor(expected: number) {
    this.#table = new KeyTable(expected)
  }

  readonly add = (record: Buffer): void => {
    const head = readHead(record)
    const kind = head?.label === undefined ? undefined : this.#kinds.numberOf(head.label)
    if (!head || (head.label !== undefined && kind === undefined)) {
      this.unknown++
      return
    }
    const before = this.#table.setOffset(head.key, kind)
    if (before !== undefined) this.#rows[before]!--
    if (kind === undefined) return
    this.#rows[kind] = (this.#rows[kind] ?? 0) + 1
    const last = isFailed(this.#kinds.all[kind]!.status) ? this.#last.failed : this.#last.captioned
    last.push(record)
    if (last.length > 2 * shownRows) last.splice(0, shownRows)
  }

  count(): Pick<RunStatus, 'done' | 'statuses' | 'flags'> {
    const counts = { done: 0, statuses: {}, flags: {} }
    for (const [kind, { status, flags }] of this.#kinds.all.entries()) {
      const rows = this.#rows[kind]!
      counts.done += rows
      addTo(counts.statuses, status, rows)
      for (const flag of flags) addTo(counts.flags, flag, rows)
    }
    return counts
  }

  lastOf(kind: 'captioned' | 'failed'): JournalledRow[] {
    return this.#last[kind].slice(-shownRows).map((record) => JSON.parse(captionOf(record)) as JournalledRow)
  }
}

function addTo(counts: Record<string, number>, name: string, by: number): void {
  if (by > 0) counts[name] = (counts[name] ?? 0) + by
}
