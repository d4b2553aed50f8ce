import type { Core, Cpus } from '../cpus'

/** What one of several replicas has of this machine's processors. */
export interface CpuShare {
  /** Numbers of the processors to run on; empty: on any. */
  cpus: number[]
  /** Threads of the engine. */
  threads: number
  /** Videos decoded at once. */
  decoders: number
  /** Whether other replicas run near another memory node, so that a copy of the weights in its own memory pays. */
  isApart: boolean
}

/** What the user says of all replicas together, or of each; 0: as the processors allow. */
export interface CpuWishes {
  /** Threads of each engine. */
  threads: number
  /** Videos decoded at once, by all replicas together. */
  decoders: number
}

/**
 * Shares the processors out among so many replicas. Each gets cores of its own, of as few memory nodes as can be, as
 * long as there is a core for each; beyond that all of them run where there is room.
 */
export function shareCpus(replicas: number, { cores, usable, threads }: Cpus, wishes: CpuWishes): CpuShare[] {
  const parts = replicas <= cores.length ? splitCores(cores, replicas) : []
  const decoders = wishes.decoders || Math.max(2, usable)
  const nodes = new Set(parts.map((part) => part[0]!.node))
  return Array.from({ length: replicas }, (_, i) => {
    const part = parts[i] ?? []
    // A quota leaves less time than there are cores.
    const own = Math.floor((threads * (part.length || cores.length / replicas)) / cores.length)
    return {
      cpus: replicas > 1 ? part.flatMap(({ cpus }) => cpus) : [],
      threads: wishes.threads || Math.max(1, own),
      decoders: Math.max(1, Math.floor((decoders + i) / replicas)),
      isApart: nodes.size > 1
    }
  })
}

/** Whole nodes for each where there are no more replicas than nodes, else parts of a node, each within one. */
function splitCores(cores: Core[], replicas: number): Core[][] {
  const nodes = [...new Set(cores.map(({ node }) => node))]
  const byNode = nodes.map((node) => cores.filter((core) => core.node === node))
  if (replicas <= byNode.length) return splitEvenly(byNode, replicas).map((nodes) => nodes.flat())
  return replicasOfNodes(byNode, replicas).flatMap((count, node) => splitEvenly(byNode[node]!, count))
}

/** How many replicas run on each node: one at least, the others where a replica has the most cores. */
function replicasOfNodes(byNode: Core[][], replicas: number): number[] {
  const counts = byNode.map(() => 1)
  for (let left = replicas - byNode.length; left > 0; left--) {
    const room = byNode.map((cores, node) => cores.length / (counts[node]! + 1))
    counts[room.indexOf(Math.max(...room))]!++
  }
  return counts
}

/** Runs of neighbours whose lengths differ by one at most. */
function splitEvenly<T>(items: T[], parts: number): T[][] {
  const at = (part: number) => Math.floor((part * items.length) / parts)
  return Array.from({ length: parts }, (_, part) => items.slice(at(part), at(part + 1)))
}
