import type { RowErrorCode, VcapError } from './errors'

/**
 * What a caption may be flagged with. `cut`: at `maxTokens`. `repetition`: it says the same over and over. `empty`:
 * neither letter nor digit. `refusal`: the model says that it cannot. `frame_wording`: it tells of the frames that the
 * model was given. `unfinished`: its last sentence has no end. `docs/captions.md` says what counts.
 */
export const captionFlags = ['cut', 'repetition', 'empty', 'refusal', 'frame_wording', 'unfinished'] as const
export type CaptionFlag = (typeof captionFlags)[number]

/** Milliseconds of each step of a caption. */
export interface Timings {
  /** Reading and decoding the frames; 0 for pictures in memory. */
  frames: number
  /** Tokenising the prompt, choosing the detail and cutting the pictures. */
  preprocess: number
  /** Waiting for the engine. */
  queued: number
  /** The vision tower. */
  vision: number
  /** The prompt through the language model, the wait for a KV sequence included. */
  prefill: number
  /** The caption's tokens. */
  decode: number
}

/** An answer to one question about pictures. */
export interface Answer {
  /** One line; an answer in a form as its form has it. */
  text: string
  /** Token ids as generated, without the one that ended the caption and without a loop's later rounds. */
  tokens: number[]
  /** `truncated`: cut at `maxTokens`, or where it had begun to say the same again. `empty`: nothing but blanks. */
  status: 'ok' | 'truncated' | 'empty'
  /** What is to be said of it; empty where there is nothing. */
  flags: CaptionFlag[]
  /** Text tokens of the prompt, its chat template included. */
  promptTokens: number
  /** Tokens that the images are for the language model. */
  imageTokens: number
  /** Square crops that the vision tower took, whole frames included. */
  tiles: number
  /** How a video's frames were pooled: patches along one side of a feature; 1: they were not. */
  framePool: number
  timings: Timings
}

/** One of several answers about the same pictures, or why there is none. */
export type NamedAnswer = ({ error: null } & Answer) | { error: VcapError; status: RowErrorCode; text: ''; tokens: [] }

/**
 * A caption of pictures in memory. Where several questions were asked (`prompts`), `captions` has their answers; `text`
 * is then empty, and the other fields are those of all answers together.
 */
export interface Caption extends Answer {
  /** The answer to each of several questions, by its name; left out where one was asked. */
  captions?: Record<string, NamedAnswer> | undefined
}

/** A caption of a video or image file. */
export interface VideoCaption extends Caption {
  /** Frames of the whole video, whatever number was sampled; 1 for an image. */
  length: number
  /** True where the file has less than its container promises (`allowPartial`); left out where it is whole. */
  partial?: true
}

/** One result of `captionAll`: a caption, or why there is none. */
export type PathCaption =
  | ({ path: string; error: null } & VideoCaption)
  | { path: string; error: VcapError; status: RowErrorCode; text: ''; tokens: []; length: number | null }

/** Packed image features of several pictures. */
export interface Embeddings {
  /** `tokens × width`, row by row, images one after the other. */
  data: Float32Array
  tokens: number
  /** Numbers of one feature: the language model's embedding width. */
  width: number
  /** Tokens of each image, in order. */
  counts: number[]
}

export type RowStatus = Caption['status'] | RowErrorCode

/** What a captioner needs of one row. */
export interface RowInput {
  /** Absolute; empty where the row's cell is. */
  path: string
  /** What `{}` in the prompt stands for. */
  text?: string | undefined
  /** What `{column}` in the prompt stands for, by column: those that the captioner's `usesColumns` names. */
  cells?: Record<string, string> | undefined
  /**
   * 1 where a caption is asked for once more, since the first one was flagged: another answer is wanted than the same
   * row without it gets.
   */
  attempt?: number | undefined
  /** Of a captioner that answers several questions about each row, the names of those to answer; all when left out. */
  captions?: string[] | undefined
}

/** What a caption took. */
export interface RowUsage {
  /** Tokens that the images are for the language model; 0 where a server counts them among the prompt's. */
  imageTokens: number
  /** Text tokens of the prompt, its chat template included. */
  promptTokens: number
  /** Tokens generated. */
  tokens: number
  /** Square crops that the vision tower took. */
  tiles?: number | undefined
  /** How the frames were pooled; left out where they were not. */
  framePool?: number | undefined
  /** US dollars that it cost, the answers among it that another one replaced; left out where nobody can tell. */
  cost?: number | undefined
}

/** A row's caption, or one of its several, as plain data. */
export interface RowAnswer {
  /** As in the output's column status. */
  status: RowStatus
  /** Empty where there is none. */
  text: string
  /** Why there is no caption; null where there is one. */
  error: string | null
  /** Null where nothing was captioned. */
  usage: RowUsage | null
  /**
   * What is to be said of the caption: `CaptionFlag`s, and a captioner's own. A run adds those that text and status
   * give; left out where there are none.
   */
  flags?: string[] | undefined
  /** Where it was asked for once more since it was flagged: whether the second answer took its place. */
  retry?: 'replaced' | 'kept' | undefined
}

/**
 * What became of one row, as plain data: it can be sent, stored and printed as it is. The output's columns, a `row`
 * event and a captioner's answer in another process are this record. Where several questions were asked about the row,
 * `captions` has their answers: `text` is then empty, `status` the worst of theirs (an error, `empty`, `truncated`,
 * `ok`), and `error`, `usage`, `flags` and `retry` are of all of them together.
 */
export interface RowCaption extends RowAnswer {
  /** Frames of the whole video, as in the output's column num_frames; null where nobody could tell. */
  numFrames: number | null
  /** True where the file has less than its container promises (`allowPartial`). */
  partial?: true | undefined
  /** Number of the replica that captioned it, where there are several: in events, not in the journal. */
  replica?: number | undefined
  /**
   * The captions by name, where several questions were asked; left out where one was, and where the file could not be
   * asked about at all.
   */
  captions?: Record<string, RowAnswer> | undefined
}

/** What decides captions, each by its option's name. */
export type CaptionerSettings = Record<string, string | number | boolean | null>

/** What a run tells and asks of its captioner. */
export interface CaptionerInfo {
  /** The model, or the server and its model. */
  name: string
  /** One line for people: what captions, and where. */
  summary: string
  /** Changes with everything that can change a caption. */
  digest: string
  /** A run that is continued must have the same. */
  settings?: CaptionerSettings | undefined
  /** Whether a row's text goes into its prompt; assumed when left out. */
  usesText?: boolean | undefined
  /** Columns whose cells go into the prompt, besides the text's; a row then has them in `cells`. */
  usesColumns?: string[] | undefined
  /** Names of the captions that it makes of each row, in order; a row has one without a name when left out. */
  captions?: string[] | undefined
  /** What the user should know of the options given; empty where there is nothing. */
  warnings: string[]
  /** Rows worth handing in at once: enough to keep the captioner busy past a slow one. */
  window: number
  /** Rows really captioned at once; a run ends when more than so many in a row end in `engine_error`. */
  concurrency: number
}

/** How a replica stands. */
export interface ReplicaState {
  /** Its number, from 0. */
  replica: number
  /** Whether it loads, captions, or is to be started again. */
  state: 'loading' | 'ready' | 'lost'
  /** Of its process; null where there is none. */
  pid: number | null
  /** ggml's names of this machine's, then RPC servers; none: the CPU. */
  devices: string[]
  /** Rows under way in it. */
  rows: number
  /** Rows that it has done, in all its processes. */
  done: number
  /** Rows a second since its process was ready. */
  rate: number
  /** Bytes that are its own; mapped weights, which all share, are not counted. */
  memory: number
  /** Times that it was lost. */
  losses: number
}

/** How a batch of requests stands at a server. */
export interface BatchState {
  /** The number of its part of the run, from 1. */
  part: number
  /** The server's name for it. */
  batch: string
  /** As the server says it: validating, in_progress, finalizing, completed, failed, expired, cancelling, cancelled. */
  state: string
  /** Rows of it, those that are done, and those that failed. */
  rows: number
  done: number
  failed: number
}

/**
 * What engines have done since their captioner was made. That of several captioners that work side by side may be added
 * up, field by field.
 */
export interface EngineTime {
  /** Engines that work side by side. */
  engines: number
  /** Seconds in which they computed, of all of them together. */
  busy: number
  /** The same seconds, each times the share of its engine's sequences for which there were captions. */
  filled: number
}

/**
 * Whoever turns rows into captions: a loaded model, or anything that stands in for one. Its settings are its own.
 *
 * @example
 * ```js
 * const captioner = {
 *   info: { name: 'mine', summary: 'captions by file name', digest: '1', warnings: [], window: 8, concurrency: 2 },
 *   async captionRow({ path }, signal) {
 *     const known = { numFrames: null, usage: null }
 *     if (!fs.existsSync(path)) return { status: 'missing', text: '', error: 'No such file', ...known }
 *     return { status: 'ok', text: `A file named ${path}`, error: null, ...known }
 *   },
 *   async close() {}
 * }
 * await run('samples.csv', 'captions.csv', { captioner })
 * ```
 */
export interface RowCaptioner {
  readonly info: CaptionerInfo
  /**
   * Resolves for whatever concerns this row alone; rejects with what ends the run, `aborted` among it. An abort of
   * `signal` drops the row whatever its state. `recall` is aborted when the run is stopped, while captions under way
   * may still finish: a row that waits here and was not begun then rejects with `aborted` at once. It is never aborted
   * later than `signal`. A captioner that begins each row when it is handed in can leave it out.
   */
  captionRow(row: RowInput, signal: AbortSignal, recall: AbortSignal): Promise<RowCaption>
  /** What its engines have done; may be left out. The end of a run then does not say which share of them was used. */
  engineTime?(): Promise<EngineTime>
  /**
   * Called when every row that is left was handed in: a captioner that gathers rows need not wait for more. May be left
   * out.
   */
  handedIn?(): void
  /** Called when the record of every row is on the disk: what was kept to answer one again may go. May be left out. */
  recorded?(): Promise<void>
  close(): Promise<void>
}

/** Whether a row has a caption. */
export function isCaptioned({ status }: { status: RowStatus }): boolean {
  return status === 'ok' || status === 'truncated'
}
