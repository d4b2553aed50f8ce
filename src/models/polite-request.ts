import { abortedError, VcapError } from '../errors'
import { retryAfter, rootOf, waitFor } from '../waiting'

/** Tries of one request whose answer is that the server is busy, or that does not come at all. */
const maxTries = 6
/** Tries where there is no such server by its name: a machine without a network is told so soon. */
const maxTriesOfUnknown = 2
/** Milliseconds until the answer's head has to be there. */
const answerTimeoutMs = 30_000
/** Milliseconds of the first pause, doubled with each, and at most. */
const firstPauseMs = 500
const longestPauseMs = 60_000

/** Whether a server that answers so may answer otherwise later. */
function isBusy(status: number): boolean {
  return status === 408 || status === 429 || (status >= 500 && status !== 501)
}

/**
 * An HTTP request that waits and tries again where the server is busy or not to be reached: as long as the server asks,
 * or else a random part of a pause that doubles. Resolves with any other answer. Throws `download_failed`, `aborted`.
 */
export async function requestPolitely(url: URL, init: RequestInit, signal: AbortSignal | undefined): Promise<Response> {
  for (let attempt = 1; ; attempt++) {
    const answer = await request(url, init, signal)
    if (answer instanceof Response && !isBusy(answer.status)) return answer
    const waitMs = answer instanceof Response ? retryAfter(answer.headers) : undefined
    if (answer instanceof Response) await answer.body?.cancel()
    if (attempt === maxTries || (isUnknown(answer) && attempt === maxTriesOfUnknown)) throw failure(url, answer)
    await waitFor(Math.min(waitMs ?? growingPause(attempt), longestPauseMs), signal)
  }
}

/** A part of a pause that doubles with each attempt, from 1: many who wait do not come back at once. */
export function growingPause(attempt: number): number {
  return Math.min(firstPauseMs * 2 ** (attempt - 1), longestPauseMs) * (0.5 + Math.random() / 2)
}

async function request(url: URL, init: RequestInit, signal: AbortSignal | undefined): Promise<Response | Error> {
  const deadline = new AbortController()
  const timer = setTimeout(() => deadline.abort(new Error(`no answer in ${answerTimeoutMs / 1000} s`)), answerTimeoutMs)
  try {
    const signals = signal ? [signal, deadline.signal] : [deadline.signal]
    return await fetch(url, { ...init, signal: AbortSignal.any(signals) })
  } catch (error) {
    if (signal?.aborted) throw abortedError(signal)
    return error as Error
  } finally {
    clearTimeout(timer)
  }
}

function isUnknown(answer: Response | Error): boolean {
  return answer instanceof Error && ['ENOTFOUND', 'EAI_AGAIN'].includes(rootOf(answer).code ?? '')
}

function failure(url: URL, answer: Response | Error): VcapError {
  if (answer instanceof Response) {
    return new VcapError('download_failed', `${url.origin} answers ${answer.status} again and again: try later`)
  }
  const { message, code } = rootOf(answer)
  const why = message || code
  return new VcapError('download_failed', `${url.origin} cannot be reached: ${why}`, { cause: answer })
}
