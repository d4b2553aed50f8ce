import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { lock as lockFolder } from 'proper-lockfile'
import { VcapError } from '../errors'
import { isPassing, unwritableCode } from '../folders'

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

/**
 * The right to write into a folder, which one process has at a time: a folder `lock` in it, which appears together with
 * the file in it that names its holder, so that whoever finds the lock finds its holder. An empty one is nobody's.
 */
export class Lock {
  readonly #release: () => Promise<void>

  private constructor(release: () => Promise<void>) {
    this.#release = release
  }

  /**
   * Takes the lock of a folder; over from a holder that is dead, which is known at once on this host and after a minute
   * on another. `onLost` is called where another process has taken it. Throws `run_locked`, naming the holder;
   * `output_unwritable`, `write_failed`.
   */
  static async take(folder: string, onLost: (error: Error) => void): Promise<Lock> {
    const lockfilePath = lockOf(folder)
    const options = { lockfilePath, realpath: false, stale, update, fs: lockSystem, onCompromised: onLost }
    for (let attempt = 0; ; attempt++) {
      try {
        const release = await lockFolder(folder, options)
        removeUnused(folder)
        return new Lock(release)
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException
        if (code !== 'ELOCKED') throw unlockable(`${folder} cannot be locked: ${message}`, error)
        const holder = findNamed(lockfilePath)
        if (attempt > 0 || !holder || isAlive(holder)) throw lockedError(lockfilePath, holder)
        takeAway(lockfilePath, holder)
      }
    }
  }

  async release(): Promise<void> {
    await this.#release().catch(() => undefined) // it is gone, which is what was asked for
  }
}

/** Who holds the lock of a folder; undefined where nobody does, or a dead process. Throws `write_failed`. */
export function findHolder(folder: string): Holder | undefined {
  const holder = findNamed(lockOf(folder))
  return holder && isAlive(holder) ? holder : undefined
}

function lockOf(folder: string): string {
  return path.join(folder, 'lock')
}

function holderFileOf(lock: string): string {
  return path.join(lock, 'holder.json')
}

/** The calls by which a lock is made and taken away: it is a folder that is never without its holder's file. */
const lockSystem = {
  ...fs,
  mkdir: called(makeLock),
  rmdir: called(removeLock),
  rmdirSync: removeLock
}

function called(work: (lock: string) => void) {
  return (lock: string, done: (error: Error | null) => void): void => {
    try {
      work(lock)
    } catch (error) {
      done(error as Error)
      return
    }
    done(null)
  }
}

/** Throws `EEXIST` where somebody has it. */
function makeLock(lock: string): void {
  const made = besideLock(lock)
  try {
    fs.mkdirSync(made)
    const descriptor = fs.openSync(holderFileOf(made), 'w')
    try {
      fs.writeFileSync(descriptor, JSON.stringify(ourselves()))
      fs.fsyncSync(descriptor)
    } finally {
      fs.closeSync(descriptor)
    }
    fs.renameSync(made, lock) // over an empty folder, and over no other
  } catch (error) {
    fs.rmSync(made, { recursive: true, force: true })
    const { code } = error as NodeJS.ErrnoException
    // Whoever took the lock meanwhile has removed what others had made for it.
    const isTaken = code === 'ENOTEMPTY' || code === 'EEXIST' || (code === 'ENOENT' && fs.existsSync(lock))
    throw isTaken ? Object.assign(new Error(`${lock} is taken`), { code: 'EEXIST' }) : error
  }
}

function removeLock(lock: string): void {
  fs.rmSync(holderFileOf(lock), { force: true })
  try {
    fs.rmdirSync(lock)
  } catch (error) {
    // The next one was quicker: its lock stands where the empty folder was.
    if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error
  }
}

/** Takes the lock of a dead process away at once, unless another did so first and has it now. */
function takeAway(lock: string, dead: Holder): void {
  const aside = besideLock(lock)
  try {
    fs.renameSync(lock, aside)
    const { pid, since } = readHolder(aside) ?? dead
    if (pid === dead.pid && since === dead.since) fs.rmSync(aside, { recursive: true, force: true })
    else fs.renameSync(aside, lock)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code !== 'ENOENT') throw unlockable(`${lock} cannot be taken over: ${message}`, error)
  }
}

/** Removes what killed processes had made for the lock, or were about to remove. */
function removeUnused(folder: string): void {
  try {
    for (const name of fs.readdirSync(folder))
      if (name.startsWith('lock-')) fs.rmSync(path.join(folder, name), { recursive: true, force: true })
  } catch {
    // A disk that fails keeps them for the next run.
  }
}

function besideLock(lock: string): string {
  return `${lock}-${randomBytes(6).toString('hex')}`
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

/** Who is named as a lock's holder. Throws `write_failed` where the disk fails. */
function findNamed(lock: string): Holder | undefined {
  try {
    return readHolder(lock)
  } catch (error) {
    throw unlockable(`${holderFileOf(lock)} cannot be read: ${(error as Error).message}`, error)
  }
}

/** Undefined where nobody is named. Throws Node's error where the disk fails: that is no lock without a holder. */
function readHolder(lock: string): Holder | undefined {
  try {
    const holder = JSON.parse(fs.readFileSync(holderFileOf(lock), 'utf8')) as Holder
    return typeof holder.pid === 'number' && typeof holder.host === 'string' ? holder : undefined
  } catch (error) {
    if (isPassing(error)) throw error
    return undefined
  }
}

function unlockable(message: string, cause: unknown): VcapError {
  return new VcapError(unwritableCode(cause), message, { cause })
}

function lockedError(lock: string, holder: Holder | undefined): VcapError {
  const who = holder ? `process ${holder.pid} on ${holder.host}, since ${holder.since}` : 'another process'
  return new VcapError(
    'run_locked',
    `Another run writes this output: ${who}. Wait for it or stop it. If it is gone, remove ${lock}`
  )
}
