import { createHash, randomBytes } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

/*
 * A temporary file beside an output carries in its name who writes it: this machine since it was started (and this
 * container), a process, and when that process began. A later run removes those whose process is gone.
 */

const pattern = /^\.vcap-([0-9a-f]{8})-(\d+)-(\d+)-[0-9a-f]{8}\.tmp$/

/** Opens a new file for reading and writing in `folder`. Throws Node's errors. */
export function openTemporary(folder: string): { path: string; descriptor: number } {
  const owner = `${machine()}-${process.pid}-${beginning(process.pid)}`
  const file = path.join(folder, `.vcap-${owner}-${randomBytes(4).toString('hex')}.tmp`)
  return { path: file, descriptor: fs.openSync(file, 'wx+') }
}

/** Removes what killed processes of this machine left in `folder`; returns the paths of what other machines wrote. */
export function removeAbandoned(folder: string): string[] {
  const foreign: string[] = []
  for (const name of list(folder)) {
    const [, owner, pid, began] = pattern.exec(name) ?? []
    if (owner === undefined) continue
    const file = path.join(folder, name)
    if (owner !== machine()) foreign.push(file)
    else if (!isAlive(Number(pid)) || beginning(Number(pid)) !== began) remove(file)
  }
  return foreign
}

function list(folder: string): string[] {
  try {
    return fs.readdirSync(folder)
  } catch {
    return [] // a folder may be written to and not listed
  }
}

function remove(file: string): void {
  try {
    fs.rmSync(file, { force: true })
  } catch {
    // another user's, in a folder where each may remove only their own
  }
}

/** Process numbers mean something within one boot of one machine, and there within one container. */
function machine(): string {
  const boot = read('/proc/sys/kernel/random/boot_id')
  return createHash('sha256').update(`${os.hostname()} ${boot} ${processSpace()}`).digest('hex').slice(0, 8)
}

function processSpace(): string {
  try {
    return fs.readlinkSync('/proc/self/ns/pid')
  } catch {
    return '' // not Linux
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** When a process began, in the system's ticks; 0 where the system does not say. Process numbers are given again. */
function beginning(pid: number): string {
  // The second field is the program's name in brackets, which may hold anything.
  const fields = read(`/proc/${pid}/stat`).split(') ').at(-1)!.split(' ')
  return fields[19] ?? '0'
}

function read(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
