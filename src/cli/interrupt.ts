import { asVcapError, exitCodes } from '../errors'
import { ignoreAgain } from './ignored-signals'

const codes = { SIGINT: exitCodes.interrupted, SIGTERM: exitCodes.terminated, SIGHUP: exitCodes.hangup } as const

const ignored = ignoreAgain(Object.keys(codes) as (keyof typeof codes)[])
const heeded = Object.entries(codes).filter(([name]) => !ignored.has(name))

/**
 * Runs `work` with a signal that the first SIGINT, SIGTERM or SIGHUP aborts; the second ends the process at once. Those
 * that were ignored when the process was started stay ignored. `outcome` says what that leaves behind.
 */
export async function untilInterrupted<T>(
  work: (signal: AbortSignal) => Promise<T>,
  outcome = 'no output was written'
): Promise<T> {
  const controller = new AbortController()
  const handlers = heeded.map(([name, code]) => {
    const handler = () => {
      if (controller.signal.aborted) process.exit(code)
      controller.abort(new Interrupted(name, code, outcome))
    }
    process.on(name, handler)
    return { name, handler }
  })
  try {
    return await work(controller.signal)
  } finally {
    for (const { name, handler } of handlers) process.removeListener(name, handler)
  }
}

/** Why a signal was aborted: which one came. */
export class Interrupted extends Error {
  readonly exitCode: number

  constructor(name: string, exitCode: number, outcome: string) {
    super(`Stopped by ${name}; ${outcome}`)
    this.exitCode = exitCode
  }
}

/** Of the command that this error ends. */
export function exitCodeOf(error: unknown): number {
  const { cause } = error as Error
  return cause instanceof Interrupted ? cause.exitCode : asVcapError(error).exitCode
}
