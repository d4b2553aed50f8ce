import fs from 'node:fs'
import path from 'node:path'
import { VcapError } from '../errors'
import { isWritableFolder, unwritableCode } from '../folders'

/** Where an output goes, and how it gets there. */
export type OutputPlace =
  /** An open descriptor of this process, as /dev/stdout names one: written to as it comes, and left open. */
  | { kind: 'descriptor'; path: string; descriptor: number }
  /** A pipe or a device: opened, written to as it comes, closed. */
  | { kind: 'stream'; path: string }
  /** A name that nothing has, or a file that another takes the place of. `stat`: what is there. */
  | { kind: 'replace'; path: string; stat: fs.Stats | undefined }
  /** A file that has to stay the same file, and is filled anew. */
  | { kind: 'fill'; path: string; stat: fs.Stats }

/** Links in a row, after which they are taken to go round. */
const maxLinks = 40

/** Finds all that is in the way of an output before it is made. Throws `output_unwritable`. */
export function findPlace(file: string): OutputPlace {
  const descriptor = descriptorOf(file)
  if (descriptor !== undefined) return { kind: 'descriptor', path: file, descriptor }
  try {
    if (file === '') throw new VcapError('output_unwritable', 'Output "" is not a file')
    if (file.endsWith(path.sep)) throw unwritable(file, 'it is the name of a folder')
    const real = followLinks(file)
    const stat = fs.statSync(real, { throwIfNoEntry: false })
    if (!stat) return { kind: 'replace', path: real, stat }
    if (stat.isDirectory()) throw new VcapError('output_unwritable', `Output ${file} is not a file`)
    requireWritable(file, real, stat)
    if (!stat.isFile()) return { kind: 'stream', path: real }
    return { kind: hasToStay(real, stat) ? 'fill' : 'replace', path: real, stat }
  } catch (cause) {
    if (cause instanceof VcapError) throw cause
    const { code, message } = cause as NodeJS.ErrnoException
    const folder = path.dirname(path.resolve(file))
    const noFolder = (code === 'ENOENT' || code === 'ENOTDIR') && !statOf(folder)?.isDirectory()
    throw unwritable(file, noFolder ? `the folder ${folder} does not exist` : message, cause)
  }
}

/** `write_failed` where the disk fails, is full or read-only, else `output_unwritable`. */
export function unwritable(file: string, why: string, cause?: unknown): VcapError {
  return new VcapError(unwritableCode(cause), `Output ${file} cannot be written: ${why}`, { cause })
}

/** Throws `usage` where an output is one of the inputs that it is made of; `-` is standard input. */
export function requireNoInput(output: string, inputs: string[]): void {
  const input = inputs.find((name) => isSameFile(name === '-' ? '/dev/stdin' : name, output))
  if (input === undefined) return
  throw new VcapError('usage', `Output ${output} is the input ${input}: name another file`)
}

/** True where both names lead to one file. */
export function isSameFile(a: string, b: string): boolean {
  const [left, right] = [a, b].map(statOf)
  return left !== undefined && right !== undefined && left.dev === right.dev && left.ino === right.ino
}

function statOf(file: string): fs.Stats | undefined {
  try {
    return fs.statSync(file)
  } catch {
    return undefined // not there, or not to be seen: opening it says so
  }
}

/** Which open descriptor of this process a name means; undefined where it is that of a file. */
function descriptorOf(file: string): number | undefined {
  const standard = { '-': 1, '/dev/stdout': 1, '/dev/stderr': 2 }[file]
  const named = standard ?? /^\/(?:dev|proc\/self)\/fd\/(\d+)$/.exec(file)?.[1]
  if (named === undefined) return undefined
  try {
    fs.writeSync(Number(named), '') // refused where it is closed, or open for reading alone
    return Number(named)
  } catch (cause) {
    throw unwritable(file, (cause as Error).message, cause)
  }
}

/** Where a name leads, the last link of it as well where that leads to nothing yet. */
function followLinks(file: string): string {
  let name = path.resolve(file)
  for (let links = 0; links <= maxLinks; links++) {
    name = path.join(fs.realpathSync(path.dirname(name)), path.basename(name))
    const target = linkTarget(name)
    if (target === undefined) return name
    name = path.resolve(path.dirname(name), target)
  }
  throw unwritable(file, 'its links go round in a circle')
}

function linkTarget(name: string): string | undefined {
  return fs.lstatSync(name, { throwIfNoEntry: false })?.isSymbolicLink() ? fs.readlinkSync(name) : undefined
}

function requireWritable(file: string, real: string, { mode }: fs.Stats): void {
  const octal = (mode & 0o7777).toString(8).padStart(4, '0')
  // Even where the superuser could: whoever took the permission away meant the file to stay.
  if ((mode & 0o222) === 0) {
    throw unwritable(file, `it is read-only (mode ${octal}): chmod u+w it, or name another output`)
  }
  try {
    fs.accessSync(real, fs.constants.W_OK)
  } catch (cause) {
    const why = `it is there and not to be written by this user (mode ${octal}): remove it, or name another output`
    throw unwritable(file, why, cause)
  }
}

/** Whether a file cannot give way to another of its name: it has further names, or the system would refuse. */
function hasToStay(file: string, { uid, nlink }: fs.Stats): boolean {
  if (nlink > 1 || isMountPoint(file)) return true
  const user = process.geteuid?.() ?? uid
  const folder = fs.statSync(path.dirname(file))
  const sticky = (folder.mode & 0o1000) !== 0 && user !== 0 && ![uid, folder.uid].includes(user)
  return sticky || !isWritableFolder(path.dirname(file))
}

/** Containers are given single files that way; the system renames nothing over them. */
function isMountPoint(file: string): boolean {
  try {
    const octal = (character: string) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`
    const escaped = file.replace(/[ \t\n\\]/g, octal)
    const mounts = fs.readFileSync('/proc/self/mountinfo', 'utf8').split('\n')
    return mounts.some((line) => line.split(' ')[4] === escaped)
  } catch {
    return false // not Linux
  }
}
