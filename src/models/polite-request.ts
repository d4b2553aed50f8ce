import { abortedError, VcapError } from '../errors'
import { fetchByProxy, proxyFor } from '../proxy'
import { pauseAfter, retryAfter, rootOf, waitFor } from '../waiting'

/** Tries of one request whose answer is that the server is busy, or that does not come at all. */
const maxTries = 6
/** Tries where there is no such server by its name: a machine without a network is told so soon. */
const maxTriesOfUnknown = 2
/** Milliseconds until the answer's head has to be there. */
const answerTimeoutMs = 30_000
/** Milliseconds that a server may ask to wait. */
const longestAskedMs = 60_000

/** Whether a server that answers so may answer otherwise later. */
function isBusy(status: number): boolean {
  return status === 408 || status === 429 || (status >= 500 && status !== 501)
}

/**
 * An HTTP request that waits and tries again where the server is busy or not to be reached: as long as the server asks,
 * up to a minute, or else in pauses that grow. Resolves with any other answer. Throws `download_failed`, `aborted`.
 */
export async function requestPolitely(url: URL, init: RequestInit, signal: AbortSignal | undefined): Promise<Response> {
  for (let attempt = 1; ; attempt++) {
    const answer = await request(url, init, signal)
    if (!(answer instanceof Error) && !isBusy(answer.status)) return answer
    const askedMs = answer instanceof Error ? undefined : retryAfter(answer.headers)
    if (!(answer instanceof Error)) await answer.body?.cancel()
    if (attempt === maxTries || (isUnknown(answer) && attempt === maxTriesOfUnknown)) throw failure(url, answer)
    await waitFor(pauseAfter(attempt, askedMs && Math.min(askedMs, longestAskedMs)), signal)
  }
}

async function request(url: URL, init: RequestInit, signal: AbortSignal | undefined): Promise<Response | Error> {
  const deadline = new AbortController()
  const timer = setTimeout(() => deadline.abort(new Error(`no answer in ${answerTimeoutMs / 1000} s`)), answerTimeoutMs)
  try {
    const signals = signal ? [signal, deadline.signal] : [deadline.signal]
    return await fetchByProxy(url, { ...init, signal: AbortSignal.any(signals) })
  } catch (error) {
    if (signal?.aborted) throw abortedError(signal)
    if (error instanceof VcapError) throw error
    return error as Error
  } finally {
    clearTimeout(timer)
  }
}

function isUnknown(answer: Response | Error): boolean {
  return answer instanceof Error && ['ENOTFOUND', 'EAI_AGAIN'].includes(rootOf(answer).code ?? '')
}

function failure(url: URL, answer: Response | Error): VcapError {
  if (!(answer instanceof Error)) {
    return new VcapError('download_failed', `${url.origin} answers ${answer.status} again and again: try later`)
  }
  const { message, code } = rootOf(answer)
  const proxy = proxyFor(url)
  const way = proxy ? ` through the proxy ${proxy.host}` : ''
  return new VcapError('download_failed', `${url.origin} cannot be reached${way}: ${message || code}`, {
    cause: answer
  })
}
