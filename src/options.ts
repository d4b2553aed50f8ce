import { z } from 'zod'
import type { DownloadProgressEvent } from './download-event'
import { captionFlags } from './caption'
import { rowErrorCodes, VcapError } from './errors'
import { presetSchema } from './prompts/prompt-file'
import { framesOf, type PromptSettings } from './prompts/question'
import { mostShards, readShard } from './shard'
import { formatNames } from './table-format'

/*
 * Every option of the library and the command, checked once and completed here. A
 * field's description is the noun phrase of its error: "Expected <description> for …".
 */

const positive = z.int().min(1)
/** Statuses of rows without a caption. */
const failedStatuses = ['empty', ...rowErrorCodes] as const
const name = z.string().min(1)
/** GiB without which the process that decodes has no room for itself. */
const leastDecodeMemory = 0.5

/** How frames are taken from one video or image. */
const frameFields = {
  /** Frames sampled from a video; 3 when left out, or as many as the prompt's preset is about. */
  numFrames: z.int().min(1).max(64).optional().describe('integer between 1 and 64'),
  /** Short side in pixels to which larger frames are scaled down first; they stay as they are when left out. */
  resize: positive.max(16384).optional().describe('integer between 1 and 16384'),
  /** Path of the ffmpeg command to use; what is installed is looked for when left out. */
  ffmpeg: name.optional().describe('path of ffmpeg'),
  /** Seconds that decoding one video may take; 120 when left out. */
  decodeTimeout: z.number().positive().max(86400).default(120).describe('number of seconds above 0 and up to 86400'),
  /**
   * GiB of memory that decoding one video may take, where the system can hold it to that (Linux); 4 when left out, 0
   * for no limit.
   */
  decodeMemory: z
    .number()
    .max(1024)
    .refine((gib) => gib === 0 || gib >= leastDecodeMemory)
    .default(4)
    .describe(`0 for no limit or number of GiB between ${leastDecodeMemory} and 1024`),
  /**
   * Caption what is there of a file that has less than its container promises, and mark it `partial`; refused as
   * `unreadable` when left out.
   */
  allowPartial: z.boolean().default(false).describe('boolean'),
  signal: z.instanceof(AbortSignal).optional().describe('AbortSignal')
}

/** How the language model answers. */
const answerFields = {
  /**
   * A preset's name or the question itself; `{}` takes `text`, and in a run `{column}` a row's cell. By the kind of
   * media when left out.
   */
  prompt: name.optional().describe('non-empty string'),
  /** Presets of your own by name, as `readPrompts` reads them. They come before ours. */
  presets: z.record(name, presetSchema).optional().describe('presets by name'),
  /** What `{}` in the prompt stands for. */
  text: z.string().optional().describe('string'),
  /**
   * Detail of each frame: `auto`, the default, takes the most whose tokens fit the context; `full` all that the model
   * knows; `off` the whole frame as one tile.
   */
  anyres: z.enum(['auto', 'full', 'off']).default('auto').describe('one of auto, full, off'),
  /** Longest caption in tokens; 300 when left out. */
  maxTokens: positive.max(1_000_000).default(300).describe('integer between 1 and 1000000'),
  /** 0, the default, takes the likeliest token each time. */
  temperature: z.number().min(0).max(10).default(0).describe('number between 0 and 10'),
  /** Share of the probability that sampling chooses from; 1, all of it, when left out. */
  topP: z.number().gt(0).max(1).default(1).describe('number above 0 and up to 1'),
  /** Go on to `maxTokens` whatever the model says: equal work for benchmarks. */
  ignoreEos: z.boolean().default(false).describe('boolean'),
  /** End an answer that says one passage over and over, after its first round; `true` when left out. */
  repetitionStop: z.boolean().default(true).describe('true or false'),
  /** Of the sampling; 0 when left out. */
  seed: z.int().min(0).max(0xffffffff).default(0).describe('integer between 0 and 4294967295')
}

/** The chat templates by name, as the addon has them. */
export const chatTemplates = [
  'chatml_direct',
  'mistral_instruct',
  'vicuna_v1',
  'llava_v1',
  'qwen_1_5',
  'llava_llama_3',
  'llama3_chat',
  'phi3_chat'
] as const

/** Which model, on which devices. */
const loadFields = {
  /** A name from the model list or a GGUF file; `llava-v1.6-34b` when left out. */
  model: name.default('llava-v1.6-34b').describe('model name or GGUF file'),
  /** The projector's GGUF file; needed with a model file. */
  mmproj: name.optional().describe('GGUF file'),
  /** `0-7`, `0,2,4-5`, `all`, `none`; all that are there when left out. */
  gpus: z.string().optional().describe('GPU list such as 0-7, all or none'),
  /** ggml RPC servers as further devices, `host:port`. */
  rpc: z
    .array(z.string().regex(/^[^\s,]+:\d+$/))
    .default([])
    .describe('list of host:port'),
  /** Devices that hold one model together; all that there are, or as few as it fits where `dpSize` leaves a choice. */
  tpSize: positive.max(256).optional().describe('integer between 1 and 256'),
  /** How several devices share the model: whole layers (`layer`, the default) or a part of each tensor. */
  splitMode: z.enum(['layer', 'tensor']).default('layer').describe('one of layer, tensor'),
  /** How much each of a model's devices gets of it, in any unit; by their memory when left out. */
  tensorSplit: z.array(z.number().positive().max(1e15)).optional().describe('list of numbers above 0'),
  /** Captions at once, each with a KV sequence of its own; as many as fit, up to 16, when left out. */
  sequences: positive.max(1024).optional().describe('integer between 1 and 1024'),
  /** Positions of each caption: prompt, images and answer; 0, the default: what the model was trained on. */
  contextPerSequence: z.int().min(0).max(10_000_000).default(0).describe('integer between 0 and 10000000'),
  /** CPU threads of the engine; 0, the default: one for each physical core, or fewer where a CPU quota is lower. */
  threads: z.int().min(0).max(1024).default(0).describe('integer between 0 and 1024'),
  /** Type of the keys and values kept; `f16` when left out. q8_0 halves their memory, f32 is for exact comparisons. */
  kvType: z.enum(['f32', 'f16', 'q8_0']).default('f16').describe('one of f32, f16, q8_0'),
  /** A chat template's name; by the model's metadata when left out. */
  chatTemplate: z
    .enum(['', ...chatTemplates])
    .default('')
    .describe(`one of ${chatTemplates.join(', ')}`),
  /**
   * Whether the weights stay in their file, mapped into memory, where the device allows it; `true` when left out.
   * Loading them into memory takes longer, and memory that the system cannot take back, and a file may then be changed.
   */
  mmap: z.boolean().default(true).describe('true or false'),
  /** Videos decoded at once; 0, the default: by the number of cores, or the CPU quota. */
  decoders: z.int().min(0).max(256).default(0).describe('integer between 0 and 256'),
  /**
   * Download nothing: a model that is not on this machine is `model_not_found`. As the variable `HF_HUB_OFFLINE` says
   * when left out.
   */
  offline: z.boolean().optional().describe('boolean'),
  /** Told of a model's download; without it a line on stderr says what is downloaded, how large it is, and where to. */
  onDownload: z
    .custom<(event: DownloadProgressEvent) => void>((value) => typeof value === 'function')
    .optional()
    .describe('function'),
  /** Called with the share of the model that is loaded, from 0 to 1. */
  onProgress: z
    .custom<(fraction: number) => void>((value) => typeof value === 'function')
    .optional()
    .describe('function')
}

/** A file of prompts, for commands. */
const promptFields = {
  /** A file of presets, or of one prompt, instead of `presets`; `prompt` chooses among several. */
  promptFile: name.optional().describe('path of a file')
}

/** How many models, each in a process of its own. */
const replicaFields = {
  /** Replicas of the model, each in a process of its own; as many as there are devices for when left out. */
  dpSize: positive.max(256).optional().describe('integer between 1 and 256')
}

const frames = z.strictObject(frameFields)
const embed = z.strictObject({ anyres: answerFields.anyres, signal: frameFields.signal })
const imageCaption = z.strictObject({ ...answerFields, signal: frameFields.signal })
const caption = z.strictObject({ ...answerFields, ...frameFields })
const load = z.strictObject({ ...loadFields, ...answerFields, ...frameFields })
const replicas = z.strictObject({ ...load.shape, ...replicaFields })
const { model, mmproj, gpus, rpc, contextPerSequence, kvType, chatTemplate } = loadFields
const { anyres, maxTokens, prompt, presets } = answerFields
const plan = z.strictObject({
  /** Devices instead of those that are there, such as `8x80GB` or `4xL40S`. */
  assume: z
    .array(z.string().regex(/^\s*\d{1,3}\s*x\s*[\w.]+\s*$/))
    .optional()
    .describe('list such as 8x80GB, 4x24GiB or 8xH100'),
  /** Sizes of frames, such as `1280x720`. */
  sizes: z
    .array(z.string().regex(/^[1-9]\d{0,4}x[1-9]\d{0,4}$/))
    .default(['1280x720', '720x1280', '640x480', '597x336'])
    .describe('list of sizes such as 1280x720'),
  tpSize: loadFields.tpSize,
  dpSize: replicaFields.dpSize,
  sequences: loadFields.sequences,
  splitMode: loadFields.splitMode,
  model,
  mmproj,
  gpus,
  rpc,
  prompt,
  presets,
  ...promptFields,
  anyres,
  maxTokens,
  contextPerSequence,
  kvType,
  chatTemplate
})
/** A part of a caption, which is one line. */
const affix = z.string().regex(/^[^\r\n]*$/)
/** Endings of files that a sidecar must not replace. */
const mediaEndings =
  /\.(mp4|m4v|avi|mov|mkv|webm|m2ts|mts|ts|mpe?g|flv|wmv|gif|jpe?g|png|ppm|bmp|pgm|tiff?|webp|avif|hei[cf])$/i
/** Where relative paths start; the table's folder when left out. */
const root = name.optional().describe('folder')
const formatNote = 'one of csv, tsv, jsonl, parquet, or with .gz or .zst, such as jsonl.gz'
/**
 * How the output is written, and an input whose name does not say; by the names' endings when left out, an output
 * without one as the input: `csv`, `tsv`, `jsonl` or `parquet`; those of text with `.gz` or `.zst` compressed.
 */
const format = z.enum(formatNames).optional().describe(formatNote)
/** How the input is written, where neither its name nor `format` says so. */
const inputFormat = z.enum(formatNames).optional().describe(formatNote)
const run = z.strictObject({
  ...replicas.shape,
  /** Captions by a server's API instead of a model that is loaded here: `ApiOptions`, checked by `parseApiOptions`. */
  api: z.unknown().optional().describe('options of an API'),
  /** Columns `prompt_tokens`, `completion_tokens` and `cost` in the output. */
  usageColumns: z.boolean().default(false).describe('boolean'),
  ...promptFields,
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
/** Dollars, or dollars a million tokens. */
const money = z.number().min(0).max(1e6)
/** Captions by a server that speaks OpenAI's chat completions. */
const apiFields = {
  /** The server's name for the model. */
  apiModel: name.default('gpt-4.1-mini').describe('model name'),
  /** Address of the API, such as `http://localhost:8000/v1`; `OPENAI_BASE_URL`, or OpenAI's own, when left out. */
  baseUrl: name.optional().describe('address such as http://localhost:8000/v1'),
  /** The key; that of `keyFile`, or `OPENAI_API_KEY`, when left out. */
  key: z.string().optional().describe('string'),
  /** A file that holds nothing but the key. */
  keyFile: name.optional().describe('file'),
  /** How closely the model looks at each frame, and so what a frame costs. */
  detail: z.enum(['low', 'high', 'auto']).default('auto').describe('one of low, high, auto'),
  /** Requests at once, at most: fewer while the server limits them. */
  concurrency: positive.max(1024).default(8).describe('integer between 1 and 1024'),
  /** Seconds that one request may take. */
  requestTimeout: z.number().min(1).max(290).default(120).describe('number of seconds between 1 and 290'),
  /** Dollars a million tokens of prompt and of answer, for a model that is not in the list. */
  price: z
    .tuple([money, money])
    .optional()
    .describe('two numbers, dollars a million tokens in and out, such as 0.4,1.6'),
  /** By the Batch API, for half the price: answers come within a day. */
  batch: z.boolean().default(false).describe('boolean'),
  /** Rows of one batch, at most; its file has a limit as well. */
  batchRows: positive.max(50_000).default(10_000).describe('integer between 1 and 50000'),
  /** Seconds between two looks at a batch, at most. */
  batchPoll: z.number().min(0.05).max(3600).default(60).describe('number of seconds between 0.05 and 3600'),
  /** Dollars that a run may spend, earlier calls of the same run among them. */
  maxCost: money.optional().describe('number of dollars')
}
const api = z.strictObject(apiFields)
/** The command `gpt4`: a run without what concerns a model that is loaded here. */
const gpt4 = z.strictObject({
  ...without(run.shape, [
    ...Object.keys(loadFields).filter((field) => field !== 'decoders'),
    ...Object.keys(replicaFields),
    ...['anyres', 'ignoreEos', 'repetitionStop', 'captioner', 'api']
  ]),
  ...apiFields
})
const bench = z.strictObject({
  ...load.shape,
  root,
  inputFormat,
  /** Captions made; the files take turns where they are fewer. Each file once when left out, up to 100. */
  clips: positive.max(1_000_000).optional().describe('integer between 1 and 1000000')
})
/** What a trainer reads, made of an output. */
const exporting = z.strictObject({
  /** The trainer. */
  for: z.enum(['musubi', 'ltx', 'finetrainers', 'hf-folder']).describe('one of musubi, ltx, finetrainers, hf-folder'),
  /** The dataset: a folder, or a file of a name that the trainer reads; the output's folder when left out. */
  out: name.optional().describe('folder or file'),
  /** Export videos or images alone. */
  kind: z.enum(['video', 'image']).optional().describe('one of video, image'),
  /** Where relative paths start; as in the run, or the output's folder, when left out. */
  root,
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
const samples = z.strictObject({
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
const merge = z.strictObject({
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
const diff = z.strictObject({
  ...tableFields,
  on,
  /** Differences of each kind that are shown; 5 when left out. */
  examples: z.int().min(0).max(1000).default(5).describe('integer between 0 and 1000')
})
const join = z.strictObject({
  ...tableFields,
  format,
  on,
  /** Columns that are taken; all that the table has not when left out. */
  columns: z.array(name).min(1).optional().describe('list of columns'),
  /** Leave out rows of the table that have no caption. */
  inner: z.boolean().default(false).describe('boolean')
})
const split = z.strictObject({
  ...tableFields,
  format,
  /** How many parts to make, of about as many rows each. */
  parts: positive.max(10_000).optional().describe('integer between 1 and 10000'),
  /** How many rows a part has, the last one excepted. */
  rows: positive.optional().describe('integer from 1 on')
})
/** The demo's own options: where its files go, and which clips it draws. */
const demo = z.strictObject({
  out: name.default('demo-out').describe('folder'),
  seed: answerFields.seed.default(1).describe('integer between 0 and 4294967295')
})

export type ListOptions = z.input<typeof list>
export type SamplesFields = z.input<typeof samples>
export type FrameOptions = z.input<typeof frames>
export type EmbedOptions = z.input<typeof embed>
export type ImageCaptionOptions = z.input<typeof imageCaption>
export type CaptionOptions = z.input<typeof caption>
/** Caption options given here are the defaults of every caption of the captioner. */
export type LoadOptions = z.input<typeof load>
/** As for one captioner; caption options are those of every row. */
export type ReplicaOptions = z.input<typeof replicas>
export type PlanOptions = z.input<typeof plan>
export type RunOptions = z.input<typeof run>
export type BenchOptions = z.input<typeof bench>
export type ExportOptions = z.input<typeof exporting>
export type ApiOptions = z.input<typeof api>
export type MergeOptions = z.input<typeof merge>
export type DiffOptions = z.input<typeof diff>
export type JoinOptions = z.input<typeof join>
export type SplitOptions = z.input<typeof split>

/** With the number of frames that is sampled where nobody says how many. */
type Sampling<T> = Omit<T, 'numFrames'> & { numFrames: number }

export type SamplesSettings = z.output<typeof samples>
export type FrameSettings = Sampling<z.output<typeof frames>>
export type ImageCaptionSettings = z.output<typeof imageCaption>
export type CaptionSettings = Sampling<z.output<typeof caption>>
export type LoadSettings = Sampling<z.output<typeof load>>
export type ReplicaSettings = Sampling<z.output<typeof replicas>>
export type RunSettings = Sampling<z.output<typeof run>>
export type ApiSettings = z.output<typeof api>
/** What the tools for tables have in common. */
export type TableSettings = Pick<z.output<typeof merge>, keyof typeof tableFields>

const defaultFrames = 3

function sampling<T extends PromptSettings & { numFrames?: number | undefined }>(settings: T): Sampling<T> {
  return { ...settings, numFrames: settings.numFrames ?? framesOf(settings) ?? defaultFrames }
}

export const parseListOptions = parser(list)
export const parseSamplesOptions = parser(samples)
export const parseFrameOptions = parser(frames, sampling)
export const parseEmbedOptions = parser(embed)
export const parseImageCaptionOptions = parser(imageCaption)
export const parseCaptionOptions = parser(caption, sampling)
export const parseLoadOptions = parser(load, sampling)
export const parseReplicaOptions = parser(replicas, sampling)
export const parsePlanOptions = parser(plan)
export const parseRunOptions = parser(run, sampling)
export const parseBenchOptions = parser(bench, sampling)
export const parseApiOptions = parser(api)
export const parseExportOptions = parser(exporting)
export const parseMergeOptions = parser(merge)
export const parseDiffOptions = parser(diff)
export const parseJoinOptions = parser(join)
export const parseSplitOptions = parser(split)

/** The options among `options` that a single caption takes. */
export function pickCaptionOptions(options: LoadOptions): CaptionOptions {
  return Object.fromEntries(Object.entries(options).filter(([key]) => key in caption.shape))
}

/** The options among `options` that loading a captioner takes. */
export function pickLoadOptions(options: LoadOptions): LoadOptions {
  return Object.fromEntries(Object.entries(options).filter(([key]) => key in load.shape))
}

/** The options among `options` that replicas take. */
export function pickReplicaOptions(options: ReplicaOptions): ReplicaOptions {
  return Object.fromEntries(Object.entries(options).filter(([key]) => key in replicas.shape))
}

/** The options among `options` that an API takes, and the others. */
export function splitApiOptions(options: Record<string, unknown>): [api: ApiOptions, others: Record<string, unknown>] {
  const isOf = ([name]: [string, unknown]) => name in apiFields
  const entries = Object.entries(options)
  return [Object.fromEntries(entries.filter(isOf)), Object.fromEntries(entries.filter((entry) => !isOf(entry)))]
}

function without<T extends object>(fields: T, names: string[]): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([field]) => !names.includes(field))) as Partial<T>
}

/** The commands' schemas: a command has a flag for each option that it can be given as text. */
const commands = { run, gpt4, bench, plan, demo, samples, export: exporting, merge, diff, join, split }

export type CommandName = keyof typeof commands

/** One option of a command, for a flag. */
export interface OptionField {
  /** Of the option where it is left out; undefined where it has none. */
  initial: unknown
  /** How its text is read. */
  kind: 'text' | 'number' | 'list' | 'numbers' | 'flag'
  /** The value, checked; throws `usage`, saying what was expected. */
  check: (value: unknown) => unknown
}

/** Throws nothing; undefined where the command has no such option. */
export function optionField(command: CommandName, option: string): OptionField | undefined {
  const field = (commands[command].shape as Record<string, z.ZodType>)[option]
  if (!field) return undefined
  return {
    initial: field.safeParse(undefined).data,
    kind: kindOf(field),
    check: (value) => {
      const result = field.safeParse(value)
      if (result.success) return result.data
      throw new VcapError('usage', `Expected ${field.description} but received ${describe(value)}`)
    }
  }
}

function kindOf(field: z.ZodType): OptionField['kind'] {
  if (field instanceof z.ZodOptional || field instanceof z.ZodDefault) return kindOf(field.unwrap() as z.ZodType)
  if (field instanceof z.ZodTuple) return 'numbers'
  if (field instanceof z.ZodArray) return field.element instanceof z.ZodNumber ? 'numbers' : 'list'
  if (field instanceof z.ZodBoolean) return 'flag'
  return field instanceof z.ZodNumber ? 'number' : 'text'
}

function parser<T extends z.ZodObject>(schema: T): (options: unknown) => z.output<T>
function parser<T extends z.ZodObject, S>(schema: T, complete: (parsed: z.output<T>) => S): (options: unknown) => S
function parser<T extends z.ZodObject>(
  schema: T,
  complete = (parsed: unknown) => parsed
): (options: unknown) => unknown {
  return (options = {}) => {
    let why: string
    try {
      const result = schema.safeParse(options)
      if (result.success) return complete(result.data)
      const { issues } = result.error
      why = explain(schema, options, issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0]!)
    } catch (cause) {
      // A getter or a proxy of theirs throws.
      throw new VcapError('usage', `Expected options that can be read but received ${describe(options)}`, { cause })
    }
    throw new VcapError('usage', why)
  }
}

function explain(schema: z.ZodObject, options: unknown, issue: z.core.$ZodIssue): string {
  const fields = schema.shape as Record<string, z.ZodType>
  if (issue.code === 'unrecognized_keys') {
    const received = oneLine(issue.keys.join(', '))
    return `Expected one of ${Object.keys(fields).join(', ')} as an option but received ${received}`
  }
  const field = issue.path[0]
  if (field === undefined) return `Expected object for options but received ${describe(options)}`
  const expected = `Expected ${fields[String(field)]?.description ?? 'valid value'} for ${String(field)}`
  const received = (options as Record<PropertyKey, unknown>)[field]
  if (secrets.includes(String(field))) return `${expected} but received a value of type ${typeof received}`
  return `${expected} but received ${describe(received)}`
}

/** Options that no message shows, nor what holds one. */
const secrets = ['key', 'api', 'baseUrl']

/** A value and its type, for messages. */
function describe(value: unknown): string {
  const shown = oneLine(show(value))
  return `${shown.length > 80 ? `${shown.slice(0, 77)}...` : shown} of type ${value === null ? 'null' : typeof value}`
}

function show(value: unknown): string {
  const text = () => (typeof value === 'object' || typeof value === 'string' ? JSON.stringify(value) : String(value))
  try {
    return text() ?? 'something'
  } catch {
    return 'something' // it leads to itself, has a big integer in it, or throws when it is looked at
  }
}

function oneLine(text: string): string {
  return text.replace(/[\r\n]+/g, ' ')
}
