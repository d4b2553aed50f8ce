/**
 * The addon's whole surface: what native/binding exports and nothing else.
 *
 * TypeScript has validated every value and filled every default before it calls here;
 * the addon checks again only what could hurt it. Every error it throws or rejects with
 * is an `Error` with a string `code` of `ErrorCode` (src/errors.ts).
 */

import type { Picture } from '../picture'

/** A ggml device as the addon was built to see it. */
export interface NativeDevice {
  /** ggml's name, unique in the process: `CPU`, `CUDA0`, `RPC0`. */
  name: string
  description: string
  type: 'cpu' | 'gpu' | 'igpu' | 'accel'
  /** Bytes; 0 where the backend does not say. */
  memoryFree: number
  memoryTotal: number
  /** Why it cannot compute here, such as a GPU that this build has no code for: a sentence. */
  problem?: string
}

/** One of CUDA's libraries that the package does not bring and looks for when it runs. */
export interface NativeLibrary {
  /** With the major version that this build needs: `cuBLAS 13`. */
  name: string
  /** Version and path of the one found; empty where there is none. */
  version: string
  path: string
  /** Why there is none, without a full stop. */
  problem?: string
}

export interface NativeBuild {
  llamaCpp: string
  /** Backends compiled in: `CPU`, `CUDA`, `RPC`. */
  backends: string[]
  /**
   * Why CUDA offers no GPU in this process, as words that go on from "built with CUDA, "; empty where it offers one, or
   * where this build has no CUDA. Reading it starts the driver.
   */
  readonly whyNoCudaGpu: string
  /** Which of CUDA's libraries are here; none where this build has no CUDA. Reading it opens them. */
  readonly cudaLibraries: NativeLibrary[]
  /** Major and minor version of ggml's RPC protocol, where that backend is compiled in. */
  rpcProtocol?: [number, number]
  sanitized: boolean
}

/** How a model wants its pictures; read from the projector file. */
export interface NativeVision {
  /** Side of a tile in pixels. */
  tileSize: number
  /** Side of a patch in pixels. */
  patchSize: number
  /** Grids of tiles, `[width, height]` in pixels, in the file's order. Empty: one tile an image. */
  pinpoints: [number, number][]
  /** How one image becomes tiles: anyres grid, square padding (LLaVA-1.5) or centre crop. */
  aspect: 'anyres' | 'pad' | 'crop'
  /** How the grid's features are joined: padding cut off and newlines added, in two dimensions, or tile by tile. */
  merge: 'spatial_unpad' | 'spatial' | 'flat'
  /** Numbers of one image feature; equals the language model's embedding width. */
  featureWidth: number
  /** Floating-point operations of the tower and the projector for one tile. */
  tileOperations: number
  /** How the model was trained to have a video's frames. */
  pooling: NativePooling
  /** Whether the model has a newline feature. */
  newline: boolean
}

/**
 * How a video's frames are pooled before the language model reads them: each is one tile, its middle square, whose grid
 * of patches is made smaller.
 */
export interface NativePooling {
  /** Patches along one side of what becomes one feature; 1: frames are read as pictures are. */
  stride: number
  /** Pool by 2 to 4 where detail `auto` finds no room for one whole tile a frame. */
  ifNeeded?: boolean
  mode: 'average' | 'max' | 'bilinear'
  /** Whether the features are pooled, behind the projector, or the patches before it. */
  place: 'after' | 'before'
  /** Where the newline feature stands: behind each row of a frame, each frame, the last frame, or nowhere. */
  newline: 'grid' | 'frame' | 'one_token' | 'no_token'
}

/** What the headers of a language model and its projector say, before any weight is read. */
export interface NativeModelFacts {
  name: string
  architecture: string
  parameters: number
  /** Bytes of the language model's and the projector's weights. */
  modelBytes: number
  mmprojBytes: number
  layers: number
  embeddingWidth: number
  vocabulary: number
  /** Positions the language model was trained on. */
  contextTrained: number
  /** Bytes of keys and values that one position takes, at half precision. */
  kvBytesPerPosition: number
  chatTemplate: string
  /** Why this template: what in the metadata, or that the caller asked for it. */
  chatTemplateReason: string
  vision: NativeVision
  /** What people should know before they trust the captions, a sentence each. */
  warnings: string[]
}

/** One token of a prompt: its id, and how the vocabulary spells it. */
export interface NativeToken {
  id: number
  text: string
}

/** A prompt's text tokens: those before the images' features, and those after them. */
export interface NativePrompt {
  before: NativeToken[]
  after: NativeToken[]
}

export interface NativeModelInfo extends NativeModelFacts {
  /** Positions each sequence has here. */
  contextPerSequence: number
  /** Captions at once. */
  sequences: number
  /** Tokens of the least prompt there is: one picture at the least detail, and no question. */
  leastTokens: number
  devices: string[]
}

/** How much of a picture the tower sees: the most that fits the context, all that the model knows, or one tile. */
export type Detail = 'auto' | 'full' | 'off'

/** A size in pixels. */
export interface NativeSize {
  width: number
  height: number
}

/** What one image costs. */
export interface NativeImageLayout {
  /** Tiles that the vision tower takes, the whole image as one of them. */
  tiles: number
  /** Tokens for the language model, newline features included. */
  tokens: number
  /** How a video's frame is pooled; left out where it is not. */
  framePool?: number
}

export interface NativeLoadOptions {
  model: string
  mmproj: string
  /** Names from `devices()`; empty: the CPU. */
  devices: string[]
  splitMode: 'layer' | 'tensor'
  /** How much each device gets, in any unit; empty: llama.cpp's choice. */
  tensorSplit: number[]
  /** Captions at once, each with a KV sequence of its own. */
  sequences: number
  /** Positions a sequence; 0: what the model was trained on. */
  contextPerSequence: number
  /** CPU threads. */
  threads: number
  /** Type of the keys and values that are kept. */
  kvType: 'f32' | 'f16' | 'q8_0'
  /** A template's name; empty: by the model's metadata. */
  chatTemplate: string
  /** Whether weights stay in their file, mapped, where the device allows it. */
  mmap: boolean
}

export interface NativeRequest {
  /** Entered whole and copied once; may be changed or detached after the call. */
  pictures: Picture[]
  detail: Detail
  /** Where the pictures are a video's frames and pooled; `detail` then says nothing. */
  pooling?: NativePooling | undefined
  /**
   * One or more, each answered as if it were the only one, after the same images: these are encoded and prefilled once.
   * The detail is the most that leaves room for each of them that has room at all.
   */
  questions: NativeQuestion[]
}

/** A question about the pictures, and how it is answered. */
export interface NativeQuestion {
  /** Without template. */
  prompt: string
  maxTokens: number
  /** 0: greedy. */
  temperature: number
  topP: number
  seed: number
  /** Go on to `maxTokens` whatever the model says: equal work for benchmarks. */
  ignoreEos: boolean
  /** End an answer that says one passage over and over; without effect beside `ignoreEos`. */
  repetitionStop: boolean
  /** In GBNF, to which the answer is held; it ends where the grammar does, and `ignoreEos` is without effect. */
  grammar?: string
  /** Also return the logits of the first generated position, to compare with another implementation. */
  firstLogits: boolean
}

/** What one question came to: a caption or, where others have one, why it has none. */
export type NativeAnswer = NativeCaption | { error: { code: string; message: string } }

export interface NativeCaption {
  /** Valid UTF-8, special tokens left out; where it was cut, completed by the least that the grammar asks for. */
  text: string
  /** Token ids as generated, without the one that ended the caption and without a loop's later rounds. */
  tokens: number[]
  /** What ended it: the model, `maxTokens`, or that it had begun to say one passage over and over. */
  finish: 'stop' | 'length' | 'loop'
  promptTokens: number
  imageTokens: number
  tiles: number
  /** How the frames were pooled; 1: they were not. */
  framePool: number
  /** `[vocabulary]`, where it was asked for. */
  firstLogits?: Float32Array
  /** Milliseconds of each step; what was done once for all questions is in the first one's alone. */
  timings: { preprocess: number; queued: number; vision: number; prefill: number; decode: number }
}

export interface NativeEmbedding {
  /** `tokens × width`, row by row, images one after the other. */
  data: Float32Array
  tokens: number
  width: number
  /** Tokens of each image, in order. */
  counts: number[]
}

/** Work handed to the engine. `cancel()` makes the promise reject with `aborted` soon. */
export interface NativeJob<T> {
  promise: Promise<T>
  cancel(): void
}

/** Rejects where there is no caption at all. */
export interface NativeCaptionJob extends NativeJob<NativeAnswer[]> {
  /** Resolves when the engine holds the pictures no more: their tiles are cut, or never will be. */
  cut: Promise<void>
}

/** Seconds of an engine's thread since it was started. */
export interface NativeEngineTime {
  /** In which it computed. */
  busy: number
  /** The same, each second times the share of its sequences for which it had captions. */
  filled: number
}

export interface NativeModel {
  readonly info: NativeModelInfo
  caption(request: NativeRequest): NativeCaptionJob
  /** Features of the pictures, each at the detail asked for, or pooled. */
  embed(pictures: Picture[], detail: Detail, pooling?: NativePooling | undefined): NativeJob<NativeEmbedding>
  time(): NativeEngineTime | Promise<NativeEngineTime>
  /** Finishes what was submitted, then frees the model. Idempotent. */
  close(): Promise<void>
}

export interface Addon {
  build: NativeBuild
  /**
   * Cancels all work of this thread's models and loads, and waits for their threads: for the `exit` event.
   * `process.exit` ends the process without asking addons, and threads must not run into its destructors.
   */
  shutdown(): void
  /**
   * Local devices and those of the ggml RPC servers named (`host:port`). ggml ends the process where a server does not
   * answer as it should, and waits without end where it does not answer at all: `openEngineHost` keeps that away.
   */
  devices(rpc: string[]): NativeDevice[]
  /** Reads and checks the headers alone. `chatTemplate` as in `NativeLoadOptions`. */
  inspect(model: string, mmproj: string, chatTemplate: string): NativeModelFacts
  /** The prompt that asks the question `prompt`, as the model gets it. Reads headers and vocabulary alone. */
  promptTokens(model: string, mmproj: string, chatTemplate: string, prompt: string): NativePrompt
  /** Throws `usage` for a grammar that is none, with the line at fault. */
  checkGrammar(grammar: string): void
  /**
   * What images of these sizes cost together, for a projector file: `auto` takes the most detail whose tokens are at
   * most `room`. Where not even the least fits, the least is returned. With `pooling` they are a video's frames.
   */
  fit(
    mmproj: string,
    sizes: NativeSize[],
    detail: Detail,
    room: number,
    pooling?: NativePooling | undefined
  ): NativeImageLayout[]
  /** Interleaved RGB scaled as Pillow's bicubic does it, to the bit. */
  resample(pixels: Uint8Array, width: number, height: number, newWidth: number, newHeight: number): Promise<Uint8Array>
  loadModel(options: NativeLoadOptions, onProgress: (fraction: number) => void): NativeJob<NativeModel>
  /** Has the system end this process with the thread that started it, whatever it is doing then (Linux). */
  endWithParent(): void
  /**
   * Lets this process, its threads and those that they start run on these processors alone, and so has the memory that
   * they touch first near them (Linux; without effect elsewhere).
   */
  runOnCpus(cpus: number[]): void
  /** For tests alone. */
  testing: NativeTesting
}

/** What of a model decides how an image is laid out. */
type Geometry = Pick<NativeVision, 'tileSize' | 'patchSize' | 'pinpoints' | 'aspect' | 'merge'>

/** What tests may see of the inside. */
export interface NativeTesting {
  /**
   * How fast a device is: FLOP/s of square products of F16 and of F32 weights, `side` numbers a side, and bytes/s of
   * reading weights for one column and of copying to the device. Takes some seconds.
   */
  deviceRates(
    name: string,
    side: number,
    threads: number
  ): { halfProducts: number; floatProducts: number; reading: number; upload: number }
  /** Serves the CPU as a ggml RPC server at `host:port`, for as long as the process lives. */
  serveRpc(endpoint: string): void
  /** How an image is laid out; `maxTiles` bounds the tiles of the grid (0: the overview alone). */
  layout(geometry: Geometry, width: number, height: number, maxTiles: number): unknown
  /** An image's tiles, `[tiles, tileSize, tileSize, 3]`: the overview, then the grid row by row. */
  cut(
    geometry: Geometry,
    picture: Picture,
    maxTiles: number
  ): {
    pixels: Uint8Array
    cols: number
    rows: number
  }
  /** Bytes of pictures copied into the addon since the process began. */
  bytesCopied(): number
}
