import type { RowCaptioner } from '../caption'
import { cpus } from '../cpus'
import { findModel } from '../models'
import { parseReplicaOptions, type ReplicaOptions } from '../options'
import { shareCpus } from './cpu-share'
import { ReplicaPool, type ReplicaEvents } from './pool'
import type { ReplicaLoad } from './protocol'

/**
 * Loads a model several times (`dpSize`), each time in a process of its own with decoders of its own: a replica. One
 * that dies is started again, and its rows are captioned by the others; a row that ends its replica three times when it
 * has it for itself is an `engine_error`. Options of captioning hold for every row. Throws as `loadCaptioner` does, and
 * `captionRow` rejects with `engine_lost` when no replica can be kept running.
 *
 * @example
 * ```js
 * const captioner = await loadReplicas({ model: 'demo', gpus: 'none', dpSize: 2 })
 * await run('monday.csv', 'monday-captions.csv', { captioner })
 * await run('tuesday.csv', 'tuesday-captions.csv', { captioner })
 * await captioner.close()
 * ```
 */
export async function loadReplicas(options?: ReplicaOptions, on: ReplicaEvents = {}): Promise<RowCaptioner> {
  const settings = parseReplicaOptions(options)
  const { dpSize, signal, onProgress, ...plain } = options ?? {}
  const replicas = settings.dpSize ?? 1
  const shared = { ...plain, ...findModel(settings.model, settings.mmproj) }
  const loads = shareCpus(replicas, cpus(), settings).map(
    (share): ReplicaLoad => ({ options: shared, share, replicas })
  )
  return ReplicaPool.open(loads, { onProgress, ...on }, signal)
}
