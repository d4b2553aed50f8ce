import fs from 'node:fs'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { stringify } from 'csv-stringify/sync'
import { loadCaptioner, type Captioner, type PathCaption } from './captioner'
import { abortedError, asVcapError, VcapError } from './errors'
import { findVideoTools } from './frames/tools'
import { findModel } from './models'
import type { NativeModelInfo } from './native/addon'
import { loadAddon } from './native/load'
import {
  parseRunOptions,
  pickCaptionOptions,
  pickLoadOptions,
  type CaptionOptions,
  type RunOptions as RunFields
} from './options'
import { mapInOrder } from './ordered'
import { isSameFile, OutputFile } from './output'
import { countRows, openTable, requireColumn, type Row, type Table } from './table'

export type RowStatus = PathCaption['status']

export interface RunSummary {
  input: string
  output: string
  rows: number
  /** Rows by status; those that did not occur are not there. */
  statuses: Partial<Record<RowStatus, number>>
  /** Rows without a caption. */
  failed: number
  /** Seconds from the first row to the last, without loading. */
  seconds: number
  /** Tokens generated. */
  tokens: number
}

export type RunEvent =
  | { type: 'loading'; fraction: number }
  | { type: 'started'; input: string; output: string; model: NativeModelInfo }
  | { type: 'warning'; message: string }
  | { type: 'total'; rows: number }
  /** In the order rows finish; `error` is null where there is a caption. */
  | {
      type: 'row'
      index: number
      path: string
      status: RowStatus
      text: string
      numFrames: number | null
      error: string | null
      usage: RowUsage | null
    }
  | ({ type: 'finished' } & RunSummary)

/** What a caption took: the tiling chosen for its frames, and its tokens. */
export interface RowUsage {
  tiles: number
  imageTokens: number
  promptTokens: number
  tokens: number
}

/** What a run needs of a captioner: a loaded model, or whoever stands in for one. */
export type RowCaptioner = Pick<Captioner, 'info' | 'warnings' | 'window' | 'captionOrError'>

export interface RunOptions extends Omit<RunFields, 'captioner' | 'onEvent' | 'onProgress' | 'text'> {
  /** One that is loaded already: it is used, and left open. Options of loading are then without effect. */
  captioner?: RowCaptioner | undefined
  onEvent?: (event: RunEvent) => void
}

/** Lines written at once. */
const linesPerBlock = 128

const ownColumns = ['text', 'num_frames', 'status', 'error']

/**
 * Captions every row of the CSV `input` and writes the CSV `output`: as many rows, in the
 * same order. Rows that fail say why and the others go on. The output appears when all is
 * done, or not at all. Throws what `loadCaptioner` throws, and `csv_invalid`,
 * `output_unwritable`, `write_failed`, `engine_lost`, `decoder_lost`, `aborted`.
 */
export async function run(input: string, output: string, options: RunOptions = {}): Promise<RunSummary> {
  const settings = parseRunOptions(options)
  const emit = options.onEvent ?? (() => undefined)
  // All that can be wrong is found before anything slow begins.
  requireInput(input)
  const table = await openTable(input)
  const pathColumn = requireColumn(input, table.columns, 'path')
  if (isSameFile(input, output)) throw new VcapError('usage', `Output ${output} is the input: name another file`)
  if (!options.captioner) {
    findVideoTools(settings.ffmpeg)
    findModel(settings.model, settings.mmproj)
    loadAddon()
  }
  const file = new OutputFile(output)
  let loaded: Captioner | undefined
  try {
    const captioner =
      options.captioner ??
      (loaded = await loadCaptioner({
        ...pickLoadOptions(options),
        onProgress: (fraction) => emit({ type: 'loading', fraction })
      }))
    emit({ type: 'started', input, output: file.path, model: captioner.info })
    for (const message of captioner.warnings) emit({ type: 'warning', message })
    const work = new Run(input, table, pathColumn, captioner, options, emit)
    const summary = await work.writeTo(file)
    emit({ type: 'finished', ...summary })
    return summary
  } finally {
    await loaded?.close()
    file.discard()
  }
}

class Run {
  readonly #input: string
  readonly #table: Table
  readonly #captioner: RowCaptioner
  readonly #pathColumn: number
  readonly #textColumn: number
  readonly #root: string
  readonly #layout: Layout
  readonly #options: CaptionOptions
  readonly #emit: (event: RunEvent) => void
  /** Ends all work under way: the caller's signal, or a fault here. */
  readonly #stop = new AbortController()
  readonly #started = performance.now()
  readonly #statuses: Partial<Record<RowStatus, number>> = {}
  #rows = 0
  #tokens = 0
  #engineErrorsInARow = 0

  constructor(
    input: string,
    table: Table,
    pathColumn: number,
    captioner: RowCaptioner,
    options: RunOptions,
    emit: (event: RunEvent) => void
  ) {
    this.#input = input
    this.#table = table
    this.#captioner = captioner
    this.#pathColumn = pathColumn
    this.#textColumn = table.columns.indexOf('text')
    this.#root = path.resolve(options.root ?? path.dirname(input))
    this.#layout = chooseLayout(table.columns, pathColumn, options.compat)
    const signal = options.signal ? AbortSignal.any([options.signal, this.#stop.signal]) : this.#stop.signal
    this.#options = { ...pickCaptionOptions(options), signal }
    this.#emit = emit
  }

  async writeTo(file: OutputFile): Promise<RunSummary> {
    const { signal } = this.#options
    this.#announceTotal()
    let fault: unknown
    const stream = file.stream().on('error', (error) => {
      if (signal!.aborted) return // the abort's own doing
      fault = new VcapError('write_failed', `Output could not be written: ${error.message}`, { cause: error })
      this.#stop.abort() // captions that cannot be written are not worth waiting for
    })
    try {
      await pipeline(this.#blocks(), stream, { signal: signal! })
    } catch (error) {
      throw fault ?? (signal!.aborted ? abortedError(signal!) : asVcapError(error))
    } finally {
      this.#stop.abort()
    }
    file.commit()
    return this.#summary(file.path)
  }

  /** The output's text, many lines at a time: one by one, writing them would cost more than all the rest here. */
  async *#blocks(): AsyncGenerator<string, void, undefined> {
    let lines: string[][] = []
    for await (const line of this.#lines()) {
      lines.push(line)
      if (lines.length < linesPerBlock) continue
      yield stringify(lines)
      lines = []
    }
    yield stringify(lines)
  }

  async *#lines(): AsyncGenerator<string[], void, undefined> {
    yield this.#layout.header
    for await (const [row, caption] of mapInOrder(this.#table.rows, this.#captioner.window, (row) =>
      this.#caption(row)
    )) {
      yield this.#layout.line(row.cells, caption)
    }
  }

  async #caption(row: Row): Promise<[Row, PathCaption]> {
    const name = row.cells[this.#pathColumn]!
    const file = name === '' ? '' : path.resolve(this.#root, name)
    const caption = await this.#captioner.captionOrError(file, { ...this.#options, text: row.cells[this.#textColumn] })
    this.#account(row, name, caption)
    return [row, caption]
  }

  #account(row: Row, name: string, caption: PathCaption): void {
    const { status, text, numFrames } = caption
    this.#rows++
    this.#tokens += caption.tokens.length
    this.#statuses[status] = (this.#statuses[status] ?? 0) + 1
    this.#emit({
      type: 'row',
      index: row.index,
      path: name,
      status,
      text,
      numFrames,
      error: caption.error?.message ?? null,
      usage: usageOf(caption)
    })
    this.#engineErrorsInARow = status === 'engine_error' ? this.#engineErrorsInARow + 1 : 0
    if (this.#engineErrorsInARow > this.#captioner.info.sequences) {
      throw new VcapError('engine_lost', `The engine fails on every row: ${caption.error?.message}`)
    }
  }

  /** Counting a long input takes seconds, in which captions can already be made. */
  #announceTotal(): void {
    countRows(this.#input, this.#options.signal).then(
      (rows) => this.#emit({ type: 'total', rows }),
      () => undefined // an input that breaks off is reported where its rows are read
    )
  }

  #summary(output: string): RunSummary {
    const captioned = (this.#statuses.ok ?? 0) + (this.#statuses.truncated ?? 0)
    return {
      input: this.#input,
      output,
      rows: this.#rows,
      statuses: this.#statuses,
      failed: this.#rows - captioned,
      seconds: (performance.now() - this.#started) / 1000,
      tokens: this.#tokens
    }
  }
}

function usageOf(caption: PathCaption): RowUsage | null {
  if (caption.error) return null
  const { tiles, imageTokens, promptTokens, tokens } = caption
  return { tiles, imageTokens, promptTokens, tokens: tokens.length }
}

interface Layout {
  header: string[]
  line(cells: string[], caption: PathCaption): string[]
}

/** Which input columns are kept, and what follows them. */
function chooseLayout(columns: string[], pathColumn: number, compat: 'open-sora' | undefined): Layout {
  if (compat === 'open-sora') {
    return {
      header: ['path', 'text', 'num_frames'],
      line: (cells, { text, numFrames }) => [cells[pathColumn]!, text, String(numFrames ?? '')]
    }
  }
  const kept = columns.flatMap((name, place) => (ownColumns.includes(name) ? [] : [place]))
  return {
    header: [...kept.map((place) => columns[place]!), ...ownColumns],
    line: (cells, { text, numFrames, status, error }) => [
      ...kept.map((place) => cells[place]!),
      text,
      String(numFrames ?? ''),
      status,
      error?.message.replace(/\s+/g, ' ') ?? ''
    ]
  }
}

function requireInput(input: string): void {
  const stat = fs.statSync(input, { throwIfNoEntry: false })
  if (!stat) throw new VcapError('usage', `Input ${input} not found`)
  if (stat.isDirectory()) throw new VcapError('usage', `Input ${input} is a directory: expected a CSV file`)
}
