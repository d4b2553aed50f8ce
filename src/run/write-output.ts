import { isCaptioned, type RowCaption } from '../caption'
import { edited, withFlags, type TextEdits } from '../checks/flags'
import { abortedError, VcapError } from '../errors'
import type { Layout } from '../rows/layout'
import type { Row, RowSink, RowSource } from '../rows/rows'
import { mapCaptions } from '../row-captions'
import { writeFlagged, type Look } from './duplicate-flags'
import type { RunSummary } from './events'
import type { Journal } from './journal'

type Counts = Pick<
  RunSummary,
  'rows' | 'statuses' | 'flags' | 'edited' | 'retried' | 'replaced' | 'failed' | 'tokens' | 'cost'
>

/** What a run's captions are read from, and how they are shown. */
export interface CaptionParts {
  source: RowSource
  journal: Journal
  edits: TextEdits
  /** Ends the writing. */
  signal: AbortSignal | undefined
}

/** What an output is made of. Where it is aborted, nothing appears. */
export interface OutputParts extends CaptionParts {
  layout: Layout
}

/**
 * Joins table and journal into the output, in the table's order, and makes it appear. Returns what the rows came to.
 * Throws `read_failed`, `write_failed`, `aborted`.
 */
export async function writeOutput(parts: OutputParts, sink: RowSink): Promise<Counts> {
  try {
    return await write(parts, sink)
  } catch (cause) {
    if (!sink.isFile || !(cause instanceof VcapError) || cause.code !== 'write_failed') throw cause
    const message = `${cause.message}. What was captioned is kept: run the same command again`
    throw new VcapError('write_failed', message, { cause })
  }
}

async function write(parts: OutputParts, sink: RowSink): Promise<Counts> {
  const counts = await writeFlagged<Counts>({
    total: parts.source.total,
    canBeginAnew: sink.isFile,
    read: async (look) => {
      for await (const { caption, row } of joined(parts)) marked(edited(caption, parts.edits), row.input.path, look)
    },
    write: (look) => writeRows(parts, sink, look)
  })
  await sink.commit()
  return counts
}

/** A row whose captions `look` was told of, with the flag of those that stand on many files. */
function marked(row: RowCaption, path: string, look: Look): RowCaption {
  return mapCaptions(row, (caption, name) =>
    look(caption, path, name) ? withFlags(caption, [...(caption.flags ?? []), 'duplicate']) : caption
  )
}

/** Writes each row of the table with its caption, of which `look` is told first. */
async function writeRows(parts: OutputParts, sink: RowSink, look: Look): Promise<Counts> {
  const counts: Counts = {
    rows: 0,
    statuses: {},
    flags: {},
    edited: 0,
    retried: 0,
    replaced: 0,
    failed: 0,
    tokens: 0,
    cost: null
  }
  sink.begin(parts.journal.folder)
  for await (const { row, caption } of joined(parts)) {
    const shown = edited(caption, parts.edits)
    if (shown !== caption) counts.edited++
    const written = marked(shown, row.input.path, look)
    await sink.write(parts.layout.cells(row.cells, written))
    count(counts, written)
  }
  return counts
}

/** Each row of the table with its caption, as it was answered. */
export async function* joined({
  source,
  journal,
  signal
}: CaptionParts): AsyncGenerator<{ row: Row; caption: RowCaption }> {
  journal.restartKeys()
  for await (const row of source.rows()) {
    if (signal?.aborted) throw abortedError(signal)
    const caption = await journal.read(journal.nextKey(row.input))
    if (!caption) throw new VcapError('internal', `The journal ${journal.folder} lacks row ${row.index + 1}`)
    yield { row, caption }
  }
}

function count(counts: Counts, { status, flags = [], retry, usage }: RowCaption): void {
  counts.rows++
  counts.tokens += usage?.tokens ?? 0
  if (usage?.cost !== undefined) counts.cost = (counts.cost ?? 0) + usage.cost
  counts.statuses[status] = (counts.statuses[status] ?? 0) + 1
  for (const flag of flags) counts.flags[flag] = (counts.flags[flag] ?? 0) + 1
  if (retry) counts.retried++
  if (retry === 'replaced') counts.replaced++
  if (!isCaptioned({ status })) counts.failed++
}
