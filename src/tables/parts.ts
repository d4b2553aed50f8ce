import fs from 'node:fs'
import path from 'node:path'
import { VcapError } from '../errors'
import { namesShard, shardPattern } from '../rows/shard-name'
import { findRun, type FoundRun } from '../run/find-run'
import { readShard, type Shard } from '../shard'

/** One of the tables that are merged. */
export interface Part extends Partial<FoundRun> {
  file: string
  /** Where it is a shard's output. */
  shard?: Shard | undefined
}

const journalEnding = '.vcap'

/**
 * The parts that are meant: those named, or where one name is that of an output of which there are shards beside it,
 * these. Throws `usage`, `run_differs`, `read_failed`.
 */
export function findParts(named: string[]): { parts: Part[]; isShorthand: boolean } {
  if (named.length === 0) throw new VcapError('usage', 'Expected at least one part to merge')
  const shards = named.length === 1 ? shardsBeside(named[0]!) : []
  const files = shards.length > 0 ? shards : named
  return { parts: files.map(readPart), isShorthand: shards.length > 0 }
}

function readPart(file: string): Part {
  const found = file === '-' ? undefined : findRun(file)
  const shard = found?.run.settings.shard
  // A journal that was given a folder of its own knows where its output is.
  return {
    file: found?.folder === file ? found.run.output : file,
    ...found,
    shard: typeof shard === 'string' ? readShard(shard) : undefined
  }
}

/** The outputs of an output's shards, also of those that are not finished, of which there is a journal. */
function shardsBeside(output: string): string[] {
  const folder = path.dirname(output)
  if (namesShard(folder) || output === '-') return []
  const pattern = shardPattern(output)
  const names = namesIn(folder).map((name) =>
    name.endsWith(journalEnding) ? name.slice(0, -journalEnding.length) : name
  )
  const found = [...new Set(names)].filter((name) => pattern.test(name)).sort()
  const counts = [...new Set(found.map((name) => Number(pattern.exec(name)![2])))]
  if (counts.length > 1) {
    throw new VcapError('usage', `${output} has shards of ${counts.join(' and of ')}: name the parts to merge`)
  }
  return found.map((name) => path.join(folder, name))
}

function namesIn(folder: string): string[] {
  try {
    return fs.readdirSync(folder)
  } catch {
    return [] // opening the part says so
  }
}
