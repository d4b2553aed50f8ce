/** One of `count` parts of a table's rows, by its number from 0. */
export interface Shard {
  index: number
  count: number
}

/** More shards than anybody has machines. */
export const mostShards = 100_000

/** Reads `i/n`; undefined where it is no shard: they are counted from 0, so that i is n - 1 at most. */
export function readShard(text: string): Shard | undefined {
  const match = /^(\d{1,6})\/(\d{1,6})$/.exec(text)
  if (!match) return undefined
  const [index, count] = [Number(match[1]), Number(match[2])]
  return index < count && count <= mostShards ? { index, count } : undefined
}

export function formatShard({ index, count }: Shard): string {
  return `${index}/${count}`
}
