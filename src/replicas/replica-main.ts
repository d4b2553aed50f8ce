/** The main program of a replica: one loaded model with decoders of its own, which captions what it is asked. */
import fs from 'node:fs'
import type { RowCaptioner } from '../caption'
import { serve } from '../child-main'
import { VcapError } from '../errors'
import { loadReplica } from '../load'
import { loadAddon } from '../native/load'
import { beatMs, type ReplicaAnswer, type ReplicaEvent, type ReplicaLoad, type ReplicaRequest } from './protocol'

// The addon would wait for its threads, and they may wait for a device without end. Nothing here is worth that. Its
// decoders are told before.
process.on('exit', () => process.kill(process.pid, 'SIGKILL'))

let captioner: RowCaptioner | undefined

serve<ReplicaRequest, ReplicaAnswer, ReplicaEvent>(async (asked, signal, tell) => {
  if (asked.what === 'load') return load(asked.load, signal, tell)
  if (!captioner) throw new VcapError('closed', 'No model is loaded in this process')
  return captioner.captionRow(asked.row, signal, signal)
})

async function load(
  { options, set, share, replicas }: ReplicaLoad,
  signal: AbortSignal,
  tell: (event: ReplicaEvent) => void
) {
  const beat = async () => tell({ memory: ownMemory(), time: await captioner?.engineTime?.() })
  setInterval(() => void beat(), beatMs).unref()
  const addon = loadAddon()
  addon.endWithParent()
  addon.runOnCpus(share.cpus)
  const { threads, decoders } = share
  const onProgress = (fraction: number) => tell({ fraction })
  const loaded = await loadReplica(
    { ...options, threads, decoders, signal, onProgress },
    { set, replicas, isApart: share.isApart }
  )
  captioner = loaded.rows()
  return { captioner: captioner.info, places: loaded.places + loaded.info.sequences }
}

/** Bytes that no other process shares: mapped weights are shared by all replicas. */
function ownMemory(): number {
  try {
    const kilobytes = /^RssAnon:\s*(\d+) kB$/m.exec(fs.readFileSync('/proc/self/status', 'utf8'))?.[1]
    if (kilobytes !== undefined) return Number(kilobytes) * 1024
  } catch {
    // Not Linux, or /proc is hidden.
  }
  return process.memoryUsage.rss()
}
