import { isCaptioned, type RowCaption } from '../caption'
import { DuplicateCount, manyOf } from '../checks/duplicates'
import { edited, type TextEdits } from '../checks/flags'
import { VcapError } from '../errors'
import type { Layout } from '../rows/layout'
import type { Row, RowSink, RowSource } from '../rows/rows'
import type { RunSummary } from './events'
import type { Journal } from './journal'

type Counts = Pick<RunSummary, 'rows' | 'statuses' | 'flags' | 'edited' | 'retried' | 'replaced' | 'failed' | 'tokens'>

/**
 * Joins table and journal into the output, in the table's order, and makes it appear. Returns what the rows came to.
 * Throws `read_failed`, `write_failed`.
 */
export async function writeOutput(
  source: RowSource,
  journal: Journal,
  layout: Layout,
  sink: RowSink,
  edits: TextEdits
): Promise<Counts> {
  const isDuplicate = await findDuplicates(source, journal, edits)
  const counts: Counts = {
    rows: 0,
    statuses: {},
    flags: {},
    edited: 0,
    retried: 0,
    replaced: 0,
    failed: 0,
    tokens: 0
  }
  sink.begin(journal.folder)
  for await (const { row, caption } of joined(source, journal)) {
    const shown = edited(caption, edits)
    if (shown !== caption) counts.edited++
    if (isDuplicate(shown)) shown.flags = [...(shown.flags ?? []), 'duplicate']
    await sink.write(layout.cells(row.cells, shown))
    count(counts, shown)
  }
  await sink.commit()
  return counts
}

/** Each row of the table with its caption, as it was answered. */
async function* joined(source: RowSource, journal: Journal): AsyncGenerator<{ row: Row; caption: RowCaption }> {
  journal.restartKeys()
  for await (const row of source.rows()) {
    const caption = await journal.read(journal.nextKey(row.input))
    if (!caption) throw new VcapError('internal', `The journal ${journal.folder} lacks row ${row.index + 1}`)
    yield { row, caption }
  }
}

/** Counts the captions of all rows; what is returned says whether a caption is one of many files. */
async function findDuplicates(
  source: RowSource,
  journal: Journal,
  edits: TextEdits
): Promise<(caption: RowCaption) => boolean> {
  const many = manyOf(source.total)
  if (source.total < many) return () => false
  const counts = new DuplicateCount()
  for await (const { row, caption } of joined(source, journal)) {
    if (isCaptioned(caption)) counts.add(edited(caption, edits).text, row.input.path)
  }
  return (caption) => isCaptioned(caption) && counts.count(caption.text) >= many
}

function count(counts: Counts, { status, flags = [], retry, usage }: RowCaption): void {
  counts.rows++
  counts.tokens += usage?.tokens ?? 0
  counts.statuses[status] = (counts.statuses[status] ?? 0) + 1
  for (const flag of flags) counts.flags[flag] = (counts.flags[flag] ?? 0) + 1
  if (retry) counts.retried++
  if (retry === 'replaced') counts.replaced++
  if (!isCaptioned({ status })) counts.failed++
}
