import { setMaxListeners } from 'node:events'
import type { BatchState, RowCaption, RowCaptioner, RowInput } from '../caption'
import { digestOf } from '../digest'
import { VcapError } from '../errors'
import type { ApiSettings, CaptionSettings } from '../options'
import { takesText } from '../prompts/question'
import { toCaption } from './answer'
import { Asker, type AskSignals } from './ask'
import { BatchDesk, type Prepared } from './batch/desk'
import { BatchServer } from './batch/remote'
import { PartStore } from './batch/store'
import { Budget, findPrice, halved } from './cost'
import { Gate } from './gate'
import type { ApiKey } from './key'
import type { OpenaiClient } from './openai'
import { Dialect } from './request'
import { runError } from './run-error'
import { defaultBaseUrl } from './server'
import type { Spending } from './spending'

/*
 * The two ways in which a row's request is answered: a request for itself, or a line of a batch.
 */

/** A folder of a run's journal, where what was spent and what is under way is kept. */
export interface KeptFolder {
  /** It need not be there. */
  folder: string
  /** Whether a later call of the run finds it. */
  stays: boolean
}

/** What an API captioner is opened with: how rows are captioned, and by which server. */
export interface ApiCaptionerOptions {
  caption: CaptionSettings
  api: ApiSettings
  /** Videos decoded at once; 0: by the number of cores. */
  decoders: number
  kept: KeptFolder
  onWarning: (message: string) => void
  onBatches: (batches: BatchState[]) => void
}

export interface Server {
  client: OpenaiClient
  baseUrl: string
  key: ApiKey | undefined
}

export interface Means {
  /** `prepare` makes the row's request. Rejects with what concerns the row, and with what ends the run. */
  captionRow(row: RowInput, prepare: () => Promise<Prepared>, signals: AskSignals): Promise<RowCaption>
  hooks: Pick<RowCaptioner, 'handedIn' | 'recorded'>
  close(): void
}

/** Rows that wait for batches at once, at least. */
export const batchWindow = 20_000
/** Rows in a row that may fail in batches before the run ends. */
export const leastBatchFaults = 100

export function oneByOne(options: ApiCaptionerOptions, server: Server, spending: Spending): Means {
  const { concurrency } = options.api
  const { client, baseUrl, key } = server
  const gate = new Gate(concurrency, options.onWarning)
  const budget = openBudget(options, spending)
  const dialect = openDialect(options, baseUrl)
  const model = options.api.apiModel
  const asker = new Asker({ client, model, baseUrl, hasKey: key !== undefined, gate, dialect, budget })
  return {
    captionRow: async (_row, prepare, signals) => {
      const { request, numFrames, partial } = await prepare()
      const { answer, cost } = await asker.ask(request, signals)
      return toCaption(answer, { numFrames, partial }, cost)
    },
    hooks: {},
    close: () => undefined
  }
}

export function byBatches(options: ApiCaptionerOptions, server: Server, spending: Spending): Means {
  const { api, kept, onBatches, onWarning } = options
  if (!kept.stays) {
    const what = 'Batches go on when a run is stopped, and nothing would be known of them'
    throw new VcapError('usage', `${what}: name a file as the output, or a folder for the journal`)
  }
  const { client, baseUrl, key } = server
  const stop = new AbortController()
  setMaxListeners(0, stop.signal) // each call listens
  const asked = { model: api.apiModel, baseUrl, hasKey: key !== undefined }
  const toError = (fault: Parameters<typeof runError>[0]) =>
    runError(fault, { ...asked, hasAnswered: desk?.underWay.length > 0 })
  const desk: BatchDesk = new BatchDesk({
    store: new PartStore(kept.folder),
    server: new BatchServer(client, key, toError, stop.signal),
    budget: openBudget(options, spending),
    dialect: openDialect(options, baseUrl),
    mostRows: api.batchRows,
    window: Math.max(api.batchRows, batchWindow),
    pollMs: api.batchPoll * 1000,
    toError,
    onBatches
  })
  /** How often each row was handed in: rows that are alike are told apart by that. */
  const occurrences = new Map<string, number>()
  const usesText = takesText(options.caption)
  const nameOf = ({ path, text, cells = {} }: RowInput) => {
    const asked = JSON.stringify([path, usesText ? (text ?? null) : null, ...Object.entries(cells).sort()])
    const hash = digestOf('sha256', asked, 'base64url').slice(0, 22)
    const occurrence = occurrences.get(hash) ?? 0
    occurrences.set(hash, occurrence + 1)
    return `${hash}-${occurrence}`
  }
  let isTold = false
  const tellLeft = () => {
    const { underWay } = desk
    if (isTold || underWay.length === 0) return
    isTold = true
    const names = underWay.map(({ batch }) => batch).join(', ')
    onWarning(`Under way at the server, and left so: ${names}. The same command takes their answers`)
  }
  return {
    captionRow: async (row, prepare, { recall }) => {
      recall.addEventListener('abort', tellLeft, { once: true })
      try {
        const { row: known, outcome } = await desk.ask(nameOf(row), prepare, recall)
        if (outcome.kind === 'answer') return toCaption(outcome.answer, known, outcome.cost)
        const { code, message } = outcome.error
        return { status: code, text: '', numFrames: known.numFrames, error: message, usage: null } as RowCaption
      } finally {
        recall.removeEventListener('abort', tellLeft)
      }
    },
    hooks: { handedIn: () => desk.handedIn(), recorded: () => desk.recorded() },
    close: () => {
      stop.abort()
      desk.close()
    }
  }
}

function openBudget({ api, caption }: ApiCaptionerOptions, spending: Spending): Budget {
  const { apiModel, detail, maxCost: most, batch } = api
  const price = findPrice(apiModel, api.price)
  const { maxTokens } = caption
  return new Budget({ price: batch ? halved(price) : price, most, detail, maxTokens, spending, startsAlone: !batch })
}

function openDialect({ api, caption, onWarning }: ApiCaptionerOptions, baseUrl: string): Dialect {
  const { maxTokens, topP, jsonSchema } = caption
  const settings = { model: api.apiModel, detail: api.detail, maxTokens, topP, jsonSchema }
  return new Dialect(settings, baseUrl === defaultBaseUrl, onWarning)
}
