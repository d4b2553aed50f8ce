import { z } from 'zod'
import { captionFlags } from '../caption'
import { rowErrorCodes, VcapError } from '../errors'
import { mostShards, readShard } from '../shard'
import { apiFields } from './api'
import { replicas, sampling, type Sampling } from './captioning'
import { parser } from './check'
import {
  format,
  formFields,
  inputFormat,
  loadFields,
  name,
  poolingFields,
  positive,
  promptFields,
  replicaFields,
  root
} from './fields'

/** Statuses of rows without a caption. */
const failedStatuses = ['empty', ...rowErrorCodes] as const
/** A part of a caption, which is one line. */
const affix = z.string().regex(/^[^\r\n]*$/)
/** Endings of files that a sidecar must not replace. */
const mediaEndings =
  /\.(mp4|m4v|avi|mov|mkv|webm|m2ts|mts|ts|mpe?g|flv|wmv|gif|jpe?g|png|ppm|bmp|pgm|tiff?|webp|avif|hei[cf])$/i
export const run = z.strictObject({
  ...replicas.shape,
  /** Captions by a server's API instead of a model that is loaded here: `ApiOptions`, checked by `parseApiOptions`. */
  api: z.unknown().optional().describe('options of an API'),
  /** Columns `prompt_tokens`, `completion_tokens` and `cost` in the output. */
  usageColumns: z.boolean().default(false).describe('boolean'),
  ...promptFields,
  ...formFields,
  /** The properties of answers that are objects, each in a column. */
  jsonColumns: z.boolean().default(false).describe('boolean'),
  root,
  /**
   * Caption this share of the table's rows alone: `i/n`, i from 0 to n - 1, by a hash of each row's path; `auto`: the
   * one that the variables of Slurm, a Kubernetes Indexed Job or torchrun name, and all rows where they name none.
   * `{shard}` in the output's name stands for it; with `auto` a name without it gets it before its endings.
   */
  shard: z
    .string()
    .refine((text) => text === 'auto' || readShard(text) !== undefined)
    .optional()
    .describe('shard i/n, counted from 0 to n - 1 such as 0/4 or 3/4,'),
  /** How many shards there are, where those variables do not say. */
  shards: positive.max(mostShards).optional().describe(`integer between 1 and ${mostShards}`),
  format,
  inputFormat,
  /** Output columns of another tool instead of our own. */
  compat: z.enum(['open-sora']).optional().describe('open-sora'),
  /**
   * The folder of the journal, which is made where it is not there; beside the output when left out. By it a run whose
   * output is a stream goes on.
   */
  journal: name.optional().describe('folder'),
  /** Begin anew, also where an earlier run of this output can be continued. */
  restart: z.boolean().default(false).describe('boolean'),
  /** Try rows again that failed in an earlier run: `all`, or the statuses to try. What fails again stays as it was. */
  retryFailed: z
    .array(z.enum(['all', ...failedStatuses]))
    .default([])
    .describe(`list of all, ${failedStatuses.join(', ')}`),
  /**
   * Ask once more, with another seed, for captions with one of these flags, or any (`all`), those of an earlier run
   * among them. An answer without flags takes the first one's place.
   */
  retryFlagged: z
    .array(z.enum(['all', ...captionFlags]))
    .default([])
    .describe(`list of all, ${captionFlags.join(', ')}`),
  /** Drop the usual openings of captions: "The video shows". */
  clean: z.boolean().default(false).describe('boolean'),
  /** Cut a caption's last sentence where it is unfinished. */
  trimSentence: z.boolean().default(false).describe('boolean'),
  /** Put this before each caption, to the letter: `TRIGGER, `. */
  prefix: affix.default('').describe('text without line breaks'),
  /** Put this after each caption. */
  suffix: affix.default('').describe('text without line breaks'),
  /** Write each caption into a file beside its video as well: `clip.txt` beside `clip.mp4`. */
  sidecar: z.boolean().default(false).describe('boolean'),
  /** What becomes of such a file that is there and not this run's own; it stays when left out. */
  sidecarExists: z
    .enum(['skip', 'overwrite', 'append', 'prepend'])
    .default('skip')
    .describe('one of skip, overwrite, append, prepend'),
  /** Those files' ending; `.txt` when left out. */
  sidecarExt: z
    .string()
    .regex(/^(\.[\w-]+)+$/)
    .refine((ext) => !mediaEndings.test(ext))
    .default('.txt')
    .describe('ending such as .txt or .caption, of no video or image,'),
  /** Stop when more rows fail than this: a number, or a share of the table such as `5%`. */
  maxFailures: z
    .union([z.int().min(0), z.string().regex(/^\d+(\.\d+)?%?$/)])
    .optional()
    .describe('number of rows or percentage'),
  /** Seconds that captions under way may take when the run is stopped; 10 when left out. */
  grace: z.number().min(0).max(3600).default(10).describe('number of seconds between 0 and 3600'),
  /** Checked by `requireRowCaptioner`. */
  captioner: z.unknown().optional().describe('captioner'),
  onEvent: z
    .custom<(event: never) => void>((value) => typeof value === 'function')
    .optional()
    .describe('function')
})
/** The command `gpt4`: a run without what concerns a model that is loaded here. */
export const gpt4 = z.strictObject({
  ...without(run.shape, [
    ...Object.keys(loadFields).filter((field) => field !== 'decoders'),
    ...Object.keys(replicaFields),
    ...Object.keys(poolingFields),
    ...['anyres', 'ignoreEos', 'repetitionStop', 'grammar', 'grammarFile', 'captioner', 'api', 'prompts']
  ]),
  ...apiFields
})

function without<T extends object>(fields: T, names: string[]): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([field]) => !names.includes(field))) as Partial<T>
}

export type RunOptions = z.input<typeof run>
export type RunSettings = Sampling<z.output<typeof run>>
export const parseRunOptions = parser(run, (settings) => {
  requireWhole(settings)
  return sampling(settings)
})

/** Throws `usage` for edits that would harm an answer in a form, and for columns of what has none. */
function requireWhole(settings: z.output<typeof run>): void {
  const { jsonSchema, jsonSchemaFile, grammar, grammarFile, jsonColumns, compat } = settings
  const isJson = jsonSchema !== undefined || jsonSchemaFile !== undefined
  const isFormed = isJson || grammar !== undefined || grammarFile !== undefined
  const harms = (['clean', 'trimSentence', ...(isJson ? (['prefix', 'suffix'] as const) : [])] as const).find(
    (edit) => settings[edit]
  )
  if (isFormed && harms) {
    throw new VcapError('usage', `An answer in a form stays as it is: leave out ${harms}`)
  }
  if (jsonColumns && !isJson) {
    throw new VcapError('usage', 'Columns of answers need a JSON Schema that names them: give jsonSchema')
  }
  if (jsonColumns && compat) {
    throw new VcapError('usage', `Columns of answers are none of ${compat}'s: leave out compat or jsonColumns`)
  }
}
