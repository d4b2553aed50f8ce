import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { lock as lockFile } from 'proper-lockfile'
import { VcapError } from '../errors'

/** Milliseconds without a sign of life after which a holder on another host counts as dead, and between two signs. */
const stale = 60_000
const update = 10_000

/** Who holds a lock. */
export interface Holder {
  pid: number
  host: string
  /** When the process was started, as the system counts it, since numbers of processes are used again. */
  startTime: string | null
  /** ISO 8601. */
  since: string
}

/** The right to write into a folder, which one process has at a time. */
export class Lock {
  readonly #release: () => Promise<void>
  readonly #holderFile: string

  private constructor(release: () => Promise<void>, holderFile: string) {
    this.#release = release
    this.#holderFile = holderFile
  }

  /**
   * Takes the lock of a folder; over from a holder that is dead, which is known at once on this host and after a minute
   * on another. `onLost` is called where another process has taken it. Throws `run_locked`, naming the holder.
   */
  static async take(folder: string, onLost: (error: Error) => void): Promise<Lock> {
    const holderFile = path.join(folder, 'holder.json')
    const lockfilePath = path.join(folder, 'lock')
    const options = { lockfilePath, realpath: false, stale, update, onCompromised: onLost }
    for (let attempt = 0; ; attempt++) {
      try {
        const release = await lockFile(folder, options)
        fs.writeFileSync(holderFile, JSON.stringify(ourselves()))
        return new Lock(release, holderFile)
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException
        if (code !== 'ELOCKED') {
          throw new VcapError('output_unwritable', `${folder} cannot be locked: ${message}`, { cause: error })
        }
        const holder = readHolder(folder)
        if (attempt > 0 || !holder || isAlive(holder)) throw lockedError(folder, holder)
        fs.rmSync(lockfilePath, { recursive: true, force: true })
      }
    }
  }

  async release(): Promise<void> {
    fs.rmSync(this.#holderFile, { force: true })
    await this.#release().catch(() => undefined) // it is gone, which is what was asked for
  }
}

/** Who holds the lock of a folder; undefined where nobody does, or a dead process. */
export function findHolder(folder: string): Holder | undefined {
  const holder = readHolder(folder)
  return holder && fs.existsSync(path.join(folder, 'lock')) && isAlive(holder) ? holder : undefined
}

/** A holder on another host is alive for all that is known here. */
function isAlive({ pid, host, startTime }: Holder): boolean {
  if (host !== os.hostname()) return true
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  return startTime === null || readStartTime(pid) === startTime
}

function ourselves(): Holder {
  const { pid } = process
  return { pid, host: os.hostname(), startTime: readStartTime(pid), since: new Date().toISOString() }
}

/** Field 22 of /proc/PID/stat, in clock ticks since the system's start; null where there is no /proc. */
function readStartTime(pid: number): string | null {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The second field is the command's name in parentheses, which may hold spaces.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null
  } catch {
    return null
  }
}

function readHolder(folder: string): Holder | undefined {
  try {
    const holder = JSON.parse(fs.readFileSync(path.join(folder, 'holder.json'), 'utf8')) as Holder
    return typeof holder.pid === 'number' && typeof holder.host === 'string' ? holder : undefined
  } catch {
    return undefined
  }
}

function lockedError(folder: string, holder: Holder | undefined): VcapError {
  const who = holder ? `process ${holder.pid} on ${holder.host}, since ${holder.since}` : 'another process'
  return new VcapError(
    'run_locked',
    `Another run writes this output: ${who}. Wait for it or stop it. If it is gone, remove ${path.join(folder, 'lock')}`
  )
}
