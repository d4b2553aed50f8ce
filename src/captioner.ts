import { setMaxListeners } from 'node:events'
import type {
  Answer,
  Caption,
  CaptionerInfo,
  CaptionerSettings,
  Embeddings,
  NamedAnswer,
  PathCaption,
  RowAnswer,
  RowCaption,
  RowCaptioner,
  RowInput,
  Timings,
  VideoCaption
} from './caption'
import { flagsOf } from './checks/flags'
import { asVcapError, isRowError, VcapError, type RowErrorCode } from './errors'
import { grammarOf } from './form/form'
import { Decoder } from './frames/decoder'
import type { NativeAnswer, NativeCaption, NativeCaptionJob, NativeModel, NativeModelInfo } from './native/addon'
import { captionSettings, digestSettings } from './identity'
import { requireGrammar } from './native/grammar'
import { finish } from './native/job'
import { addonWarnings } from './native/load'
import { Occupancy } from './occupancy'
import {
  overDefaults,
  parseCaptionOptions,
  parseEmbedOptions,
  parseImageCaptionOptions,
  type CaptionOptions,
  type CaptionSettings,
  type EmbedOptions,
  type ImageCaptionOptions,
  type ImageCaptionSettings
} from './options'
import { mapInOrder } from './ordered'
import { requirePicture, type Picture } from './picture'
import { choosePooling } from './pooling'
import type { MediaKind } from './prompts/presets'
import { buildPrompt, columnsOf, eachQuestion, promptWarnings, takesText } from './prompts/question'
import { withCaptions } from './row-captions'
import { Semaphore } from './semaphore'

/** What became of one file: a caption, or an error that concerns this file alone. */
type FileOutcome =
  | { caption: VideoCaption; error: null }
  | { caption: null; error: VcapError & { code: RowErrorCode }; length: number | null }

/** What a row's cells put into its question, and which of several are asked. */
type RowCells = Pick<RowInput, 'cells' | 'captions'>

/** What decides the caption of one file. */
type FileSettings = CaptionSettings & RowCells

/**
 * Bytes of the pictures that are on their way from the decoders until the engine has cut their tiles. Three frames of
 * 720p have 8 MB. They are here twice for a moment, as the engine copies them.
 */
const maxPictureBytes = 512 * 2 ** 20

/** A loaded model that captions. Made by `loadCaptioner`; safe to call from many places at once. */
export class Captioner {
  readonly info: NativeModelInfo
  /** What the caller should know of the options given; empty where there is nothing. */
  readonly warnings: string[]
  /** Files worth handing in at once: enough to keep the engine busy past a slow one. */
  readonly window: number
  /** Files worked on at once: in the engine, in the decoders, and two that wait between them. @internal */
  readonly places: number
  /** What the engine waited for. @internal */
  readonly occupancy: Occupancy
  readonly #model: NativeModel
  readonly #identity: CaptionerSettings
  readonly #decoder: Decoder
  readonly #defaults: CaptionOptions
  /** Bounds the files that are being decoded, wait for the engine or are in it, and so the memory they take. */
  readonly #underWay: Semaphore
  readonly #active = new Set<Promise<unknown>>()
  #closing: Promise<void> | undefined

  /** @internal */
  constructor(model: NativeModel, decoders: number, identity: CaptionerSettings, defaults: CaptionOptions) {
    this.#decoder = new Decoder(decoders, new Semaphore(maxPictureBytes))
    this.places = model.info.sequences + this.#decoder.processes + 2
    this.info = model.info
    this.warnings = warnings(model.info)
    this.window = this.places * 4
    this.occupancy = new Occupancy(model.info.sequences)
    this.#model = model
    this.#identity = identity
    this.#defaults = defaults
    this.#underWay = new Semaphore(this.places)
  }

  /**
   * Captions one local video or image file. Throws `missing`, `unreadable`, `no_frames`,
   * `context_overflow`, `engine_error`, `ffmpeg_missing`, `decoder_lost`, `aborted`, `closed`, `usage`.
   */
  async caption(path: string, options?: CaptionOptions): Promise<VideoCaption> {
    const { caption, error } = await this.#captionFile(path, this.#settings(options))
    if (error) throw error
    return caption
  }

  /**
   * Captions many files at once and yields in the order of `paths`, each with its caption or
   * its error. Takes from `paths` only as fast as the results are read. Throws what concerns
   * all of them (`ffmpeg_missing`, `decoder_lost`, `aborted`, `closed`, `usage`).
   */
  async *captionAll(
    paths: Iterable<string> | AsyncIterable<string>,
    options?: CaptionOptions
  ): AsyncGenerator<PathCaption, void, undefined> {
    const settings = this.#settings(options)
    // A reader that leaves early ends the work it asked for.
    const left = new AbortController()
    const signal = settings.signal ? AbortSignal.any([settings.signal, left.signal]) : left.signal
    const results = mapInOrder(paths, this.window, async (path): Promise<PathCaption> => {
      const outcome = await this.#captionFile(path, { ...settings, signal })
      if (outcome.caption) return { path, error: null, ...outcome.caption }
      const { error, length } = outcome
      return { path, error, status: error.code, text: '', tokens: [], length }
    })
    try {
      while (true) {
        const { done, value } = await results.next()
        if (done) return
        yield value
      }
    } finally {
      left.abort()
      await results.return(undefined)
    }
  }

  /**
   * This model as the captioner of a run's rows, with these options for each of them. Closing it leaves the model
   * open. Throws `usage`.
   */
  rows(options?: CaptionOptions): RowCaptioner {
    const settings = this.#settings(options)
    choosePooling(this.info.vision, settings)
    requireGrammar(settings)
    requireRoom(this.info, settings)
    return {
      info: this.#describe(settings),
      captionRow: async (row: RowInput, signal: AbortSignal, recall?: AbortSignal) => {
        const { path, text, cells, captions, attempt = 0 } = row
        const sampling = attempt > 0 && again(settings, attempt)
        const asked = { ...settings, text: text ?? settings.text, cells, captions, signal, ...sampling }
        return toRowCaption(await this.#captionFile(path, asked, recall))
      },
      engineTime: async () => ({ engines: 1, ...(await this.#model.time()) }),
      close: async () => undefined
    }
  }

  /** Captions pictures in memory, all in one prompt. Throws as `caption` does. */
  async captionImages(images: Picture[], options?: ImageCaptionOptions): Promise<Caption> {
    const { numFrames, fps, resize, ffmpeg, decodeTimeout, decodeMemory, allowPartial, ...defaults } = this.#defaults
    const settings = parseImageCaptionOptions(overDefaults(defaults, options))
    requirePictures(images)
    return this.#track(settings.signal, () => this.#finishCaption(this.#submit(images, settings), settings, 0))
  }

  /** The packed image features of pictures, as the language model would get them. */
  async embedImages(images: Picture[], options?: EmbedOptions): Promise<Embeddings> {
    const { anyres, framePool, framePoolMode, framePoolPlace, frameNewline } = this.#defaults
    const defaults = { anyres, framePool, framePoolMode, framePoolPlace, frameNewline }
    const { anyres: detail, signal, ...pooling } = parseEmbedOptions({ ...defaults, ...options })
    requirePictures(images)
    return this.#track(signal, () =>
      finish(this.#model.embed(images, detail, choosePooling(this.info.vision, pooling)), signal)
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

  #settings(options: CaptionOptions | undefined): CaptionSettings {
    return parseCaptionOptions(overDefaults(this.#defaults, options))
  }

  #describe(settings: CaptionSettings): CaptionerInfo {
    const decisive = { ...this.#identity, ...captionSettings(settings) }
    const columns = columnsOf(settings)
    return {
      name: this.info.name,
      summary: summary(this.info),
      digest: digestSettings(decisive),
      settings: decisive,
      usesText: takesText(settings),
      ...(columns.length > 0 && { usesColumns: columns }),
      ...(settings.prompts && { captions: Object.keys(settings.prompts) }),
      warnings: [...this.warnings, ...promptWarnings(settings)],
      window: this.window,
      concurrency: this.info.sequences
    }
  }

  /** `recall` takes it back as long as its decoding has not begun. Throws what concerns more than this file. */
  async #captionFile(path: string, settings: FileSettings, recall = settings.signal): Promise<FileOutcome> {
    let length: number | null = null
    try {
      const caption = await this.#track(recall, async () => {
        const { job, framesTime, ...sampled } = await this.#submitFile(path, settings, recall)
        length = sampled.length
        const caption = await this.#finishCaption(job, settings, framesTime)
        return { ...caption, length, ...(sampled.partial && { partial: sampled.partial }) }
      })
      return { caption, error: null }
    } catch (thrown) {
      const error = asVcapError(thrown)
      if (isRowError(error)) return { caption: null, error, length }
      throw error
    }
  }

  /** A function of its own, which ends long before the caption does: nothing holds the pictures then. */
  async #submitFile(path: string, settings: FileSettings, recall: AbortSignal | undefined) {
    const started = performance.now()
    const { frames, release, length, partial, kind } = await this.occupancy.preparing(() =>
      this.#decoder.sample(path, settings, { underWay: this.#active.size, recall })
    )
    try {
      const job = this.#submit(frames, settings, kind)
      job.cut.then(release, release)
      return { job, length, partial, framesTime: performance.now() - started }
    } catch (error) {
      release()
      throw error
    }
  }

  #submit(pictures: Picture[], settings: ImageCaptionSettings & RowCells, kind?: MediaKind): NativeCaptionJob {
    const { anyres: detail, maxTokens, temperature, topP, seed, ignoreEos, repetitionStop } = settings
    const { text, cells } = settings
    const answering = { maxTokens, temperature, topP, seed, ignoreEos, repetitionStop, firstLogits: false }
    const grammar = grammarOf(settings)
    const questions = questionsFor(settings).map(([, question]) => ({
      prompt: buildPrompt(question, { images: pictures.length, kind, text, cells }),
      ...answering,
      grammar
    }))
    // Pictures in memory are a video's frames as far as anybody knows.
    const pooling = kind === 'image' ? undefined : choosePooling(this.info.vision, settings)
    return this.#model.caption({ pictures, detail, pooling, questions })
  }

  /** `settings`: those that it was submitted with. */
  async #finishCaption(
    job: NativeCaptionJob,
    settings: ImageCaptionSettings & RowCells,
    framesTime: number
  ): Promise<Caption> {
    const answers = await this.occupancy.inside(() => finish(job, settings.signal))
    // One question alone rejects where it has no caption.
    const isFormed = grammarOf(settings) !== ''
    if (!settings.prompts) return toAnswer(answers[0] as NativeCaption, framesTime, isFormed)
    const names = questionsFor(settings).map(([name]) => name!)
    return toCaption(names, answers, framesTime, isFormed)
  }

  /** Waits for a turn. `close` waits for work that came before it and refuses what comes after. */
  async #track<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    if (this.#closing) throw new VcapError('closed', 'The captioner is closed')
    if (signal) setMaxListeners(0, signal) // one signal for many captions is the usual case
    const done = this.#underWay.run(signal, work)
    this.#active.add(done)
    try {
      return await done
    } catch (error) {
      throw asVcapError(error, 'engine_error')
    } finally {
      this.#active.delete(done)
    }
  }
}

/** Temperature of a second answer where the first was greedy, and greedy would be the same again. */
const secondTemperature = 0.7

/** The sampling of a caption that is asked for once more. */
function again({ seed, temperature }: CaptionSettings, attempt: number): Pick<CaptionSettings, 'seed' | 'temperature'> {
  return { seed: (seed + attempt) % 2 ** 32, temperature: temperature || secondTemperature }
}

/** What is asked about one row. */
function questionsFor(settings: ImageCaptionSettings & RowCells): ReturnType<typeof eachQuestion> {
  const { captions } = settings
  const all = eachQuestion(settings)
  return captions ? all.filter(([name]) => name === undefined || captions.includes(name)) : all
}

/** Several answers about the same pictures; their frames were read once, for the first of them. */
function toCaption(names: string[], answers: NativeAnswer[], framesTime: number, isFormed: boolean): Caption {
  const firstGiven = answers.findIndex((answer) => !('error' in answer))
  const captions = answers.map((answer, i): NamedAnswer => {
    if (!('error' in answer)) return { error: null, ...toAnswer(answer, i === firstGiven ? framesTime : 0, isFormed) }
    const error = new VcapError(answer.error.code as RowErrorCode, answer.error.message)
    return { error, status: error.code as RowErrorCode, text: '', tokens: [] }
  })
  const given = captions.flatMap((caption) => (caption.error ? [] : caption))
  const first = given[0]! // where none could be answered the request was refused
  const statuses = given.map(({ status }) => status)
  const sum = (count: (answer: Answer) => number) => given.reduce((total, answer) => total + count(answer), 0)
  const steps = Object.keys(first.timings) as (keyof Timings)[]
  return {
    text: '',
    tokens: given.flatMap(({ tokens }) => tokens),
    status: (['empty', 'truncated'] as const).find((status) => statuses.includes(status)) ?? 'ok',
    flags: [...new Set(given.flatMap(({ flags }) => flags))],
    promptTokens: sum(({ promptTokens }) => promptTokens),
    imageTokens: first.imageTokens,
    tiles: first.tiles,
    framePool: first.framePool,
    timings: Object.fromEntries(steps.map((step) => [step, sum(({ timings }) => timings[step])])) as unknown as Timings,
    captions: Object.fromEntries(names.map((name, i) => [name, captions[i]!]))
  }
}

/** An answer in a form is as its form has it, blanks and line breaks too. */
function toAnswer(answer: NativeCaption, framesTime: number, isFormed: boolean): Answer {
  const { tokens, promptTokens, imageTokens, tiles, framePool, finish: ending } = answer
  const text = isFormed ? answer.text : answer.text.replace(/\n/g, ' ').trim()
  const status = text.trim() === '' ? 'empty' : ending === 'stop' ? 'ok' : 'truncated'
  const flags = flagsOf(text, status, ending === 'loop')
  const timings = { frames: framesTime, ...answer.timings }
  return { text, tokens, status, flags, promptTokens, imageTokens, tiles, framePool, timings }
}

function toRowCaption(outcome: FileOutcome): RowCaption {
  if (outcome.error) {
    const { error, length } = outcome
    return { status: error.code, text: '', numFrames: length, error: error.message, usage: null }
  }
  const { captions, length: numFrames, partial } = outcome.caption
  const about = { numFrames, ...(partial && { partial }) }
  if (!captions) return { ...toRowAnswer({ error: null, ...outcome.caption }), ...about }
  const answers = Object.entries(captions).map(([name, answer]) => [name, toRowAnswer(answer)])
  return withCaptions(about, Object.fromEntries(answers))
}

function toRowAnswer(answer: NamedAnswer): RowAnswer {
  if (answer.error) return { status: answer.status, text: '', error: answer.error.message, usage: null }
  const { status, text, flags, tiles, framePool, imageTokens, promptTokens, tokens } = answer
  const usage = { imageTokens, promptTokens, tokens: tokens.length, tiles, ...(framePool > 1 && { framePool }) }
  return { status, text, error: null, usage, ...(flags.length > 0 && { flags }) }
}

function summary(model: NativeModelInfo): string {
  const { name, parameters, devices, sequences, contextPerSequence, chatTemplate, chatTemplateReason } = model
  const size = parameters >= 1e9 ? `${(parameters / 1e9).toFixed(1)} B` : `${(parameters / 1e6).toFixed(1)} M`
  return [
    `${name}: ${size} parameters on ${devices.join(', ') || 'CPU'}`,
    `${sequences} captions at once`,
    `${contextPerSequence} positions each; prompt template ${chatTemplate} (${chatTemplateReason})`
  ].join(', ')
}

/** Throws `usage` where an answer of `maxTokens` fits the context beside no picture at all. */
function requireRoom({ contextPerSequence, leastTokens }: NativeModelInfo, { maxTokens }: CaptionSettings): void {
  const room = contextPerSequence - leastTokens
  if (maxTokens <= room) return
  throw new VcapError(
    'usage',
    `No row fits: of ${contextPerSequence} positions one picture and the shortest prompt take ${leastTokens}, ` +
      `and captions may have ${maxTokens} tokens. ` +
      (room > 0 ? `Ask for captions of up to ${room} tokens, or a longer context` : 'Ask for a longer context')
  )
}

function warnings({ contextPerSequence, contextTrained, warnings }: NativeModelInfo): string[] {
  const all = [...addonWarnings(), ...warnings]
  if (contextPerSequence <= contextTrained) return all
  return [
    ...all,
    `The context of ${contextPerSequence} positions is more than the ${contextTrained} the model was trained on: ` +
      'captions that use them may be worse'
  ]
}

function requirePictures(images: Picture[]): void {
  if (!Array.isArray(images) || images.length === 0) throw new VcapError('usage', 'Expected one image or more')
  for (const [index, image] of images.entries()) requirePicture(image, index)
}
