import path from 'node:path'
import { VcapError } from '../errors'
import { parseMergeOptions, type MergeOptions } from '../options'
import { namesShard } from '../rows/shard-name'
import { openSink, type Table } from '../rows/table'
import { commonColumns } from './columns'
import { mergeShards } from './merge-shards'
import { fillTable } from '../rows/fill-table'
import { requireNoInput } from '../rows/output-place'
import { withTables } from './open-tables'
import { findParts, type Part } from './parts'
import { RowCounter } from './row-counter'
import { requireShards } from './shard-set'

type MergeSettings = ReturnType<typeof parseMergeOptions>

/** What a merge came to. */
export interface MergeSummary {
  /** Whether the parts are the shards of one run, or tables that follow one another. */
  kind: 'shards' | 'tables'
  /** The output's absolute path. */
  output: string
  rows: number
  /** The parts in their order, and the rows of each. */
  parts: { file: string; rows: number }[]
  /** Of shards: rows by status and by flag, `duplicate` counted anew for the whole. */
  statuses?: Record<string, number>
  flags?: Record<string, number>
  /** What their owner should know, a sentence each. */
  warnings: string[]
}

/**
 * Merges tables. Shards of one run (`run` with `shard`) become the whole run's output, row by row in the table's order:
 * all of them have to be there, finished, and of one run and table. Other tables follow one another; the columns of
 * each have to be those of the first, in any order. One part that names an output stands for the shards beside it.
 * `output` is that name where it is left out. Throws `usage`, `run_differs`, `csv_invalid`, `read_failed`,
 * `output_unwritable`, `write_failed`, `aborted`.
 */
export async function mergeTables(
  parts: string[],
  output?: string | undefined,
  options: MergeOptions = {}
): Promise<MergeSummary> {
  const settings = parseMergeOptions(options)
  const found = findParts(parts)
  const target = output ?? (found.isShorthand && !namesShard(parts[0]!) ? parts[0]! : undefined)
  if (target === undefined) throw new VcapError('usage', 'Expected an output: what the parts are merged into')
  const [first] = found.parts
  const odd = found.parts.find(({ shard }) => (shard === undefined) !== (first!.shard === undefined))
  if (odd) {
    const [shard, other] = first!.shard ? [first!, odd] : [odd, first!]
    throw new VcapError('usage', `${shard.file} is a shard of a run and ${other.file} is none: merge them separately`)
  }
  if (!first!.shard) return mergeInOrder(found.parts, target, settings)
  const shards = await requireShards(found.parts, settings.mayDiffer)
  const rows = shards.map(({ file, run }) => ({ file, rows: run.finished.summary.rows }))
  return { kind: 'shards', ...(await mergeShards(shards, target, settings)), parts: rows }
}

/** One table after another. */
async function mergeInOrder(parts: Part[], output: string, settings: MergeSettings): Promise<MergeSummary> {
  const files = parts.map(({ file }) => file)
  requireNoInput(output, files)
  for (const part of parts) requireDone(part)
  return withTables(files, settings, async (tables) => {
    for (const [i, table] of tables.entries()) requireRows(parts[i]!, table)
    const { columns, types, inCommon, isReordered } = commonColumns(tables)
    const total = tables.reduce((sum, table) => sum + table.total, 0)
    const counter = new RowCounter(total, settings)
    const sink = openSink(output, columns, { types, format: settings.format, otherwise: tables[0]!.format })
    await fillTable(sink, async (begin) => {
      begin()
      for (const [i, table] of tables.entries()) {
        for await (const cells of table.records()) {
          counter.add()
          await sink.write(inCommon[i]!(cells))
        }
      }
    })
    return {
      kind: 'tables',
      output: sink.path,
      rows: counter.rows,
      parts: tables.map((table, i) => ({ file: files[i]!, rows: table.total })),
      warnings: [
        ...tables.flatMap(({ warnings }) => warnings),
        ...files.flatMap((file, i) =>
          isReordered[i] ? [`${file}: its columns stand in the order of ${files[0]} now`] : []
        ),
        ...parts.flatMap(shardWarning)
      ]
    }
  })
}

/** A shard without its journal is known by its name alone, and a name is no proof. */
function shardWarning({ file, run }: Part): string[] {
  if (run || !/\bshard-\d+-of-\d+\b/.test(path.basename(file))) return []
  return [
    `${file} is named like a shard and has no journal beside it, ${file}.vcap: it is merged unchecked, as a table`
  ]
}

function requireDone({ file, run }: Part): void {
  if (!run || run.finished) return
  throw new VcapError('usage', `${file} is the output of a run that is not finished: its command goes on`)
}

/** Throws `run_differs` where a run's output has not the rows that it wrote. */
function requireRows({ file, run }: Part, { total }: Table): void {
  const expected = run?.finished?.summary.rows
  if (expected === undefined || expected === total) return
  const remedy = `Its command again makes it anew; without ${file}.vcap it is a table as any other`
  throw new VcapError('run_differs', `${file} has ${total} rows and its run wrote ${expected}. ${remedy}`)
}
