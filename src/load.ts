import type { VideoCaption } from './caption'
import { Captioner } from './captioner'
import { cpus } from './cpus'
import { asVcapError } from './errors'
import { findVideoTools } from './frames/tools'
import { namedDevices } from './devices/find'
import { contextOf } from './devices/context'
import { findDeviceSets } from './devices/find-sets'
import { fittingSequences, maxTrainedContext, memoryBudget, requireMemory } from './devices/memory'
import type { DeviceSet } from './devices/sets'
import { ensureModel } from './models/ensure'
import type { NativeDevice, NativeModelFacts } from './native/addon'
import type { EngineHost } from './native/engine-host'
import { modelSettings } from './identity'
import { requireGrammar } from './native/grammar'
import { loadAddon } from './native/load'
import { openEngineHere, openEngineHost } from './native/open-engine'
import { parseLoadOptions, pickCaptionOptions, type LoadOptions, type LoadSettings } from './options'

/**
 * Loads a model and its projector. Throws `usage`, `addon_missing`, `ffmpeg_missing`,
 * `model_not_found`, `download_failed`, `write_failed`, `model_invalid`, `model_mismatch`,
 * `device_unavailable`, `out_of_memory`, `engine_lost`, `aborted`.
 */
export function loadCaptioner(options?: LoadOptions): Promise<Captioner> {
  return load(options, openEngineHost, { replicas: 1, isApart: false })
}

/** Where a replica is loaded. */
export interface ReplicaPlace {
  /** Its devices; all that are asked for when left out. */
  set?: DeviceSet
  /** Replicas that share this machine's memory. */
  replicas: number
  /** Whether they run near different memory nodes. */
  isApart: boolean
}

/** The same on devices that were chosen before. @internal */
export function loadOnDevices(options: LoadOptions, set: DeviceSet): Promise<Captioner> {
  return load(options, openEngineHost, { set, replicas: 1, isApart: false })
}

/** The same in a replica's process, which its engine may end. @internal */
export function loadReplica(options: LoadOptions, place: ReplicaPlace): Promise<Captioner> {
  return load(options, openEngineHere, place)
}

async function load(
  options: LoadOptions | undefined,
  openHost: typeof openEngineHost,
  place: ReplicaPlace
): Promise<Captioner> {
  const settings = parseLoadOptions(options)
  const { offline, signal, onDownload: onEvent } = settings
  const files = await ensureModel(settings.model, settings.mmproj, { offline, signal, onEvent })
  findVideoTools(settings.ffmpeg)
  const addon = loadAddon()
  requireGrammar(settings)
  let host: EngineHost | undefined
  try {
    const set = place.set ?? (await findDeviceSets({ ...settings, dpSize: 1 }))[0]!
    host = await openHost(set.rpc, settings.signal)
    const { names, devices } = namedDevices(set, host.devices)
    const facts = addon.inspect(files.model, files.mmproj, settings.chatTemplate)
    const contextPerSequence = contextOf(addon, files, facts, settings)
    const { sequences, mmap } = fitMemory(facts, devices, { ...settings, contextPerSequence }, place)
    const model = await host.load(
      {
        ...files,
        devices: names,
        splitMode: set.splitMode,
        tensorSplit: set.tensorSplit ?? [],
        sequences,
        contextPerSequence,
        threads: settings.threads || cpus().threads,
        kvType: settings.kvType,
        chatTemplate: settings.chatTemplate,
        mmap
      },
      settings.onProgress ?? (() => undefined),
      settings.signal
    )
    // The signal given here ends the loading; a caption has its own.
    const { signal, ...defaults } = pickCaptionOptions(options ?? {})
    return new Captioner(model, settings.decoders, modelSettings(files, settings), defaults)
  } catch (error) {
    host?.end()
    throw asVcapError(error, 'model_invalid')
  }
}

/**
 * Captions at once: as many as asked for or, where nobody says how many, as fit. What is left of the memory is shared
 * out among them when the model is loaded, since each has a KV sequence of its own. Replicas near different memory
 * nodes have a copy of the weights each, in memory that is near, where that leaves most of the room. Throws
 * `out_of_memory`.
 */
function fitMemory(
  facts: NativeModelFacts,
  devices: NativeDevice[],
  settings: LoadSettings & { contextPerSequence: number },
  { replicas, isApart }: ReplicaPlace
): { sequences: number; mmap: boolean } {
  const { kvType, contextPerSequence, sequences, mmap } = settings
  const positions = contextPerSequence || Math.min(facts.contextTrained, maxTrainedContext)
  const given = memoryBudget(facts, devices, kvType, { replicas, mmap })
  const copied = isApart ? memoryBudget(facts, devices, kvType, { replicas, mmap: false }) : undefined
  const isCopied = copied !== undefined && copied.left >= given.left / 2
  const budget = isCopied ? copied : given
  const chosen = sequences ?? fittingSequences(budget, positions)
  requireMemory(budget, devices, chosen, positions)
  return { sequences: chosen, mmap: mmap && !isCopied }
}

/** Loads, captions one file, closes. For more than one file `loadCaptioner` loads once. */
export async function captionVideo(path: string, options?: LoadOptions): Promise<VideoCaption> {
  const captioner = await loadCaptioner({ sequences: 1, ...options })
  try {
    return await captioner.caption(path, { signal: options?.signal })
  } finally {
    await captioner.close()
  }
}
