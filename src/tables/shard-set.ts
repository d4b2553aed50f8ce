import { VcapError } from '../errors'
import { requireOneRun, type RunFile } from '../run/run-file'
import { readStatus } from '../run/status'
import type { Shard } from '../shard'
import type { Part } from './parts'

/** The output of one shard, and its run, which is finished. */
export interface ShardPart {
  file: string
  shard: Shard
  run: RunFile & Required<Pick<RunFile, 'table' | 'finished'>>
}

/**
 * All shards of one run, by their numbers. Throws `usage` where one is missing, given twice, of another number of
 * shards or not finished, `run_differs` where one is of another run, or of another table.
 */
export async function requireShards(parts: Part[], mayDiffer: string[]): Promise<ShardPart[]> {
  const shards = byNumber(parts)
  const missing = shards.flatMap((part, index) => (part ? [] : [index]))
  const { count } = parts[0]!.shard!
  if (missing.length > 0) throw new VcapError('usage', describeMissing(missing, count))
  const all: ShardPart[] = []
  for (const part of shards) all.push(await requireFinished(part!))
  const first = all[0]!
  for (const part of all.slice(1)) requireOneRun(nameOf(part), part.run, nameOf(first), first.run, mayDiffer)
  return all
}

export function nameOf({ file, shard }: Pick<Part, 'file' | 'shard'>): string {
  return `Shard ${shard!.index} of ${shard!.count} (${file})`
}

/** Each part in the place of its number. */
function byNumber(parts: Part[]): (Part | undefined)[] {
  const first = parts[0]!
  const shards = Array<Part | undefined>(first.shard!.count).fill(undefined)
  for (const part of parts) {
    const { index, count } = part.shard!
    if (count !== shards.length) throw new VcapError('usage', `${nameOf(part)} and ${nameOf(first)} are of two splits`)
    const other = shards[index]
    if (other) throw new VcapError('usage', `Shard ${index} of ${count} is given twice: ${other.file} and ${part.file}`)
    shards[index] = part
  }
  return shards
}

function describeMissing(missing: number[], count: number): string {
  const shown = missing.slice(0, 10).join(', ') + (missing.length > 10 ? ', …' : '')
  const which = missing.length === 1 ? `Shard ${shown} of ${count} is` : `Shards ${shown} of ${count} are`
  return `${which} missing: name every shard's output; one that was not run takes --shard ${missing[0]}/${count}`
}

async function requireFinished(part: Part): Promise<ShardPart> {
  const { file, shard, run } = part
  const { finished, table } = run!
  if (finished && table) return { file, shard: shard!, run: { ...run!, finished, table } }
  const { state, done, rows } = await readStatus(file)
  const how = state === 'running' ? 'still runs' : 'is not finished'
  throw new VcapError('usage', `${nameOf(part)} ${how}: ${done} of ${rows} rows are done. Its command goes on`)
}
