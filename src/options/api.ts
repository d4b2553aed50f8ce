import { z } from 'zod'
import { parser } from './check'
import { name, positive } from './fields'

/** Dollars, or dollars a million tokens. */
const money = z.number().min(0).max(1e6)
/** Captions by a server that speaks OpenAI's chat completions. */
export const apiFields = {
  /** The server's name for the model. */
  apiModel: name.default('gpt-4.1-mini').describe('model name'),
  /** Address of the API, such as `http://localhost:8000/v1`; `OPENAI_BASE_URL`, or OpenAI's own, when left out. */
  baseUrl: name.optional().describe('address such as http://localhost:8000/v1'),
  /** The key; that of `keyFile`, or `OPENAI_API_KEY`, when left out. */
  key: z.string().optional().describe('string'),
  /** A file that holds nothing but the key. */
  keyFile: name.optional().describe('file'),
  /** How closely the model looks at each frame, and so what a frame costs. */
  detail: z.enum(['low', 'high', 'auto']).default('auto').describe('one of low, high, auto'),
  /** Requests at once, at most: fewer while the server limits them. */
  concurrency: positive.max(1024).default(8).describe('integer between 1 and 1024'),
  /** Seconds that one request may take. */
  requestTimeout: z.number().min(1).max(290).default(120).describe('number of seconds between 1 and 290'),
  /** Dollars a million tokens of prompt and of answer, for a model that is not in the list. */
  price: z
    .tuple([money, money])
    .optional()
    .describe('two numbers, dollars a million tokens in and out, such as 0.4,1.6'),
  /** By the Batch API, for half the price: answers come within a day. */
  batch: z.boolean().default(false).describe('boolean'),
  /** Rows of one batch, at most; its file has a limit as well. */
  batchRows: positive.max(50_000).default(10_000).describe('integer between 1 and 50000'),
  /** Seconds between two looks at a batch, at most. */
  batchPoll: z.number().min(0.05).max(3600).default(60).describe('number of seconds between 0.05 and 3600'),
  /** Dollars that a run may spend, earlier calls of the same run among them. */
  maxCost: money.optional().describe('number of dollars')
}
export const api = z.strictObject(apiFields)

export type ApiOptions = z.input<typeof api>
export type ApiSettings = z.output<typeof api>
export const parseApiOptions = parser(api)

/** The options among `options` that an API takes, and the others. */
export function splitApiOptions(options: Record<string, unknown>): [api: ApiOptions, others: Record<string, unknown>] {
  const isOf = ([name]: [string, unknown]) => name in apiFields
  const entries = Object.entries(options)
  return [Object.fromEntries(entries.filter(isOf)), Object.fromEntries(entries.filter((entry) => !isOf(entry)))]
}
