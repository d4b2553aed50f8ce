import { exitCodes } from '../errors'

const codes = { SIGINT: exitCodes.interrupted, SIGTERM: exitCodes.terminated, SIGHUP: exitCodes.hangup } as const

/** Runs `work` with a signal that the first SIGINT, SIGTERM or SIGHUP aborts; the second ends the process at once. */
export async function untilInterrupted<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  const handlers = Object.entries(codes).map(([name, code]) => {
    const handler = () => {
      if (controller.signal.aborted) process.exit(code)
      controller.abort(new Interrupted(name, code))
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

  constructor(name: string, exitCode: number) {
    super(`Stopped by ${name}`)
    this.exitCode = exitCode
  }
}
