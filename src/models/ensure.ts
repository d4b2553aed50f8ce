import { downloadLine, type DownloadProgressEvent } from '../download-event'
import { VcapError } from '../errors'
import { findModel, type ModelFiles } from './find'
import { Hub } from './hub'
import { models } from './list'
import { pullFiles, type PullFileOptions } from './pull'
import { chooseFiles, partsOf, revision, sourceOf, type HubChoice } from './source'

export interface EnsureOptions {
  /** Nothing is downloaded: what is not there is `model_not_found`. */
  offline?: boolean | undefined
  signal?: AbortSignal | undefined
  onEvent?: ((event: DownloadProgressEvent) => void) | undefined
}

/**
 * The two files of `model`, as `findModel` has them, downloaded where it is known from where. Throws `usage`,
 * `model_not_found`, `download_failed`, `write_failed`, `aborted`.
 */
export async function ensureModel(
  model: string,
  mmproj: string | undefined,
  { offline = isOffline(), onEvent = tellOnStderr, signal }: EnsureOptions
): Promise<ModelFiles> {
  const choice = requireModel(model, mmproj, offline)
  if (choice) {
    const licence = models.find(({ name }) => name === model)?.licence
    await pullSource(choice, mmproj, { licence, signal, onEvent })
  }
  return findModel(model, mmproj)
}

/**
 * Throws what `ensureModel` would without a look at the network; returns what is to be downloaded, undefined where all
 * is here.
 */
export function requireModel(model: string, mmproj: string | undefined, offline = isOffline()): HubChoice | undefined {
  try {
    findModel(model, mmproj)
    return undefined
  } catch (error) {
    const choice = choiceOf(model)
    if (!choice || !(error instanceof VcapError) || error.code !== 'model_not_found') throw error
    if (offline) throw new VcapError('model_not_found', `${error.message} (nothing is downloaded now: offline)`)
    return choice
  }
}

/** Nothing of that size comes without a word, also where nobody asked to hear of it. */
function tellOnStderr(event: DownloadProgressEvent): void {
  if (event.type === 'download') process.stderr.write(`${downloadLine(event)}\n`)
}

/** As the hub's own tools are told that there is no way to it. */
function isOffline(): boolean {
  return /^(1|true|yes|on)$/i.test(process.env.HF_HUB_OFFLINE ?? process.env.TRANSFORMERS_OFFLINE ?? '')
}

function choiceOf(model: string): HubChoice | undefined {
  return models.find(({ name }) => name === model)?.source ?? sourceOf(model)
}

async function pullSource(
  choice: HubChoice,
  mmproj: string | undefined,
  options: Omit<PullFileOptions, 'hub'>
): Promise<void> {
  const hub = new Hub()
  const named = mmproj === undefined ? choice : { ...choice, mmproj }
  const isNamed = named.model !== undefined && named.mmproj !== undefined
  const names = isNamed ? [] : await hub.list(choice.repo, revision, options.signal)
  const source = chooseFiles(named, names)
  const files = [...(mmproj === undefined ? [source.mmproj] : []), ...partsOf(source.model)]
  await pullFiles(
    files.map((file) => ({ repo: source.repo, file, revision, known: choice.contents?.[file] })),
    { hub, ...options }
  )
}
