import fs from 'node:fs'
import path from 'node:path'
import { digestOf } from '../digest'
import { VcapError } from '../errors'
import { isThere, syncFolder } from '../folders'

/** One sidecar as it is written: of what was there and what then is, digests tell. */
export interface SidecarRecord {
  /** Of the file's name, as `sidecarKey` gives it. */
  key: string
  /** Of the content that was not ours; null where there was no file. */
  base: string | null
  /** Of the file with our caption in it. */
  after: string
  /** Bytes that are ours at its end, or at its beginning where they are negative; null: all of it. */
  added: number | null
}

const name = 'sidecars.log'

/**
 * Which sidecars a run has written, in its journal's folder: a file is told before it is written, so that whatever ends
 * the process, what stands in the file says whether it was.
 */
export class SidecarLog {
  readonly #file: string
  readonly #known = new Map<string, SidecarRecord[]>()
  #descriptor: number | undefined

  /** Throws `read_failed`. */
  constructor(private readonly folder: string) {
    this.#file = path.join(folder, name)
    if (!isThere(this.#file)) return
    try {
      for (const line of linesOf(this.#file)) this.#add(parse(line))
    } catch (cause) {
      throw new VcapError('read_failed', `${this.#file} cannot be read: ${(cause as Error).message}`, { cause })
    }
  }

  /** What earlier calls told of a file, the latest first. */
  of(key: string): SidecarRecord[] {
    return this.#known.get(key) ?? []
  }

  /** Tells of files that are to be written, durably. Throws `write_failed`. */
  append(records: SidecarRecord[]): void {
    try {
      const isNew = this.#descriptor === undefined && !isThere(this.#file)
      this.#descriptor ??= fs.openSync(this.#file, 'a')
      // A line that a crash cut off ends here.
      fs.writeSync(this.#descriptor, `\n${records.map((record) => JSON.stringify(record)).join('\n')}\n`)
      fs.fsyncSync(this.#descriptor)
      if (isNew) syncFolder(this.folder)
    } catch (cause) {
      throw new VcapError('write_failed', `${this.#file} cannot be written: ${(cause as Error).message}`, { cause })
    }
  }

  close(): void {
    if (this.#descriptor !== undefined) fs.closeSync(this.#descriptor)
    this.#descriptor = undefined
  }

  #add(record: SidecarRecord | undefined): void {
    if (record) this.#known.set(record.key, [record, ...this.of(record.key)])
  }
}

/** Of bytes, as a record has them. */
export function digestBytes(bytes: Buffer): string {
  return digestOf('sha256', bytes.toString('latin1'), 'base64url').slice(0, 22)
}

/** Names of a million files would take more room than their hashes. */
export function sidecarKey(file: string): string {
  return digestOf('sha1', file, 'base64url').slice(0, 16)
}

function parse(line: string): SidecarRecord | undefined {
  if (line === '') return undefined
  try {
    const record = JSON.parse(line) as SidecarRecord
    return typeof record.key === 'string' && typeof record.after === 'string' ? record : undefined
  } catch {
    return undefined // cut off by a crash: what it told of was not written yet
  }
}

function* linesOf(file: string): Generator<string> {
  const descriptor = fs.openSync(file, 'r')
  try {
    const block = Buffer.alloc(1 << 20)
    let rest = ''
    for (let read = fs.readSync(descriptor, block); read > 0; read = fs.readSync(descriptor, block)) {
      const lines = (rest + block.toString('latin1', 0, read)).split('\n')
      rest = lines.pop()!
      yield* lines
    }
    yield rest
  } finally {
    fs.closeSync(descriptor)
  }
}
