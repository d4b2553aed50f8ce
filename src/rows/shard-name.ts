import path from 'node:path'
import type { Shard } from '../shard'
import { isStream } from './table-file'

/** What in an output's name stands for the shard. */
const mark = '{shard}'

/** A name's endings: one of its format, and one of its compression. */
const endings = /^(.+?)((?:\.[A-Za-z]\w{0,7})?(?:\.(?:gz|zst|zstd))?)$/s

export function namesShard(output: string): boolean {
  return output.includes(mark)
}

/**
 * An output's name for one shard: `i-of-n` in the place of `{shard}`, with as many digits each, so that names sort as
 * shards do; else before its endings, as in `out.shard-2-of-7.csv.gz`. A name without a place for it and with no file,
 * such as `-`, stays.
 */
export function shardName(output: string, shard: Shard): string {
  if (namesShard(output)) return output.replaceAll(mark, labelOf(shard))
  const hasNoName = output === '' || output.endsWith(path.sep) || /^\/(dev|proc)\//.test(output) || isStream(output)
  return hasNoName ? output : put(output, labelOf(shard))
}

/** What matches the names of an output's shards in its folder; the groups are a shard's number and their count. */
export function shardPattern(output: string): RegExp {
  const name = path.basename(namesShard(output) ? output : put(output, mark))
  const [first, ...others] = name.split(mark).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${first}(\\d+)-of-(\\d+)${others.join('\\1-of-\\2')}$`, 's')
}

function put(output: string, label: string): string {
  const [, stem, ending] = endings.exec(path.basename(output)) ?? ['', output, '']
  const name = `${stem}.shard-${label}${ending}`
  const folder = output.slice(0, output.length - path.basename(output).length)
  return `${folder}${name}`
}

function labelOf({ index, count }: Shard): string {
  const total = String(count)
  return `${String(index).padStart(total.length, '0')}-of-${total}`
}
