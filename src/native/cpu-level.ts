import { openLibrary } from './open-library'

/**
 * Levels of x86-64, as the psABI names them: what an addon for each asks of the processor. A process that runs code of
 * a higher level than its processor's is ended by a signal, so the level is known before an addon is opened.
 */
export type CpuLevel = 1 | 2 | 3 | 4

/** The name of a level, which is that of the folder of its addon. */
export const levelName = (level: CpuLevel) => `x86-64-v${level}`

/**
 * The level of this process's processor, or why it cannot be told. `file` is native/cpu_level as it was built: it asks
 * the processor itself, and is code for every one.
 */
export function askCpuLevel(file: string): CpuLevel | { reason: string } {
  const opened = openLibrary<{ level: CpuLevel }>(file)
  return 'reason' in opened ? opened : opened.exports.level
}
