import { isCaptioned } from '../caption'
import { VcapError } from '../errors'
import type { Layout } from '../rows/layout'
import type { RowSink, RowSource } from '../rows/rows'
import type { RunSummary } from './events'
import type { Journal } from './journal'

/**
 * Joins table and journal into the output, in the table's order, and makes it appear. Returns what the rows came to.
 * Throws `read_failed`, `write_failed`.
 */
export async function writeOutput(
  source: RowSource,
  journal: Journal,
  layout: Layout,
  sink: RowSink
): Promise<Pick<RunSummary, 'rows' | 'statuses' | 'failed' | 'tokens'>> {
  const counts = { rows: 0, statuses: {} as RunSummary['statuses'], failed: 0, tokens: 0 }
  journal.restartKeys()
  sink.begin(journal.folder)
  for await (const row of source.rows()) {
    const caption = await journal.read(journal.nextKey(row.input))
    if (!caption) throw new VcapError('internal', `The journal ${journal.folder} lacks row ${row.index + 1}`)
    await sink.write(layout.cells(row.cells, caption))
    counts.rows++
    counts.tokens += caption.usage?.tokens ?? 0
    counts.statuses[caption.status] = (counts.statuses[caption.status] ?? 0) + 1
    if (!isCaptioned(caption)) counts.failed++
  }
  await sink.commit()
  return counts
}
