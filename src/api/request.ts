import type { ChatCompletionCreateParamsNonStreaming } from 'openai/resources/chat/completions'
import type { JsonSchema } from '../form/json-schema'
import type { SentPicture } from './pictures'

/** One request: what is asked about which pictures. */
export interface ApiRequest {
  pictures: SentPicture[]
  prompt: string
  /** Undefined where none was asked for. */
  seed: number | undefined
  temperature: number
}

/** What all requests of a run have in common. */
export interface RequestSettings {
  model: string
  detail: 'low' | 'high' | 'auto'
  maxTokens: number
  topP: number
  /** That the answers are of, where they are to be JSON. */
  jsonSchema?: JsonSchema | undefined
}

export type RequestBody = ChatCompletionCreateParamsNonStreaming

/** Parameters that a server may not know, or not for this model. */
const optional = ['temperature', 'top_p', 'seed'] as const
const limits = ['max_completion_tokens', 'max_tokens'] as const
type Limit = (typeof limits)[number]

/** How requests are written for one server: what it does not know is left out, or named as it knows it. */
export class Dialect {
  readonly #settings: RequestSettings
  readonly #onWarning: (message: string) => void
  #limit: Limit
  #limitChanged = false
  readonly #dropped = new Set<string>()

  /** `isOpenai`: OpenAI's own server, whose newer models know only `max_completion_tokens`; all others know the old. */
  constructor(settings: RequestSettings, isOpenai: boolean, onWarning: (message: string) => void) {
    this.#settings = settings
    this.#limit = isOpenai ? 'max_completion_tokens' : 'max_tokens'
    this.#onWarning = onWarning
  }

  body({ pictures, prompt, seed, temperature }: ApiRequest): RequestBody {
    const { model, detail, maxTokens, topP, jsonSchema: schema } = this.#settings
    const parts = pictures.map(({ url }) => ({ type: 'image_url' as const, image_url: { url, detail } }))
    const asked = { temperature, ...(topP < 1 && { top_p: topP }), ...(seed !== undefined && { seed }) }
    const known = Object.fromEntries(Object.entries(asked).filter(([name]) => !this.#dropped.has(name)))
    return {
      model,
      messages: [{ role: 'user', content: [...parts, { type: 'text', text: prompt }] }],
      [this.#limit]: maxTokens,
      ...(schema && {
        response_format: { type: 'json_schema', json_schema: { name: 'answer', strict: true, schema } }
      }),
      ...known
    }
  }

  /** Whether a request that was refused so is to be written anew: another parameter's name, or one left out. */
  adapt(body: RequestBody, { status, param, message }: { status: number; param: string; message: string }): boolean {
    if (status !== 400 && status !== 422) return false
    const about = `${param} ${message}`
    const isUnknown =
      /unsupported|not supported|unrecogni[sz]ed|unknown|not permitted|unexpected|does not support|extra/i
    if (!isUnknown.test(`${message}`)) return false
    const sent = limits.find((name) => name in body)
    if (sent && namesFirst(about, sent)) return this.#changeLimit(sent)
    const dropped = optional.find((name) => name in body && new RegExp(`\\b${name}\\b`).test(about))
    if (!dropped) return false
    if (!this.#dropped.has(dropped)) {
      this.#dropped.add(dropped)
      this.#onWarning(`The server does not take ${dropped} for this model (${message}): it is left out`)
    }
    return true
  }

  #changeLimit(sent: Limit): boolean {
    // One that was under way when the other learned it.
    if (sent !== this.#limit) return true
    if (this.#limitChanged) return false
    this.#limitChanged = true
    this.#limit = limits.find((name) => name !== sent)!
    return true
  }
}

/** Whether a message is about this one of the two limits: it may name the other as what to use instead. */
function namesFirst(about: string, sent: Limit): boolean {
  const first = /max_(completion_)?tokens/.exec(about)
  return first?.[0] === sent
}
