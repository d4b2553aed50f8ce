import type { RowCaptioner } from '../caption'
import { cpus } from '../cpus'
import { findDeviceSets } from '../devices/find-sets'
import type { DeviceSet } from '../devices/sets'
import { ensureModel } from '../models/ensure'
import { findModel } from '../models/find'
import { requireGrammar } from '../native/grammar'
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
export async function loadReplicas(options: ReplicaOptions = {}, on: ReplicaEvents = {}): Promise<RowCaptioner> {
  const settings = parseReplicaOptions(options)
  const { offline, signal, onDownload: onEvent } = settings
  await ensureModel(settings.model, settings.mmproj, { offline, signal, onEvent })
  return openReplicas(await findDeviceSets(settings), options, on)
}

/** The same on sets of devices that were chosen before, one a replica. @internal */
export async function openReplicas(
  sets: DeviceSet[],
  options: ReplicaOptions,
  on: ReplicaEvents
): Promise<RowCaptioner> {
  const settings = parseReplicaOptions(options)
  requireGrammar(settings)
  const { dpSize, signal, onProgress, onDownload, ...plain } = options
  const shared = { ...plain, ...findModel(settings.model, settings.mmproj) }
  const shares = shareCpus(sets.length, cpus(), settings)
  const loads = sets.map((set, i): ReplicaLoad => {
    if (set.devices.length + set.rpc.length === 0) {
      return { options: shared, set, share: shares[i]!, replicas: sets.length }
    }
    // It has memory of its own, and works best near its devices, wherever they are.
    return { options: shared, set, share: { ...shares[i]!, cpus: [], isApart: false }, replicas: 1 }
  })
  return ReplicaPool.open(loads, { onProgress, ...on }, signal)
}
