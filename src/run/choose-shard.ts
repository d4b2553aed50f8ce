import { VcapError } from '../errors'
import { findLaunched, type Environment } from '../launcher'
import type { RunSettings } from '../options'
import { namesShard, shardName } from '../rows/shard-name'
import { readShard, type Shard } from '../shard'

/** Which rows of its table a run takes, and where they go. */
export interface ShardChoice {
  /** Undefined where nobody asked for one. That of 1 is the whole table. */
  shard: Shard | undefined
  /** The variables that told it; null where the caller did. */
  from: string | null
  output: string
  /** What its owner should know, a sentence each. */
  notes: string[]
}

/**
 * The shard that was asked for, or with `auto` that of the launcher. An output whose name has `{shard}` gets the
 * shard's there; one of a launcher without it gets it before its endings, since the same command runs many times.
 * Throws `usage`.
 */
export function chooseShard(
  { shard: asked, shards }: Pick<RunSettings, 'shard' | 'shards'>,
  output: string,
  env: Environment = process.env
): ShardChoice {
  const launched = asked === 'auto' ? findLaunched(env, shards) : undefined
  const shard = launched?.shard ?? (asked === undefined ? undefined : readShard(asked))
  if (!shard) {
    if (!namesShard(output)) return { shard, from: null, output, notes: [] }
    throw new VcapError('usage', `Output ${output} names a shard and this run has none: --shard i/n, or another name`)
  }
  if (shards !== undefined && shards !== shard.count) {
    throw new VcapError('usage', `--shard ${asked} is one of ${shard.count}, and --shards ${shards}: give one of them`)
  }
  const named = launched || namesShard(output) ? shardName(output, shard) : output
  return { shard, from: launched?.from ?? null, output: named, notes: launched?.notes ?? [] }
}
