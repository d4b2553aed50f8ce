import { z } from 'zod'
import { parser } from './check'
import { format, formatNote, frameFields, inputFormat, loadFields, name, positive, root } from './fields'
import { formatNames } from '../table-format'

/** What a trainer reads, made of an output. */
export const exporting = z.strictObject({
  /** The trainer. */
  for: z.enum(['musubi', 'ltx', 'finetrainers', 'hf-folder']).describe('one of musubi, ltx, finetrainers, hf-folder'),
  /** The dataset: a folder, or a file of a name that the trainer reads; the output's folder when left out. */
  out: name.optional().describe('folder or file'),
  /** Export videos or images alone. */
  kind: z.enum(['video', 'image']).optional().describe('one of video, image'),
  /** Where relative paths start; as in the run, or the output's folder, when left out. */
  root,
  /** Which of several captions a row has, by its name; the column `text` when left out. */
  caption: name.optional().describe("caption's name"),
  /** Export what an unfinished run has captioned so far, as it was answered. */
  partial: z.boolean().default(false).describe('boolean'),
  signal: frameFields.signal
})
/** Which files of a folder are listed. */
const listFields = {
  /** Videos alone, images alone, or both (`all`, the default), by their endings. */
  type: z.enum(['video', 'image', 'all']).default('all').describe('one of video, image, all'),
  signal: frameFields.signal
}
const list = z.strictObject(listFields)
export const samples = z.strictObject({
  ...listFields,
  /** Write paths relative to the output's folder, as `run` reads them; absolute ones when left out. */
  relative: z.boolean().default(false).describe('boolean'),
  /** Add a column `id`, the file's name without its ending. */
  id: z.boolean().default(false).describe('boolean'),
  /** Add what each file is: `num_frames`, `height`, `width`, `aspect_ratio`, `fps`, `resolution`, `duration`. */
  probe: z.boolean().default(false).describe('boolean'),
  /** Leave out files with fewer frames; a still image has one. */
  minFrames: positive.max(1_000_000_000).optional().describe('integer between 1 and 1000000000'),
  /** Leave out files of which a side has fewer pixels. */
  minSide: positive.max(1_000_000).optional().describe('integer between 1 and 1000000'),
  /** Leave out videos that last longer, in seconds. */
  maxSeconds: z.number().positive().optional().describe('number of seconds above 0'),
  /** How the table is written, `csv`, `tsv`, `jsonl`, `parquet`, …; by its name's ending when left out, else as CSV. */
  format: z.enum(formatNames).optional().describe(formatNote),
  /** Files read at once; 0, the default: by the number of cores, or the CPU quota. */
  decoders: loadFields.decoders,
  decodeTimeout: frameFields.decodeTimeout,
  decodeMemory: frameFields.decodeMemory,
  ffmpeg: frameFields.ffmpeg,
  /** Take what is there of a file that has less than its container promises; it counts as unreadable when left out. */
  allowPartial: frameFields.allowPartial,
  onEvent: z
    .custom<(event: never) => void>((value) => typeof value === 'function')
    .optional()
    .describe('function')
})
/** What the tools for tables have in common. */
const tableFields = {
  inputFormat,
  signal: frameFields.signal,
  /** Called now and then with the rows that are done, and how many there are. */
  onProgress: z
    .custom<(rows: number, total: number) => void>((value) => typeof value === 'function')
    .optional()
    .describe('function')
}
/** The columns by whose cells a row is known, in both tables; `path` when left out. */
const on = z.array(name).min(1).default(['path']).describe('list of columns')
export const merge = z.strictObject({
  ...tableFields,
  format,
  /** The table of which the parts are shards, where it is not at its place any more. */
  input: name.optional().describe('table'),
  /**
   * Settings in which shards may differ, such as `model` and `mmproj`: they stand for the model's files with their
   * times, which differ where each machine has its own copy.
   */
  mayDiffer: z.array(name).default([]).describe('list of settings')
})
export const diff = z.strictObject({
  ...tableFields,
  on,
  /** Differences of each kind that are shown; 5 when left out. */
  examples: z.int().min(0).max(1000).default(5).describe('integer between 0 and 1000')
})
export const join = z.strictObject({
  ...tableFields,
  format,
  on,
  /** Columns that are taken; all that the table has not when left out. */
  columns: z.array(name).min(1).optional().describe('list of columns'),
  /** Leave out rows of the table that have no caption. */
  inner: z.boolean().default(false).describe('boolean')
})
export const split = z.strictObject({
  ...tableFields,
  format,
  /** How many parts to make, of about as many rows each. */
  parts: positive.max(10_000).optional().describe('integer between 1 and 10000'),
  /** How many rows a part has, the last one excepted. */
  rows: positive.optional().describe('integer from 1 on')
})

export type ListOptions = z.input<typeof list>
export type SamplesFields = z.input<typeof samples>
export type ExportOptions = z.input<typeof exporting>
export type MergeOptions = z.input<typeof merge>
export type DiffOptions = z.input<typeof diff>
export type JoinOptions = z.input<typeof join>
export type SplitOptions = z.input<typeof split>
export type SamplesSettings = z.output<typeof samples>
/** What the tools for tables have in common. */
export type TableSettings = Pick<z.output<typeof merge>, keyof typeof tableFields>

export const parseListOptions = parser(list)
export const parseSamplesOptions = parser(samples)
export const parseExportOptions = parser(exporting)
export const parseMergeOptions = parser(merge)
export const parseDiffOptions = parser(diff)
export const parseJoinOptions = parser(join)
export const parseSplitOptions = parser(split)
