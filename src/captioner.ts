import { setMaxListeners } from 'node:events'
import { chooseDevices } from './devices'
import { asVcapError, abortedError, isRowError, VcapError, type RowErrorCode } from './errors'
import { fitTiles } from './fit'
import { Decoder } from './frames/decoder'
import { findVideoTools } from './frames/tools'
import { Gate } from './gate'
import { fittingSequences, memoryBudget } from './memory'
import { findModel, type ModelFiles } from './models'
import type {
  Addon,
  NativeCaption,
  NativeDevice,
  NativeImage,
  NativeJob,
  NativeModel,
  NativeModelInfo
} from './native/addon'
import { loadAddon } from './native/load'
import {
  parseCaptionOptions,
  parseEmbedOptions,
  parseImageCaptionOptions,
  parseLoadOptions,
  pickCaptionOptions,
  type CaptionOptions,
  type CaptionSettings,
  type EmbedOptions,
  type ImageCaptionOptions,
  type ImageCaptionSettings,
  type LoadOptions,
  type LoadSettings
} from './options'
import { Occupancy } from './occupancy'
import { mapInOrder } from './ordered'
import { requirePicture, type Picture } from './picture'
import { buildPrompt } from './prompts'
import { cutTiles } from './tiles'

/** Milliseconds of each step; `queued` is the wait for a place in the engine. */
export interface Timings {
  frames: number
  tiles: number
  queued: number
  vision: number
  prefill: number
  decode: number
}

export interface Caption {
  /** One line. */
  text: string
  /** Token ids as generated, without the one that ended the caption. */
  tokens: number[]
  /** `truncated`: cut at `maxTokens`. `empty`: nothing but blanks. */
  status: 'ok' | 'truncated' | 'empty'
  promptTokens: number
  imageTokens: number
  /** Tiles that the vision tower took, overviews included. */
  tiles: number
  timings: Timings
}

export interface VideoCaption extends Caption {
  /** Frames of the whole video; 1 for an image. */
  numFrames: number
}

/** One of `captionAll`: a caption, or why there is none. */
export type PathCaption =
  | ({ path: string; error: null } & VideoCaption)
  | { path: string; error: VcapError; status: RowErrorCode; text: ''; tokens: []; numFrames: number | null }

export interface Embeddings {
  /** `tokens × width`: the packed image features, images one after the other. */
  data: Float32Array
  tokens: number
  width: number
  /** Tokens of each image, in order. */
  counts: number[]
}

/** A loaded model that captions. Made by `loadCaptioner`; safe to call from many places at once. */
export class Captioner {
  readonly info: NativeModelInfo
  /** What the caller should know of the options given; empty where there is nothing. */
  readonly warnings: string[]
  /** Rows worth handing in at once: enough to keep the engine busy past a slow one. */
  readonly window: number
  /** What the engine waited for. @internal */
  readonly occupancy: Occupancy
  readonly #addon: Addon
  readonly #model: NativeModel
  readonly #decoder: Decoder
  readonly #defaults: CaptionOptions
  /** Rows decoded, waiting for the engine or in it: what bounds memory. */
  readonly #rows: Gate
  readonly #active = new Set<Promise<unknown>>()
  #closing: Promise<void> | undefined

  /** @internal */
  constructor(addon: Addon, model: NativeModel, settings: LoadSettings, defaults: CaptionOptions) {
    this.#decoder = new Decoder(settings.decoders)
    const rows = model.info.sequences + this.#decoder.processes + 2
    this.info = model.info
    this.warnings = warnings(model.info)
    this.window = rows * 4
    this.occupancy = new Occupancy(model.info.sequences)
    this.#addon = addon
    this.#model = model
    this.#defaults = defaults
    this.#rows = new Gate(rows)
  }

  /**
   * Captions one local video or image file. Throws `missing`, `unreadable`, `no_frames`,
   * `context_overflow`, `engine_error`, `ffmpeg_missing`, `decoder_lost`, `aborted`, `closed`, `usage`.
   */
  async caption(path: string, options?: CaptionOptions): Promise<VideoCaption> {
    const settings = parseCaptionOptions({ ...this.#defaults, ...options })
    return this.#track(settings.signal, () => this.#rows.run(settings.signal, () => this.#captionFile(path, settings)))
  }

  /**
   * Captions many files at once and yields in the order of `paths`, each with its caption or
   * its error. Takes from `paths` only as fast as the results are read. Throws what concerns
   * all of them (`ffmpeg_missing`, `decoder_lost`, `aborted`, `closed`, `usage`).
   */
  captionAll(
    paths: Iterable<string> | AsyncIterable<string>,
    options?: CaptionOptions
  ): AsyncGenerator<PathCaption, void, undefined> {
    return this.#withOwnSignal(options?.signal, (signal) =>
      mapInOrder(paths, this.window, (path) => this.captionOrError(path, { ...options, signal }))
    )
  }

  /** As `caption`, with an error of this one file as a result instead of a throw. */
  async captionOrError(path: string, options?: CaptionOptions): Promise<PathCaption> {
    try {
      return { path, error: null, ...(await this.caption(path, options)) }
    } catch (thrown) {
      const error = asVcapError(thrown)
      if (!isRowError(error.code)) throw error
      return {
        path,
        error,
        status: error.code,
        text: '',
        tokens: [],
        numFrames: error instanceof FramesKnownError ? error.numFrames : null
      }
    }
  }

  /** Captions pictures in memory, all in one prompt. Throws as `caption` does. */
  async captionImages(images: Picture[], options?: ImageCaptionOptions): Promise<Caption> {
    const { numFrames, resize, ffmpeg, decodeTimeout, ...defaults } = this.#defaults
    const settings = parseImageCaptionOptions({ ...defaults, ...options })
    requirePictures(images)
    return this.#track(settings.signal, () =>
      this.#rows.run(settings.signal, () => this.#captionPictures(images, settings, 0))
    )
  }

  /** The packed image features of pictures, as the language model would get them. */
  async embedImages(images: Picture[], options?: EmbedOptions): Promise<Embeddings> {
    const { anyres, signal } = parseEmbedOptions({ anyres: this.#defaults.anyres, ...options })
    requirePictures(images)
    return this.#track(signal, () =>
      this.#rows.run(signal, async () => {
        // Features alone need no place in a context: everything fits.
        const maxTiles = fitTiles(this.#addon, { ...this.info, contextPerSequence: Infinity }, anyres, images, {
          promptTokens: 0,
          maxTokens: 0
        })
        const tiles = await this.#cutTiles(images, maxTiles)
        return finish(this.#model.embed(tiles), signal)
      })
    )
  }

  /** Finishes what was started, then frees the model. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      await Promise.allSettled(this.#active)
      this.#decoder.close()
      await this.#model.close()
    })()
    return this.#closing
  }

  async #captionFile(path: string, settings: CaptionSettings): Promise<VideoCaption> {
    const started = performance.now()
    const { frames, length } = await this.occupancy.preparing(() =>
      this.#decoder.sample(path, settings, this.#active.size)
    )
    try {
      return { ...(await this.#captionPictures(frames, settings, performance.now() - started)), numFrames: length }
    } catch (thrown) {
      const error = asVcapError(thrown)
      throw isRowError(error.code) ? new FramesKnownError(error, length) : error
    }
  }

  async #captionPictures(images: Picture[], settings: ImageCaptionSettings, framesTime: number): Promise<Caption> {
    const { anyres, maxTokens, temperature, topP, seed, ignoreEos, signal } = settings
    const prompt = buildPrompt(settings.prompt, images.length, settings.text)
    const promptTokens = this.#model.countPromptTokens(prompt, images.length)
    const maxTiles = fitTiles(this.#addon, this.info, anyres, images, { promptTokens, maxTokens })
    const started = performance.now()
    const tiles = await this.occupancy.preparing(() => this.#cutTiles(images, maxTiles))
    const tilesTime = performance.now() - started
    if (signal?.aborted) throw abortedError(signal)
    const request = { images: tiles, prompt, maxTokens, temperature, topP, seed, ignoreEos, firstLogits: false }
    const answer = await this.occupancy.inside(() => finish(this.#model.caption(request), signal))
    const tileCount = tiles.reduce((sum, { cols, rows }) => sum + 1 + cols * rows, 0)
    return toCaption(answer, tileCount, { frames: framesTime, tiles: tilesTime })
  }

  #cutTiles(images: Picture[], maxTiles: number): Promise<NativeImage[]> {
    return Promise.all(images.map((image) => cutTiles(this.#addon, this.info.vision, image, maxTiles)))
  }

  /** `close` waits for work that came before it and refuses what comes after. */
  async #track<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    if (this.#closing) throw new VcapError('closed', 'The captioner is closed')
    if (signal) setMaxListeners(0, signal) // one signal for many captions is the usual case
    const done = work()
    this.#active.add(done)
    try {
      return await done
    } catch (error) {
      throw asVcapError(error, 'engine_error')
    } finally {
      this.#active.delete(done)
    }
  }

  /** A reader that leaves early ends the work it asked for. */
  async *#withOwnSignal<T>(
    outer: AbortSignal | undefined,
    start: (signal: AbortSignal) => AsyncGenerator<T>
  ): AsyncGenerator<T, void, undefined> {
    const own = new AbortController()
    const signal = outer ? AbortSignal.any([outer, own.signal]) : own.signal
    const results = start(signal)
    try {
      while (true) {
        const { done, value } = await results.next()
        if (done) return
        yield value
      }
    } finally {
      own.abort()
      await results.return(undefined)
    }
  }
}

/** An error of a row whose length is known all the same. */
class FramesKnownError extends VcapError {
  readonly numFrames: number

  constructor(error: VcapError, numFrames: number) {
    super(error.code, error.message, { cause: error })
    this.numFrames = numFrames
  }
}

/**
 * Loads a model and its projector. Throws `usage`, `addon_missing`, `ffmpeg_missing`,
 * `model_not_found`, `model_invalid`, `model_mismatch`, `device_unavailable`,
 * `out_of_memory`, `aborted`.
 */
export async function loadCaptioner(options?: LoadOptions): Promise<Captioner> {
  const settings = parseLoadOptions(options)
  const files = findModel(settings.model, settings.mmproj)
  findVideoTools(settings.ffmpeg)
  const addon = loadAddon()
  try {
    const { names, devices } = chooseDevices(addon, settings.gpus, settings.rpc)
    const job = addon.loadModel(
      {
        ...files,
        devices: names,
        splitMode: settings.splitMode,
        sequences: settings.sequences ?? sequencesFor(addon, files, devices, settings),
        contextPerSequence: settings.contextPerSequence,
        threads: settings.threads,
        kvType: settings.kvType,
        chatTemplate: settings.chatTemplate
      },
      settings.onProgress ?? (() => undefined)
    )
    const model = await finish(job, settings.signal)
    // The signal given here ends the loading; a caption has its own.
    const { signal, ...defaults } = pickCaptionOptions(options ?? {})
    return new Captioner(addon, model, settings, defaults)
  } catch (error) {
    throw asVcapError(error, 'model_invalid')
  }
}

/** What is left of the memory is shared out among captions when the model is loaded: each has a KV stream of its own. */
function sequencesFor(
  addon: Addon,
  { model, mmproj }: ModelFiles,
  devices: NativeDevice[],
  { kvType, chatTemplate, contextPerSequence }: LoadSettings
): number {
  const facts = addon.inspect(model, mmproj, chatTemplate)
  return fittingSequences(memoryBudget(facts, devices, kvType), contextPerSequence || facts.contextTrained)
}

/** Loads, captions one file, closes. For more than one file `loadCaptioner` loads once. */
export async function captionVideo(path: string, options?: LoadOptions): Promise<VideoCaption> {
  const captioner = await loadCaptioner({ sequences: 1, ...options })
  try {
    return await captioner.caption(path, { signal: options?.signal })
  } finally {
    await captioner.close()
  }
}

/** The job's result; an abort cancels it and rejects with `aborted`. */
async function finish<T>(job: NativeJob<T>, signal: AbortSignal | undefined): Promise<T> {
  const cancel = () => job.cancel()
  if (signal?.aborted) cancel()
  signal?.addEventListener('abort', cancel, { once: true })
  try {
    return await job.promise
  } finally {
    signal?.removeEventListener('abort', cancel)
  }
}

function toCaption(answer: NativeCaption, tiles: number, before: { frames: number; tiles: number }): Caption {
  const text = answer.text.replace(/\n/g, ' ').trim()
  return {
    text,
    tokens: answer.tokens,
    status: text === '' ? 'empty' : answer.finish === 'length' ? 'truncated' : 'ok',
    promptTokens: answer.promptTokens,
    imageTokens: answer.imageTokens,
    tiles,
    timings: { ...before, ...answer.timings }
  }
}

function warnings({ contextPerSequence, contextTrained }: NativeModelInfo): string[] {
  return contextPerSequence > contextTrained
    ? [
        `The context of ${contextPerSequence} positions is more than the ${contextTrained} the model was trained on: captions that use them may be worse`
      ]
    : []
}

function requirePictures(images: Picture[]): void {
  if (!Array.isArray(images) || images.length === 0) throw new VcapError('usage', 'Expected one image or more')
  images.forEach(requirePicture)
}
