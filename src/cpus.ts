import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

/** The processors that this process may use. */
export interface Cpus {
  /** Logical processors that it may run on. */
  allowed: number
  /** Processors' worth of time that a control group leaves it, such as 1.5; undefined where none limits it. */
  quota: number | undefined
  /** Processors' worth of work to hand out: `allowed`, or less where the quota is. */
  usable: number
  /** Threads that compute best: no more than physical cores, since a core's second hyperthread slows ggml's kernels. */
  threads: number
  /** The physical cores among the processors that it may run on, those of one memory node together. */
  cores: Core[]
}

/** A physical core, as far as this process may use it. */
export interface Core {
  /** Numbers of its logical processors; none where the system does not tell. */
  cpus: number[]
  /** The memory node (NUMA) that is near it. */
  node: number
}

let known: Cpus | undefined

/** Looked at once in a process: threads and decoders are chosen from one answer. */
export function cpus(): Cpus {
  return (known ??= readCpus(os.availableParallelism()))
}

/** `root` is where the system's /proc and /sys are; what cannot be read there limits nothing. */
export function readCpus(allowed: number, root = '/'): Cpus {
  const quota = readQuota(root)
  const usable = Math.max(1, Math.min(allowed, Math.ceil(quota ?? allowed)))
  const cores = readCores(root) ?? Array.from({ length: allowed }, () => ({ cpus: [], node: 0 }))
  return { allowed, quota, usable, threads: Math.min(usable, cores.length), cores }
}

/** The least that a control group on the way to this process's leaves it, of version 2 and of version 1. */
function readQuota(root: string): number | undefined {
  const groups = read(root, '/proc/self/cgroup').split('\n')
  const mounts = read(root, '/proc/self/mountinfo').split('\n').map(parseMount)
  const quotas = groups
    .flatMap((line) => {
      const [, controllers, group] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
      if (group === undefined) return []
      const isSecond = controllers === ''
      const mount = mounts.find(({ type, options }) =>
        isSecond ? type === 'cgroup2' : type === 'cgroup' && options.includes('cpu')
      )
      const limitsCpus = isSecond || controllers!.split(',').includes('cpu')
      return mount && limitsCpus ? foldersOf(mount, group).map((folder) => quotaOf(root, folder, isSecond)) : []
    })
    .filter((quota) => quota !== undefined)
  return quotas.length === 0 ? undefined : Math.min(...quotas)
}

interface Mount {
  type: string
  options: string[]
  /** The control group that is shown as the mount's top. */
  top: string
  point: string
}

/** A line of mountinfo: number, parent, device, top, point, options, optional fields, "-", type, source, options. */
function parseMount(line: string): Mount {
  const [fields = [], kind = []] = line.split(' - ').map((part) => part.split(' '))
  return { type: kind[0] ?? '', options: (kind[2] ?? '').split(','), top: fields[3] ?? '', point: fields[4] ?? '' }
}

/** The folders of a group and of all those above it, as far as the mount shows them. */
function foldersOf({ top, point }: Mount, group: string): string[] {
  const shown = path.posix.relative(top, group)
  // A container may see its own group as the mount's top, under a name that is only valid outside.
  const names = shown === '' || shown.startsWith('..') ? [] : shown.split('/')
  return Array.from({ length: names.length + 1 }, (_, depth) => path.posix.join(point, ...names.slice(0, depth)))
}

function quotaOf(root: string, folder: string, isSecond: boolean): number | undefined {
  const [time, period] = isSecond
    ? read(root, `${folder}/cpu.max`).trim().split(' ').map(Number)
    : ['cpu.cfs_quota_us', 'cpu.cfs_period_us'].map((name) => Number(read(root, `${folder}/${name}`)))
  // "max" and -1 stand for no limit.
  return time !== undefined && period !== undefined && time > 0 && period > 0 ? time / period : undefined
}

/** Of the processors that this process may run on; undefined where the system does not say. */
function readCores(root: string): Core[] | undefined {
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(read(root, '/proc/self/status'))?.[1]
  if (list === undefined) return undefined
  const nodes = readNodes(root)
  const cores = new Map<string, Core>()
  for (const cpu of parseList(list)) {
    // Hyperthreads of one core have the same list. A container may hide it: the processor then counts for itself.
    const name = read(root, `/sys/devices/system/cpu/cpu${cpu}/topology/thread_siblings_list`) || `cpu${cpu}`
    const core = cores.get(name)
    if (core) core.cpus.push(cpu)
    else cores.set(name, { cpus: [cpu], node: nodes.get(cpu) ?? 0 })
  }
  return [...cores.values()].sort((a, b) => a.node - b.node)
}

/** The memory node of each processor. */
function readNodes(root: string): Map<number, number> {
  const nodes = parseList(read(root, '/sys/devices/system/node/online').trim())
  return new Map(
    nodes.flatMap((node) =>
      parseList(read(root, `/sys/devices/system/node/node${node}/cpulist`).trim()).map((cpu) => [cpu, node] as const)
    )
  )
}

/** The numbers of a list such as 0-3,8,10-11. */
function parseList(list: string): number[] {
  if (list === '') return []
  return list.split(',').flatMap((range) => {
    const [first, last] = range.split('-').map(Number)
    return Array.from({ length: (last ?? first!) - first! + 1 }, (_, i) => first! + i)
  })
}

function read(root: string, file: string): string {
  try {
    return fs.readFileSync(path.join(root, file), 'utf8')
  } catch {
    return ''
  }
}
