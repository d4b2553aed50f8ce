import { setTimeout as pause } from 'node:timers/promises'
import { abortedError } from './errors'

/*
 * Waiting for servers that are busy or not to be reached.
 */

/** Milliseconds of the first pause, at most, and of the longest one. */
const firstPauseMs = 500
const longestPauseMs = 30_000
/** Of the pause beyond what a server asks for. */
const longestExtraMs = 1000

/**
 * Milliseconds to wait after so many tries, from 1: of a time that doubles with each a random part, half of it at
 * least; or somewhat more than a server asks for. It has its time, and those who wait do not come back together.
 */
export function pauseAfter(tries: number, askedMs?: number): number {
  const longest = Math.min(longestPauseMs, firstPauseMs * 2 ** (tries - 1))
  if (askedMs !== undefined) return askedMs + Math.random() * Math.min(longest, longestExtraMs)
  return longest * (0.5 + Math.random() / 2)
}

/** Throws `aborted`. */
export async function waitFor(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await pause(milliseconds, undefined, { signal })
  } catch (error) {
    throw signal?.aborted ? abortedError(signal) : error
  }
}

/** Milliseconds that a server asks to wait, by `retry-after-ms`, or `retry-after` as seconds or as a date. */
export function retryAfter(headers: Headers, now = Date.now()): number | undefined {
  const exact = headers.get('retry-after-ms')
  if (exact !== null && /^\d+(\.\d+)?$/.test(exact.trim())) return Number(exact)
  const text = headers.get('retry-after')?.trim()
  if (!text) return undefined
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000
  const date = Date.parse(text)
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}

/** The innermost cause of an error: `fetch` says no more than that it failed. */
export function rootOf(error: unknown): NodeJS.ErrnoException {
  let inner = error
  while (inner instanceof Error && inner.cause instanceof Error) inner = inner.cause
  // A name with several addresses fails with one error for each.
  if (inner instanceof AggregateError && inner.errors[0] instanceof Error) inner = inner.errors[0]
  return inner instanceof Error ? inner : new Error(String(inner))
}
