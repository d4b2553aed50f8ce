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
import { toCaption } from './answer'
import { Asker } from './ask'
import { Budget, findPrice } from './cost'
import { Gate } from './gate'
import { findKey } from './key'
import { toJpegs } from './pictures'
import { Dialect, type ApiRequest } from './request'
import { defaultBaseUrl, findBaseUrl, isOpenToReaders, openServer } from './server'
import { Spending } from './spending'

/** What an API captioner is opened with: how rows are captioned, and by which server. */
export interface ApiCaptionerOptions {
  caption: CaptionSettings
  api: ApiSettings
  /** Videos decoded at once; 0: by the number of cores. */
  decoders: number
  /** Of the run's journal, where what was spent is kept. */
  folder: string
  onWarning: (message: string) => void
}

/** Bytes of the decoded frames that wait to be JPEG files. */
const maxPictureBytes = 512 * 2 ** 20
/** Temperature of a second answer where the first was greedy. */
const secondTemperature = 0.7

/** What decides the captions. Where the same model is served is no part of it: a server may move. */
export function apiIdentity(caption: CaptionSettings, { apiModel, detail }: ApiSettings): CaptionerSettings {
  const { anyres, ignoreEos, repetitionStop, ...decisive } = captionSettings(caption)
  return { version: packageVersion, apiModel, detail, ...decisive }
}

/** Finds at once what would be wrong or missing. Throws `usage`. */
export function requireApiParts(api: ApiSettings): void {
  const { key } = findKey(api)
  const baseUrl = findBaseUrl(api.baseUrl)
  if (!key && baseUrl === defaultBaseUrl) {
    throw new VcapError('usage', 'A key is needed: --key-file FILE, or the variable OPENAI_API_KEY')
  }
  if (api.maxCost !== undefined && !findPrice(api.apiModel, api.price)) {
    throw new VcapError('usage', `The price of ${api.apiModel} is not known: give it with --price IN,OUT`)
  }
  try {
    loadSharp()
  } catch (error) {
    throw new VcapError('usage', (error as Error).message, { cause: error })
  }
}

/** Captions by a server that speaks OpenAI's chat completions. Throws `usage`. */
export function openApiCaptioner(options: ApiCaptionerOptions): RowCaptioner {
  const { caption, api, decoders, folder, onWarning } = options
  const { apiModel, detail, concurrency } = api
  const baseUrl = findBaseUrl(api.baseUrl)
  const { key, warnings } = findKey(api)
  const client = openServer({ baseUrl, key, timeoutMs: api.requestTimeout * 1000 })
  const { maxTokens, topP } = caption
  const price = findPrice(apiModel, api.price)
  const spending = new Spending(folder)
  const onSpent = (cost: number) => spending.add(cost)
  const budget = new Budget({ price, most: api.maxCost, detail, maxTokens, spent: spending.total, onSpent })
  const isOpenai = baseUrl === defaultBaseUrl
  const dialect = new Dialect({ model: apiModel, detail, maxTokens, topP }, isOpenai, onWarning)
  const gate = new Gate(concurrency, onWarning)
  const asker = new Asker({ client, model: apiModel, baseUrl, hasKey: key !== undefined, gate, dialect, budget })
  const decoder = new Decoder(decoders, new Semaphore(maxPictureBytes))
  const places = concurrency + decoder.processes + 2
  const underWay = new Semaphore(places)
  const settings = apiIdentity(caption, api)

  /** A row as a request, and its length in frames. */
  const prepare = async (row: RowInput, signal: AbortSignal, recall: AbortSignal) => {
    const { frames, release, length, partial, kind } = await decoder.sample(
      row.path,
      { ...caption, signal },
      { recall }
    )
    try {
      const pictures = await toJpegs(frames)
      const { text = caption.text, cells } = row
      const prompt = buildPrompt(caption, { images: pictures.length, kind, text, cells })
      return { request: { pictures, prompt, ...sampling(caption, row.attempt) }, length, partial }
    } finally {
      release()
    }
  }

  const captionRow = async (row: RowInput, signal: AbortSignal, recall: AbortSignal): Promise<RowCaption> => {
    let numFrames: number | null = null
    try {
      const { request, length, partial } = await prepare(row, signal, recall)
      numFrames = length
      const { answer, cost } = await asker.ask(request, { signal, recall })
      return { ...toCaption(answer, length, cost), ...(partial && { partial }) }
    } catch (thrown) {
      const error = asVcapError(thrown)
      if (!isRowError(error)) throw error
      return { status: error.code, text: '', numFrames, error: error.message, usage: null }
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
      window: places * 2,
      concurrency
    },
    captionRow: (row, signal, recall = signal) => {
      setMaxListeners(0, signal, recall)
      return underWay.run(recall, () => captionRow(row, signal, recall))
    },
    close: async () => {
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

function summary(model: string, host: string, { detail, concurrency, price, maxCost }: ApiSettings): string {
  const known = findPrice(model, price)
  const cost = known ? `$${known.input} and $${known.output} a million tokens in and out` : 'price unknown'
  const most = maxCost === undefined ? '' : `, at most $${maxCost} in all`
  return `${model} at ${host}: detail ${detail}, up to ${concurrency} requests at once; ${cost}${most}`
}
