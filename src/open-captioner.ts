import { apiIdentity, openApiCaptioner, requireApiParts } from './api/captioner'
import type { BatchState, CaptionerSettings, RowCaptioner } from './caption'
import { findDeviceSets } from './devices/find-sets'
import { VcapError } from './errors'
import { findVideoTools } from './frames/tools'
import { captionSettings, modelSettings } from './identity'
import { loadOnDevices } from './load'
import { ensureModel, requireModel } from './models/ensure'
import { findModel } from './models/find'
import type { DownloadProgressEvent } from './download-event'
import { requireGrammar } from './native/grammar'
import {
  parseApiOptions,
  parseCaptionOptions,
  parseReplicaOptions,
  pickCaptionOptions,
  type CaptionSettings,
  type LoadSettings,
  type ReplicaOptions
} from './options'
import { columnsOf, takesText } from './prompts/question'
import { openReplicas } from './replicas/open'
import type { KeptFolder } from './api/means'
import type { ReplicaEvents } from './replicas/pool'

/** What a journal has to know of a captioner. */
export interface CaptionerIdentity {
  settings: CaptionerSettings
  usesText: boolean
  usesColumns?: string[] | undefined
}

/*
 * Who captions the rows of a run. This is the one file that knows all who can.
 */

/** What a captioner tells while it is opened and works. */
export interface CaptionerEvents extends ReplicaEvents {
  /** How the batches at a server stand: each time that one was looked at. */
  onBatches?: ((batches: BatchState[]) => void) | undefined
}

/** Where an API captions instead of a model that is loaded: `ApiOptions`, not checked yet. */
interface MaybeApi {
  api?: unknown
}

/** Finds at once what would be missing, before anything slow begins. Throws what `openCaptioner` would. */
export function requireCaptionerParts(settings: LoadSettings & MaybeApi & { retryFlagged: string[] }): void {
  const { ffmpeg, model, mmproj, offline, api, retryFlagged, prompts } = settings
  findVideoTools(ffmpeg)
  if (api !== undefined) {
    if (prompts) {
      throw new VcapError('usage', 'A server is sent one question a row: ask several in a run for each, and join them')
    }
    requireApiParts(parseApiOptions(api), retryFlagged)
    return
  }
  requireModel(model, mmproj, offline)
  requireGrammar(settings)
}

/** Downloads the model where it is not here, and it is known from where. Throws as `loadCaptioner` does. */
export async function bringModel(
  { model, mmproj, offline, signal, api }: LoadSettings & MaybeApi,
  onEvent: (event: DownloadProgressEvent) => void
): Promise<void> {
  if (api === undefined) await ensureModel(model, mmproj, { offline, signal, onEvent })
}

/** The cells of a row that its prompt takes. */
export function neededCells(settings: CaptionSettings): Omit<CaptionerIdentity, 'settings'> {
  return { usesText: takesText(settings), usesColumns: columnsOf(settings) }
}

/** What decides the captions of a captioner with these settings, before it is opened. Its model is here. */
export function identifyCaptioner(settings: LoadSettings & CaptionSettings & MaybeApi): CaptionerIdentity {
  const needs = neededCells(settings)
  if (settings.api !== undefined) return { settings: apiIdentity(settings, parseApiOptions(settings.api)), ...needs }
  const model = modelSettings(findModel(settings.model, settings.mmproj), settings)
  return { settings: { ...model, ...captionSettings(settings) }, ...needs }
}

/**
 * Loads what these options ask for; those of captioning hold for every row. One model on the CPU is loaded in this
 * process; several, and those with GPUs or RPC servers, in processes of their own, since ggml ends a process whose
 * device is lost. `kept` is where a captioner keeps what it has to know of earlier calls of this run. Closing it
 * frees everything. Throws as `loadCaptioner` does.
 */
export async function openCaptioner(
  { api, ...options }: ReplicaOptions & MaybeApi,
  kept: KeptFolder,
  on: CaptionerEvents = {}
): Promise<RowCaptioner> {
  if (api !== undefined) return openApi(options, api, kept, on)
  const sets = await findDeviceSets(parseReplicaOptions(options))
  const [set] = sets
  if (!set || sets.length > 1 || set.devices.length + set.rpc.length > 0) return openReplicas(sets, options, on)
  const { dpSize, ...one } = options
  const captioner = await loadOnDevices(one, set)
  return { ...captioner.rows(), close: () => captioner.close() }
}

function openApi(options: ReplicaOptions, api: unknown, kept: KeptFolder, on: CaptionerEvents): RowCaptioner {
  const { decoders } = parseReplicaOptions(options)
  const caption = parseCaptionOptions(pickCaptionOptions(options))
  const { onWarning = () => undefined, onBatches = () => undefined } = on
  return openApiCaptioner({ caption, api: parseApiOptions(api), decoders, kept, onWarning, onBatches })
}
