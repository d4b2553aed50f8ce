import { setMaxListeners } from 'node:events'
import type { CaptionerSettings, RowCaption, RowCaptioner, RowInput } from '../caption'
import { asVcapError, isRowError, VcapError } from '../errors'
import { Decoder } from '../frames/decoder'
import { captionSettings, digestSettings } from '../identity'
import type { ApiSettings, CaptionSettings } from '../options'
import { packageVersion } from '../package'
import { buildPrompt, columnsOf, promptWarnings, takesText } from '../prompts/question'
import { Semaphore } from '../semaphore'
import { loadSharp } from '../sharp'
import type { Prepared } from './batch/desk'
import { findPrice } from './cost'
import { findKey } from './key'
import { batchWindow, byBatches, leastBatchFaults, oneByOne, type ApiCaptionerOptions } from './means'
import { toJpegs } from './pictures'
import type { ApiRequest } from './request'
import { defaultBaseUrl, findBaseUrl, isOpenToReaders, openServer } from './server'
import { Spending } from './spending'

/** Bytes of the decoded frames that wait to be JPEG files. */
const maxPictureBytes = 512 * 2 ** 20
/** Temperature of a second answer where the first was greedy. */
const secondTemperature = 0.7

/** What decides the captions. Where the same model is served is no part of it: a server may move. */
export function apiIdentity(caption: CaptionSettings, { apiModel, detail }: ApiSettings): CaptionerSettings {
  const { anyres, framePool, framePoolMode, framePoolPlace, frameNewline, ...settings } = captionSettings(caption)
  const { ignoreEos, repetitionStop, ...decisive } = settings
  return { version: packageVersion, apiModel, detail, ...decisive }
}

/** Finds at once what would be wrong or missing. Throws `usage`. */
export function requireApiParts(api: ApiSettings, retryFlagged: string[] = []): void {
  const { key } = findKey(api)
  const baseUrl = findBaseUrl(api.baseUrl)
  if (!key && baseUrl === defaultBaseUrl) {
    throw new VcapError('usage', 'A key is needed: --key-file FILE, or the variable OPENAI_API_KEY')
  }
  if (api.maxCost !== undefined && !findPrice(api.apiModel, api.price)) {
    throw new VcapError('usage', `The price of ${api.apiModel} is not known: give it with --price IN,OUT`)
  }
  if (api.batch && retryFlagged.length > 0) {
    const how = 'run it once more without --batch when it is done'
    throw new VcapError('usage', `Second answers to flagged captions are not asked for in batches: ${how}`)
  }
  try {
    loadSharp()
  } catch (error) {
    throw new VcapError('usage', (error as Error).message, { cause: error })
  }
}

/** Captions by a server that speaks OpenAI's chat completions, one by one or by batches. Throws `usage`. */
export function openApiCaptioner(options: ApiCaptionerOptions): RowCaptioner {
  const { caption, api, decoders, kept } = options
  const { apiModel, concurrency, batch } = api
  const baseUrl = findBaseUrl(api.baseUrl)
  const { key, warnings } = findKey(api)
  const spending = new Spending(kept.folder)
  const server = { client: openServer({ baseUrl, key, timeoutMs: api.requestTimeout * 1000 }), baseUrl, key }
  const means = batch ? byBatches(options, server, spending) : oneByOne(options, server, spending)
  const decoder = new Decoder(decoders, new Semaphore(maxPictureBytes))
  const places = concurrency + decoder.processes + 2
  const preparing = new Semaphore(places)
  const settings = apiIdentity(caption, api)

  /** A row as a request, and what is known of its file. */
  const prepare = async (row: RowInput, signal: AbortSignal, recall: AbortSignal): Promise<Prepared> => {
    const sampled = await decoder.sample(row.path, { ...caption, signal }, { recall })
    const { frames, release, length, partial, kind } = sampled
    try {
      const pictures = await toJpegs(frames)
      const { text = caption.text, cells } = row
      const prompt = buildPrompt(caption, { images: pictures.length, kind, text, cells })
      const request = { pictures, prompt, ...sampling(caption, row.attempt) }
      return { request, numFrames: length, ...(partial && { partial }) }
    } finally {
      release()
    }
  }

  const captionRow = async (row: RowInput, signal: AbortSignal, recall: AbortSignal = signal): Promise<RowCaption> => {
    setMaxListeners(0, signal, recall)
    let known: Omit<Prepared, 'request'> | undefined
    const prepared = async () => (known = await preparing.run(recall, () => prepare(row, signal, recall)))
    try {
      return await means.captionRow(row, prepared, { signal, recall })
    } catch (thrown) {
      const error = asVcapError(thrown)
      if (!isRowError(error)) throw error
      return { status: error.code, text: '', numFrames: known?.numFrames ?? null, error: error.message, usage: null }
    }
  }

  const host = new URL(baseUrl).host
  const told = [...warnings, ...promptWarnings(caption)]
  if (key && isOpenToReaders(baseUrl)) told.push(`The key goes to ${host} without encryption: use https:// there`)
  return {
    info: {
      name: `${apiModel} at ${host}`,
      summary: summary(apiModel, host, api),
      digest: digestSettings(settings),
      settings,
      usesText: takesText(caption),
      usesColumns: columnsOf(caption),
      warnings: told,
      window: batch ? Math.max(api.batchRows, batchWindow) : places * 2,
      concurrency: batch ? Math.max(concurrency, leastBatchFaults) : concurrency
    },
    captionRow,
    ...means.hooks,
    close: async () => {
      means.close()
      decoder.close()
      spending.close()
    }
  }
}

function sampling({ seed, temperature }: CaptionSettings, attempt = 0): Pick<ApiRequest, 'seed' | 'temperature'> {
  if (attempt > 0) return { seed: (seed + attempt) % 2 ** 31, temperature: temperature || secondTemperature }
  // A server that knows no seed is spared one that nobody asked for.
  return { seed: seed || undefined, temperature }
}

function summary(model: string, host: string, { detail, concurrency, price, maxCost, batch }: ApiSettings): string {
  const known = findPrice(model, price)
  const share = batch ? 'half of ' : ''
  const cost = known ? `${share}$${known.input} and $${known.output} a million tokens in and out` : 'price unknown'
  const most = maxCost === undefined ? '' : `, at most $${maxCost} in all`
  const how = batch ? 'by batches, within a day' : `up to ${concurrency} requests at once`
  return `${model} at ${host}: detail ${detail}, ${how}; ${cost}${most}`
}
