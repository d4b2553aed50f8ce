import fs from 'node:fs'
import { VcapError } from '../errors'

/*
 * Memory that decoding one file may take: the system holds a decoder process, and each ffmpeg that it starts, to it
 * (RLIMIT_DATA). What then fails is told in many ways; this file knows them. A process that has met its limit ends,
 * since what it still holds may be the cause: its file is tried once more in a fresh one, and so is the next.
 */

/** Reading a file failed for want of memory. */
export class OutOfMemory extends VcapError {
  /** `reason` says what was refused. */
  constructor(reason: string, options?: { cause?: unknown }) {
    super('unreadable', `Decoding it takes too much memory (${reason})`, options)
  }
}

/** The exit status of a decoder process that ends for want of memory. */
export const outOfMemoryStatus = 86

/** How Node, C++, libvips and FFmpeg say that they got no memory. */
const said = /out of memory|allocation failed|bad_alloc|cannot allocate memory|failed to allocate/i

/** Whether an error of Node or of sharp was caused by want of memory. */
export function isOutOfMemory(error: unknown): boolean {
  if (error instanceof OutOfMemory) return true
  return !(error instanceof VcapError) && error instanceof Error && said.test(error.message)
}

/** How FFmpeg logs it; the last is for the stack of a thread that is to filter. */
const logged =
  /(: Cannot allocate memory|: Out of memory|\] Failed to allocate .*|network: Resource temporarily unavailable)$/

/** Whether a line that FFmpeg logged says so. */
export function tellsOutOfMemory(line: string): boolean {
  return logged.test(line)
}

/**
 * Whether this process can have been refused `bytes` by its limit. FFmpeg says that it got no memory also where a
 * damaged file asks for more than a number of 31 bits counts.
 */
export function isMemoryScarce(bytes: number): boolean {
  const limit = /^Max data size +(\d+)/m.exec(readOwn('limits'))?.[1]
  const used = /^VmData:\s+(\d+) kB/m.exec(readOwn('status'))?.[1]
  return limit !== undefined && used !== undefined && Number(used) * 1024 + bytes > Number(limit)
}

/** What the system says of this process. */
function readOwn(name: string): string {
  try {
    return fs.readFileSync(`/proc/self/${name}`, 'utf8')
  } catch {
    return '' // it says nothing here
  }
}

/** What to do about a limit of `gib` GiB. */
export function memoryHint(gib: number): string {
  return `raise --decode-memory (decodeMemory), which is ${gib} GiB, or make the file smaller`
}
