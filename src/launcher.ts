import { VcapError } from './errors'
import { formatShard, mostShards, type Shard } from './shard'

/** Environment variables by name. */
export type Environment = Record<string, string | undefined>

/** Which of several processes this one is, as the variables of who started it say. */
export interface Launched {
  shard: Shard
  /** The variables that say which one it is. */
  from: string
  /** What its owner should know, a sentence each. */
  notes: string[]
}

const remedy = '--shard i/n says which rows to take, --no-shard takes all of them'

/**
 * Which of several processes this one is, by the variables of Slurm, a Kubernetes Indexed Job or torchrun; undefined
 * where they name none, and where it is the only one of `srun` or torchrun. `shards`: how many there are, where no
 * variable says so. Throws `usage` where a number has no total, is none, or contradicts another.
 */
export function findLaunched(env: Environment, shards: number | undefined): Launched | undefined {
  const [first, ...others] = [slurm(env, shards), indexedJob(env, shards), torchrun(env, shards)].filter(
    (launched) => launched !== undefined
  )
  if (!first) {
    if (shards === undefined || shards === 1) return undefined
    throw new VcapError('usage', `--shards ${shards} says how many there are and nothing says which: ${remedy}`)
  }
  const told = formatShard(first.shard)
  const other = others.find(({ shard }) => formatShard(shard) !== told)
  if (other) {
    const contradicting = `${other.from} shard ${formatShard(other.shard)}`
    throw new VcapError('usage', `${first.from} says that this is shard ${told}, ${contradicting}: ${remedy}`)
  }
  if (shards !== undefined && first.shard.count !== shards) {
    throw new VcapError('usage', `${first.from} says that this is shard ${told}, --shards ${shards}: ${remedy}`)
  }
  return first
}

/** A task of a job array, of `srun`, or of both: each task of the array then has as many shards as `srun` has tasks. */
function slurm(env: Environment, shards: number | undefined): Launched | undefined {
  const tasks = srun(env, shards)
  const hasArray = numberOf(env, 'SLURM_ARRAY_TASK_ID') !== undefined
  if (!hasArray) return tasks && { ...tasks, notes: isBatchScript(env) ? [batchNote(tasks)] : [] }
  // In the batch script itself these variables are there as well, and no other process has the other numbers.
  if (!tasks || isBatchScript(env)) return slurmArray(env, shards)
  const { index, count } = tasks.shard
  if (shards !== undefined && shards % count !== 0) {
    throw new VcapError(
      'usage',
      `srun starts ${count} tasks in each task of the array, --shards is ${shards}: ${remedy}`
    )
  }
  const array = slurmArray(env, shards === undefined ? undefined : shards / count)
  return {
    shard: { index: array.shard.index * count + index, count: array.shard.count * count },
    from: `${array.from} and ${tasks.from}`,
    notes: array.notes
  }
}

/** `shards`: as many as the whole array has tasks; its ids are then the shards' own, also where only some are there. */
function slurmArray(env: Environment, shards: number | undefined): Launched {
  const from = 'SLURM_ARRAY_TASK_ID'
  const id = numberOf(env, from)!
  const [least, most] = [numberOf(env, 'SLURM_ARRAY_TASK_MIN') ?? 0, numberOf(env, 'SLURM_ARRAY_TASK_MAX')]
  if (shards !== undefined) {
    if (Math.max(id, most ?? 0) < shards) return { shard: { index: id, count: shards }, from, notes: [] }
    const seen = `${from} goes up to ${Math.max(id, most ?? 0)}`
    throw new VcapError('usage', `${seen} and shards are counted from 0: submit with --array=0-${shards - 1}`)
  }
  const count = numberOf(env, 'SLURM_ARRAY_TASK_COUNT')
  if (count === undefined) throw noTotal(env, from, 'SLURM_ARRAY_TASK_COUNT')
  const step = numberOf(env, 'SLURM_ARRAY_TASK_STEP') || 1
  const index = (id - least) / step
  const isRange = (most ?? least + step * (count - 1)) - least === step * (count - 1)
  if (!isRange || !Number.isInteger(index) || index < 0 || index >= count) {
    const seen = `${from} is ${id} of ${count} from ${least}${most === undefined ? '' : ` to ${most}`}`
    throw new VcapError(
      'usage',
      `${seen}, which is no range without gaps: submit one such as --array=0-${Math.max(0, count - 1)}, ` +
        'or give --shards n with the number of shards where some of them are tried again'
    )
  }
  return { shard: { index, count }, from, notes: count === 1 ? [oneTaskNote] : [] }
}

const oneTaskNote =
  'The array has one task, which takes all rows. Where it is one of a larger array that is tried again, ' +
  '--shards n says of how many'

function srun(env: Environment, shards: number | undefined): Launched | undefined {
  // Of the step, where a job has several; else of the job.
  const total = ['SLURM_STEP_NUM_TASKS', 'SLURM_NTASKS', 'SLURM_NPROCS'].find((name) => env[name])
  return counted(env, 'SLURM_PROCID', total ?? 'SLURM_NTASKS', shards)
}

/** Slurm numbers a batch script as the first of its tasks, which `srun` has yet to start. */
function isBatchScript(env: Environment): boolean {
  return Boolean(env.SLURM_JOB_ID) && !env.SLURM_STEP_ID && numberOf(env, 'SLURM_PROCID') === 0
}

function batchNote({ shard: { count } }: Launched): string {
  const seen = `Slurm names ${count} tasks and this is none of srun's, as in the batch script itself`
  return `${seen}: --no-shard takes all rows`
}

function indexedJob(env: Environment, shards: number | undefined): Launched | undefined {
  const from = 'JOB_COMPLETION_INDEX'
  const index = numberOf(env, from)
  if (index === undefined) return undefined
  if (shards === undefined) throw noTotal(env, from)
  return { shard: within(from, index, shards), from, notes: [] }
}

function torchrun(env: Environment, shards: number | undefined): Launched | undefined {
  return counted(env, 'RANK', 'WORLD_SIZE', shards)
}

/** By a number and its total; undefined where there is no number, and where it is the only one. */
function counted(env: Environment, from: string, total: string, shards: number | undefined): Launched | undefined {
  const index = numberOf(env, from)
  if (index === undefined) return undefined
  const count = numberOf(env, total) ?? shards
  if (count === undefined) throw noTotal(env, from, total)
  const shard = within(from, index, count)
  return count === 1 ? undefined : { shard, from, notes: [] }
}

function within(from: string, index: number, count: number): Shard {
  if (index < count && count <= mostShards) return { index, count }
  throw new VcapError('usage', `${from} is ${index} of ${count}, counted from 0: ${remedy}`)
}

/** Undefined where a variable is not there, or empty. */
function numberOf(env: Environment, name: string): number | undefined {
  const text = env[name]
  if (text === undefined || text === '') return undefined
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new VcapError('usage', `${name} is ${JSON.stringify(text)}, which is no number from 0 on: ${remedy}`)
}

function noTotal(env: Environment, from: string, total?: string): VcapError {
  const missing = total ? `${total} is not there` : 'no variable says of how many'
  return new VcapError('usage', `${from} is ${env[from]} and ${missing}: --shards n says how many there are; ${remedy}`)
}
