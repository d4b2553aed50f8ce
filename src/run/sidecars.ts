import fs from 'node:fs'
import path from 'node:path'
import { isCaptioned } from '../caption'
import { edited } from '../checks/flags'
import { captionsOf } from '../row-captions'
import type { SidecarCounts } from './events'
import { digestBytes, sidecarKey, SidecarLog, type SidecarRecord } from './sidecar-log'
import { joined, type CaptionParts } from './write-output'

/** How captions go into files beside the videos. */
export interface SidecarOptions {
  /** What becomes of a file that is there. */
  exists: 'skip' | 'overwrite' | 'append' | 'prepend'
  /** The files' ending. */
  ext: string
  /** Files that are none, whatever a row is called: table and output. */
  taken: string[]
}

/** Files that are told of at once: telling of one is a write to the disk. */
const filesPerGroup = 256
const temporaryEnding = '.vcap.tmp'

/** One file that is to be written. */
interface Sidecar {
  file: string
  record: SidecarRecord
  content: Buffer
}

/**
 * Writes each caption of a run, as the output has it, into a file beside its video: whole, or not at all. What an
 * earlier call of the run has written is known by its log: it is brought up to date, and nothing is added twice,
 * whatever ended that call. A file that cannot be written is counted. Throws `read_failed`, `write_failed`, `aborted`.
 */
export async function writeSidecars(
  parts: CaptionParts,
  options: SidecarOptions,
  warn: (message: string) => void
): Promise<SidecarCounts> {
  const writer = new SidecarWriter(parts.journal.folder, options)
  try {
    for await (const { row, caption } of joined(parts)) {
      for (const [name, { status, text }] of captionsOf(edited(caption, parts.edits))) {
        if (isCaptioned({ status })) writer.add(row.input.path, text, name)
      }
    }
    writer.flush()
  } finally {
    writer.close()
  }
  for (const message of writer.warnings()) warn(message)
  return writer.counts
}

class SidecarWriter {
  readonly counts: SidecarCounts = { written: 0, kept: 0, failed: 0, shared: 0 }
  readonly #log: SidecarLog
  /** The text of each file of this pass, as a digest. */
  readonly #seen = new Map<string, string>()
  #group: Sidecar[] = []
  #shared = ''
  #failure = ''

  constructor(
    folder: string,
    private readonly options: SidecarOptions
  ) {
    this.#log = new SidecarLog(folder)
  }

  /** `caption`: the name of one of several, which goes before the ending: `clip.short.txt`. */
  add(video: string, text: string, caption: string | undefined): void {
    const { dir, name } = path.parse(video)
    const file = path.join(dir, `${name}${caption === undefined ? '' : `.${caption}`}${this.options.ext}`)
    const key = sidecarKey(file)
    const digest = digestBytes(Buffer.from(text)).slice(0, 8)
    const before = this.#seen.get(key)
    if (before !== undefined) {
      if (before === digest) return
      this.counts.shared++
      this.#shared ||= `${video} to ${file}`
      return
    }
    this.#seen.set(key, digest)
    try {
      if (file === video || this.options.taken.includes(file)) throw new Error('another file of this run has the name')
      const made = this.#make(file, text)
      if (!made) this.counts.kept++
      else this.#group.push(made)
    } catch (error) {
      this.#fail(file, error)
    }
    if (this.#group.length >= filesPerGroup) this.flush()
  }

  flush(): void {
    const group = this.#group
    this.#group = []
    if (group.length === 0) return
    this.#log.append(group.map(({ record }) => record))
    for (const { file, record, content } of group) {
      try {
        replaceFile(file, content, record.base !== null)
        this.counts.written++
      } catch (error) {
        this.#fail(file, error)
      }
    }
  }

  close(): void {
    this.#log.close()
  }

  *warnings(): Generator<string> {
    const { failed, shared } = this.counts
    const files = (count: number) => (count === 1 ? '1 sidecar' : `${count} sidecars`)
    if (failed > 0) {
      yield `${files(failed)} could not be written, the captions are in the output: ${this.#failure}. ` +
        'The same command tries again'
    }
    if (shared > 0) {
      yield `${shared === 1 ? '1 row has' : `${shared} rows have`} no sidecar, since an earlier row with another ` +
        `caption has the same: the first is that of ${this.#shared}`
    }
  }

  /** Undefined where the file is to stay as it is. */
  #make(file: string, text: string): Sidecar | undefined {
    const { exists } = this.options
    const real = linkTarget(file)
    const content = readFile(real)
    if (!content) return whole(real, text, null)
    const digest = digestBytes(content)
    const told = this.#log.of(sidecarKey(real))
    const own = told.find(({ after }) => after === digest)
    const made = () => {
      if (exists === 'overwrite' || own?.added === null) return whole(real, text, own ? own.base : digest)
      if (own) return joinedTo(real, without(content, own.added!), text, own.added! < 0)
      // Somebody changed what this run has written: whether the caption is still in it nobody knows.
      const isTouched = told.length > 0 && told.every(({ base }) => base !== digest)
      return exists === 'skip' || isTouched ? undefined : joinedTo(real, content, text, exists === 'prepend')
    }
    const sidecar = made()
    return sidecar?.content.equals(content) ? undefined : sidecar
  }

  #fail(file: string, error: unknown): void {
    this.counts.failed++
    this.#failure ||= `${file}: ${(error as Error).message}`
  }
}

function whole(file: string, text: string, base: string | null): Sidecar {
  const content = Buffer.from(text)
  return { file, content, record: { key: sidecarKey(file), base, after: digestBytes(content), added: null } }
}

/** Our caption and what was there, as one line of text: a trainer may read the first line alone. */
function joinedTo(file: string, base: Buffer, text: string, isBefore: boolean): Sidecar {
  const others = trimBytes(base, isBefore)
  const gap = others.length === 0 || text === '' ? '' : ' '
  const own = Buffer.from(isBefore ? text + gap : gap + text)
  const content = Buffer.concat(isBefore ? [own, others] : [others, own])
  const added = isBefore ? -own.length : own.length
  return {
    file,
    content,
    record: { key: sidecarKey(file), base: digestBytes(base), after: digestBytes(content), added }
  }
}

/** Without blanks and line ends around it; `isAfter`: without a mark of its encoding, too. */
function trimBytes(bytes: Buffer, isAfter: boolean): Buffer {
  const mark = isAfter ? /^\xef\xbb\xbf/ : /^/
  const text = bytes.toString('latin1').replace(mark, '')
  return Buffer.from(text.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, ''), 'latin1')
}

/** What was there before our caption was added. */
function without(content: Buffer, added: number): Buffer {
  return added < 0 ? content.subarray(-added) : content.subarray(0, content.length - added)
}

function linkTarget(file: string): string {
  const isLink = fs.lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() ?? false
  return isLink ? fs.realpathSync(file) : file
}

/** Undefined where there is none. */
function readFile(file: string): Buffer | undefined {
  try {
    return fs.readFileSync(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** `holdsOthers`: what is in it is not ours alone, and is on the disk before it takes the old one's place. */
function replaceFile(file: string, content: Buffer, holdsOthers: boolean): void {
  const temporary = path.join(path.dirname(file), `.${path.basename(file)}${temporaryEnding}`)
  try {
    const descriptor = fs.openSync(temporary, 'w')
    try {
      fs.writeFileSync(descriptor, content)
      if (holdsOthers) fs.fsyncSync(descriptor)
    } finally {
      fs.closeSync(descriptor)
    }
    fs.renameSync(temporary, file)
  } catch (error) {
    fs.rmSync(temporary, { force: true })
    throw error
  }
}
