import { exitCodes } from '../errors'
import { run } from '../run/run'
import type { RunOptions } from '../run/run-options'
import { exitCodeOf, untilInterrupted } from './interrupt'
import { jsonProgress, textProgress } from './progress'

/** What a command that captions a table says of its exit codes. */
export const exitCodesHelp = [
  '0 every row captioned; 2 usage or configuration, no output;',
  '3 finished, some rows failed; 75 stopped by a fault that a rerun may pass;',
  '129, 130, 143 stopped by a hangup, Ctrl-C or SIGTERM.'
]

export interface CaptionTableFlags {
  json?: boolean
  failFast?: boolean
}

/**
 * Captions a table as a command: tells how it goes on stderr, heeds signals, sets the exit code. `warnings` are told
 * before all others.
 */
export async function captionTable(
  input: string,
  output: string,
  options: RunOptions,
  { json, failFast }: CaptionTableFlags,
  warnings: string[] = []
): Promise<void> {
  const progress = json ? jsonProgress() : textProgress()
  const onEvent: typeof progress.show = (event) => {
    progress.show(event)
    if (event.type === 'begun') for (const message of warnings) progress.show({ type: 'warning', message })
  }
  try {
    const { failed, sidecars } = await untilInterrupted(
      (signal) => run(input, output, { ...options, ...(failFast && { maxFailures: 0 }), onEvent, signal }),
      'what was captioned is kept, and the same command goes on'
    )
    const isWhole = failed === 0 && !sidecars?.failed
    process.exitCode = isWhole ? exitCodes.ok : exitCodes.rowsFailed
  } catch (error) {
    if (!progress.endTold || process.env.VCAP_DEBUG) throw error
    process.exitCode = exitCodeOf(error)
  } finally {
    progress.stop()
  }
}
