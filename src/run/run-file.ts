import fs from 'node:fs'
import path from 'node:path'
import { z } from 'zod'
import type { CaptionerSettings } from '../caption'
import type { TextEdits } from '../checks/flags'
import { VcapError } from '../errors'
import { replaceDurably } from '../folders'
import type { TableIdentity } from '../rows/shard'
import { formatNames, type FormatName } from '../table-format'
import type { RunSummary } from './events'

/** Of the format of the journal's folder; another one is refused. */
const format = 1

/** A file as it was when a run ended. */
export interface FileState {
  size: number
  /** Of the last change, in milliseconds since the Unix epoch. */
  time: number
  /** Of its rows, where it is a folder: `size` is then their number, and `time` 0. */
  digest?: string | undefined
}

/** What a run is: `run.json` in its journal's folder. */
export interface RunFile {
  format: number
  /** Of this package. */
  version: string
  /** ISO 8601. */
  started: string
  input: string
  output: string
  /** The folder where relative paths of its table start. */
  root?: string | undefined
  /** Rows of the table, or of the shard of it. */
  rows: number
  /** The whole table, where this is a run of one shard: its absolute path and format, where its paths start. */
  table?:
    | (TableIdentity & { file: string | null; format?: FormatName | null | undefined; root: string | null })
    | undefined
  /** When this run was last begun or gone on with, and how many of its rows were done then. */
  begun: { at: string; done: number }
  settings: CaptionerSettings
  /** Since when it is finished and what it came to; not there while it is not. */
  finished?: {
    at: string
    summary: RunSummary
    columns: string[]
    /** Names of a row's captions, where it has several. */
    captions?: string[] | undefined
    /** Of the output, by its name; a CSV when left out. */
    format?: string | undefined
    edits: TextEdits
    /** How the sidecars were written, all of them; not there where none were. */
    sidecar?: { exists: string; ext: string } | undefined
    input: FileState | null
    output: FileState | null
  }
}

const fileStateSchema = z.object({ size: z.number(), time: z.number(), digest: z.string().optional() }).nullable()

const countSchema = z.int().min(0)
const countsSchema = z.record(z.string(), countSchema)
const shareSchema = z.number().nullable()

const summarySchema: z.ZodType<RunSummary> = z.object({
  input: z.string(),
  output: z.string(),
  rows: countSchema,
  statuses: countsSchema,
  flags: countsSchema,
  edited: countSchema,
  retried: countSchema,
  replaced: countSchema,
  failed: countSchema,
  captioned: countSchema,
  already: z.boolean(),
  seconds: z.number(),
  tokens: countSchema,
  cost: z.number().min(0).nullable(),
  sidecars: z.object({ written: countSchema, kept: countSchema, failed: countSchema, shared: countSchema }).optional(),
  captioningSeconds: z.number(),
  tokensMade: countSchema,
  engineShare: shareSchema,
  filledShare: shareSchema
})

const runFileSchema: z.ZodType<RunFile> = z.object({
  format: z.literal(format),
  version: z.string(),
  started: z.string(),
  input: z.string(),
  output: z.string(),
  root: z.string().optional(),
  rows: countSchema,
  table: z
    .object({
      rows: countSchema,
      digest: z.string(),
      file: z.string().nullable(),
      format: z.enum(formatNames).nullish(),
      root: z.string().nullable()
    })
    .optional(),
  begun: z.object({ at: z.string(), done: countSchema }),
  settings: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
  // An end of which another version tells something else is none: the output is made anew from the same records.
  finished: z
    .object({
      at: z.string(),
      summary: summarySchema,
      columns: z.array(z.string()),
      captions: z.array(z.string()).optional(),
      format: z.string().optional(),
      edits: z.object({
        clean: z.boolean(),
        trimSentence: z.boolean(),
        prefix: z.string().default(''),
        suffix: z.string().default('')
      }),
      sidecar: z.object({ exists: z.string(), ext: z.string() }).optional(),
      input: fileStateSchema,
      output: fileStateSchema
    })
    .optional()
    .catch(undefined)
})

/** Undefined where there is none. Throws `run_differs` where it is no run of this version's. */
export function readRunFile(folder: string): RunFile | undefined {
  const file = path.join(folder, 'run.json')
  let text: string
  try {
    text = fs.readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new VcapError('read_failed', `${file} cannot be read: ${(error as Error).message}`, { cause: error })
  }
  const found = parse(text)
  if (found) return found
  throw new VcapError('run_differs', `${file} is damaged or of another version. --restart begins anew`)
}

export function writeRunFile(folder: string, run: Omit<RunFile, 'format'>): void {
  replaceDurably(path.join(folder, 'run.json'), `${JSON.stringify({ format, ...run }, null, 2)}\n`)
}

/** Throws `run_differs`, naming each setting that is not what the run was begun with. */
export function requireSameRun(before: CaptionerSettings, now: CaptionerSettings): void {
  const differences = differing(before, now).map((name) => {
    const [was, is] = showBoth(before[name], now[name])
    return `${name} was ${was} and is ${is}`
  })
  if (differences.length === 0) return
  throw new VcapError(
    'run_differs',
    `The output has a run with other options: ${differences.join('; ')}. ` +
      'Give the options it was begun with to go on, or --restart to begin anew' +
      (before.shard === now.shard ? '' : '; each shard has an output of its own, such as out-{shard}.csv')
  )
}

/** Settings that stand for files on a machine's own disk, with their times. */
const fileSettings = ['model', 'mmproj']

/**
 * Throws `run_differs` where one shard is not of the run that another is of, but for settings that `mayDiffer`: other
 * settings, another table, or an output that was made otherwise. `name` and `thanName`: the shards, for people.
 */
export function requireOneRun(name: string, run: RunFile, thanName: string, than: RunFile, mayDiffer: string[]): void {
  const refuse = (why: string): never => {
    throw new VcapError('run_differs', `${name} is not of one run with ${thanName}: ${why}`)
  }
  const names = differing(than.settings, run.settings).filter((each) => each !== 'shard' && !mayDiffer.includes(each))
  if (names.length > 0) {
    const told = names.map((each) => {
      const [is, isNot] = showBoth(run.settings[each], than.settings[each])
      return `${each} is ${is} and not ${isNot}`
    })
    const areCopies = names.every((each) => fileSettings.includes(each))
    const copies = areCopies ? `. Where these are copies of one file, --may-differ ${names.join(',')} takes them` : ''
    refuse(`${told.join('; ')}${copies}`)
  }
  if (run.table!.digest !== than.table!.digest) {
    const [rows, otherRows] = [run.table!.rows, than.table!.rows]
    const what = rows === otherRows ? 'its table had other cells' : `its table had ${rows} rows and not ${otherRows}`
    refuse(`${what}. Run both again with the table as it is now: what is captioned stays`)
  }
  const { columns, edits } = run.finished!
  const other = than.finished!
  if (columns.join('\n') !== other.columns.join('\n')) {
    refuse(`its columns are ${columns.join(', ')} and not ${other.columns.join(', ')}`)
  }
  const edit = differing({ ...other.edits }, { ...edits })[0]
  if (edit !== undefined) refuse('their texts were edited otherwise, as by --clean. Run one again with the same edits')
}

function differing(before: CaptionerSettings, now: CaptionerSettings): string[] {
  return [...new Set([...Object.keys(before), ...Object.keys(now)])].filter((name) => before[name] !== now[name])
}

/** Null where there is no file, and where the disk does not say. */
export function fileState(file: string): FileState | null {
  try {
    const stat = fs.statSync(file)
    return stat.isFile() ? { size: stat.size, time: stat.mtimeMs } : null
  } catch {
    return null
  }
}

function parse(text: string): RunFile | undefined {
  try {
    return runFileSchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

/** Characters of a value that are shown whole, and before the first difference of two that are longer. */
const mostShown = 200
const shownBefore = 40

/** Two values that differ: of long ones, such as forms and prompts, a part from shortly before their difference on. */
function showBoth(one: unknown, other: unknown): [string, string] {
  const texts = [show(one), show(other)]
  const [a, b] = texts as [string, string]
  let same = 0
  while (same < a.length && a[same] === b[same]) same++
  const from = Math.max(0, same - shownBefore)
  return texts.map((text) => {
    if (text.length <= mostShown) return text
    const to = from + mostShown
    return `${from > 0 ? '…' : ''}${text.slice(from, to)}${to < text.length ? '…' : ''}`
  }) as [string, string]
}

function show(value: unknown): string {
  return value === undefined || value === null ? 'not given' : JSON.stringify(value)
}
