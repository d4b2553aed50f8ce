import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

/*
 * Which signals this process was started to ignore, as nohup asks it for hangups. Node gives every signal its default
 * action before the first line of JavaScript runs, so that the process itself does not know any more.
 */

/** What the start script bin/vcap-native found: its process, which then became Node, and its ignored signals. */
const fromStartScript = /^(\d+):([0-9a-f]+)$/.exec(process.env.VCAP_SIGNALS_IGNORED ?? '')

/** Signals that this process was started to ignore, as far as that can be known; they are ignored from now on. */
export function ignoreAgain(signals: NodeJS.Signals[]): Set<string> {
  const ignored = signals.filter(wasIgnored)
  for (const signal of ignored) process.on(signal, () => undefined)
  return new Set(ignored)
}

function wasIgnored(signal: NodeJS.Signals): boolean {
  // A process that we started has our environment, and another number.
  if (Number(fromStartScript?.[1]) === process.pid && isInMask(signal, fromStartScript![2]!)) return true
  // Without the start script, or with a Node between nohup and it, as npx is one, signs have to do.
  return signal === 'SIGHUP' && (startedByNohup() || isInMask(signal, ignoredByParent()))
}

/** What nohup leaves behind: its name as the shell's last command, an stdin that cannot be read, its output file. */
function startedByNohup(): boolean {
  if (path.basename(process.env._ ?? '') === 'nohup') return true
  if ([1, 2].some((descriptor) => path.basename(target(descriptor)) === 'nohup.out')) return true
  return target(0) === '/dev/null' && /^flags:\s*\d*1$/m.test(read('/proc/self/fdinfo/0'))
}

/** A shell that ignores a signal starts its commands with that signal ignored. */
function ignoredByParent(): string {
  return /^SigIgn:\s*([0-9a-f]+)$/m.exec(read(`/proc/${process.ppid}/status`))?.[1] ?? '0'
}

function isInMask(signal: NodeJS.Signals, mask: string): boolean {
  return ((BigInt(`0x${mask}`) >> BigInt(os.constants.signals[signal] - 1)) & 1n) === 1n
}

/** Path of the file that a descriptor leads to; empty where the system does not say. */
function target(descriptor: number): string {
  try {
    return fs.readlinkSync(`/proc/self/fd/${descriptor}`)
  } catch {
    return '' // not Linux, or /proc is hidden
  }
}

function read(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8')
  } catch {
    return '' // as above
  }
}
