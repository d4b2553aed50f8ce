import { z } from 'zod'
import type { DownloadProgressEvent } from '../download-event'
import { isObject, type JsonSchema } from '../form/json-schema'
import { plainSchema } from '../form/plain-schema'
import { captionNamePattern } from '../prompts/named'
import { presetSchema } from '../prompts/prompt-file'
import { formatNames } from '../table-format'

export const positive = z.int().min(1)

export const name = z.string().min(1)

/** GiB without which the process that decodes has no room for itself. */
const leastDecodeMemory = 0.5

/** How frames are taken from one video or image. */
export const frameFields = {
  /**
   * Frames sampled from a video, the most where `fps` is given; when left out as many as the prompt's preset is about,
   * or 3, and with `fps` up to 32.
   */
  numFrames: z.int().min(1).max(64).optional().describe('integer between 1 and 64'),
  /** Frames sampled from each second of a video, spread evenly instead where they would be more than `numFrames`. */
  fps: z.number().positive().max(1000).optional().describe('number above 0 and up to 1000'),
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

/** Questions about the same pictures, at most. */
const mostQuestions = 16
/** A caption's name, as it is a column's. */
const captionName = z.string().regex(captionNamePattern)
const questions = z.record(captionName, name).refine((given) => {
  const count = Object.keys(given).length
  return count >= 1 && count <= mostQuestions
})

/** How the language model answers. */
export const answerFields = {
  /**
   * A preset's name or the question itself; `{}` takes `text`, and in a run `{column}` a row's cell. By the kind of
   * media when left out.
   */
  prompt: name.optional().describe('non-empty string'),
  /**
   * Several questions about the same pictures instead of `prompt`, each a preset's name or a text, by the name of its
   * caption. The pictures are encoded and prefilled once.
   */
  prompts: questions.optional().describe(`1 to ${mostQuestions} prompts by name, of letters, digits, _ and -,`),
  /** Presets of your own by name, as `readPrompts` reads them. They come before ours. */
  presets: z.record(name, presetSchema).optional().describe('presets by name'),
  /** What `{}` in the prompt stands for. */
  text: z.string().optional().describe('string'),
  /**
   * Detail of each frame: `auto`, the default, takes the most whose tokens fit the context: whole grids, fewer tiles,
   * one tile and, of a video's frames, pooled tiles; `full` all that the model knows; `off` the whole frame as one
   * tile.
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
  /**
   * A JSON Schema that each answer is of, on one line (`docs/json.md`). What is cut is completed to such JSON, and
   * flagged `cut`.
   */
  jsonSchema: z
    .custom<JsonSchema>(isObject)
    .transform(plainSchema)
    .optional()
    .describe('JSON Schema that is an object'),
  /** A grammar in GBNF: each answer is a text of its rule `root`. */
  grammar: name.optional().describe('grammar in GBNF'),
  /** Of the sampling; 0 when left out. */
  seed: z.int().min(0).max(0xffffffff).default(0).describe('integer between 0 and 4294967295')
}

/** How a video's frames are pooled; images are not. */
export const poolingFields = {
  /**
   * Pool each frame of a video: so many patches along one side become one feature, and the frame, cropped to a square,
   * is one tile. 1 does not pool; by the model's metadata when left out, which is 2 for a LLaVA-NeXT-Video and 1 for
   * others.
   */
  framePool: z.int().min(1).max(4).optional().describe('integer between 1 and 4'),
  /** How they become one: `average`, `max` or `bilinear`; by the model's metadata, or `average`, when left out. */
  framePoolMode: z.enum(['average', 'max', 'bilinear']).optional().describe('one of average, max, bilinear'),
  /**
   * Whether that is `after` the projector, as the original repository does it, or `before` it, as Hugging Face's
   * LlavaNextVideo does; by the model's metadata, or `after`, when left out.
   */
  framePoolPlace: z.enum(['after', 'before']).optional().describe('one of after, before'),
  /**
   * Where the newline feature stands among pooled frames: behind each row of a frame (`grid`), each frame (`frame`),
   * the last frame (`one_token`), or nowhere; by the model's metadata, or `no_token`, when left out.
   */
  frameNewline: z
    .enum(['grid', 'frame', 'one_token', 'no_token'])
    .optional()
    .describe('one of grid, frame, one_token, no_token')
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
export const loadFields = {
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
  /**
   * Positions of each caption: prompt, images and answer; 0, the default: what the model was trained on; `auto`: what a
   * row of the options given can take, so that more captions fit at once.
   */
  contextPerSequence: z
    .union([z.int().min(0).max(10_000_000), z.literal('auto')])
    .default(0)
    .describe('auto or integer between 0 and 10000000'),
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
export const promptFields = {
  /** A file of presets, or of one prompt, instead of `presets`; `prompt` chooses among several. */
  promptFile: name.optional().describe('path of a file')
}

/** Files with the form of answers, for commands. */
export const formFields = {
  /** A file with a JSON Schema, instead of `jsonSchema`. */
  jsonSchemaFile: name.optional().describe('path of a file'),
  /** A file with a grammar in GBNF, instead of `grammar`. */
  grammarFile: name.optional().describe('path of a file')
}

/** How many models, each in a process of its own. */
export const replicaFields = {
  /** Replicas of the model, each in a process of its own; as many as there are devices for when left out. */
  dpSize: positive.max(256).optional().describe('integer between 1 and 256')
}

/** Where relative paths start; the table's folder when left out. */
export const root = name.optional().describe('folder')
export const formatNote = 'one of csv, tsv, jsonl, parquet, or with .gz or .zst, such as jsonl.gz'
/**
 * How the output is written, and an input whose name does not say; by the names' endings when left out, an output
 * without one as the input: `csv`, `tsv`, `jsonl` or `parquet`; those of text with `.gz` or `.zst` compressed.
 */
export const format = z.enum(formatNames).optional().describe(formatNote)
/** How the input is written, where neither its name nor `format` says so. */
export const inputFormat = z.enum(formatNames).optional().describe(formatNote)
