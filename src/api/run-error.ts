import { VcapError } from '../errors'
import type { Fault } from './fault'

/** The server and what was asked of it, for messages. */
export interface Asked {
  model: string
  baseUrl: string
  hasKey: boolean
  /** Whether it has answered before: a key that is refused then has expired. */
  hasAnswered: boolean
}

/** What ends a run, in a line with its remedy. */
export function runError({ why, message }: Fault & { kind: 'run' }, asked: Asked): VcapError {
  const { model, baseUrl, hasKey, hasAnswered } = asked
  if (why === 'quota') {
    return new VcapError('quota_exhausted', `The account's quota is used up: ${message}. The same command goes on`)
  }
  if (why === 'model') {
    return new VcapError('model_not_found', `${baseUrl} has no model ${model}: ${message}. Name another: --api-model`)
  }
  if (why === 'place') {
    return new VcapError('usage', `${baseUrl} does not do what it is asked: ${message}. Is --base-url right?`)
  }
  if (hasAnswered) {
    const text = `The key is not accepted any more: ${message}. The same command with a valid key goes on`
    return new VcapError('key_expired', text)
  }
  const remedy = 'give a valid one with --key-file or OPENAI_API_KEY'
  return new VcapError('key_refused', `The key ${hasKey ? 'is not accepted' : 'is missing'}: ${message}; ${remedy}`)
}
