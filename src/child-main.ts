import { asVcapError } from './errors'
import type { FromChild, ToChild } from './child'
import { leaveGoneTerminals } from './standard-streams'

/** The parent's number, once requests are served. */
let parent: number | undefined

/** Ends this process where it serves a parent that is gone: for long calls, during which no event is heard. */
export function requireParent(): void {
  if (parent !== undefined && process.ppid !== parent) process.exit()
}

/**
 * The child's side of `Child`: answers its parent's requests, any number at once, until the parent goes away; then the
 * process ends. `signal` is aborted when nobody waits for the answer any more. `tell` sends the parent an event. `work`
 * may throw `VcapError`. Signals that ask a process to end are the parent's: a service manager sends them to all
 * processes, and the parent decides what becomes of the work.
 */
export function serve<Request, Answer, Event = never>(
  work: (request: Request, signal: AbortSignal, tell: (event: Event) => void) => Promise<Answer>
): void {
  const underWay = new Map<number, AbortController>()
  const answer = (message: FromChild<Answer, Event>) => {
    // The parent may have gone meanwhile.
    process.send?.(message, (error: Error | null) => error && process.exit())
  }
  process.on('message', async (message: ToChild<Request>) => {
    if ('cancel' in message) return underWay.get(message.cancel)?.abort()
    const { id, request } = message
    const controller = new AbortController()
    underWay.set(id, controller)
    try {
      answer({ id, answer: await work(request, controller.signal, (event) => answer({ event })) })
    } catch (error) {
      const { code, message } = asVcapError(error)
      answer({ id, error: { code, message } })
    } finally {
      underWay.delete(id)
    }
  })
  parent = process.ppid
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)
  process.on('disconnect', () => process.exit())
  leaveGoneTerminals() // stderr is the parent's
  answer({ ready: true })
}
