import path from 'node:path'
import type { BatchState, ReplicaState, RowCaptioner } from '../caption'
import type { TextEdits } from '../checks/flags'
import { abortedError } from '../errors'
import { openCaptioner, type CaptionerEvents } from '../open-captioner'
import { pickReplicaOptions, type RunSettings } from '../options'
import { packageVersion } from '../package'
import type { Layout } from '../rows/layout'
import { startOf } from '../rows/open'
import type { RowSink, RowSource } from '../rows/rows'
import { captionRows, pendingRows } from './caption-rows'
import type { RunEvent, RunSummary, SidecarCounts } from './events'
import type { Journal } from './journal'
import { captionerFolder } from './journal-place'
import { noPace, Pace, type PaceSummary } from './pace'
import type { RetryOptions } from './retry'
import type { RunOptions } from './run-options'
import { fileState, writeRunFile, type FileState, type RunFile } from './run-file'
import { Tally } from './tally'
import { writeSidecars } from './sidecars'
import { writeOutput, type CaptionParts } from './write-output'

/** What a run is made of. */
export interface RunParts {
  input: string
  source: RowSource
  layout: Layout
  sink: RowSink
  journal: Journal
  options: RunOptions
  /** `format`: the output's. */
  settings: RunSettings
  /** Of which the source is a shard; undefined where it is all. */
  table: RunFile['table']
}

/** One run, of which everything is open but the captioner. */
export class OpenRun {
  readonly #emit: (event: RunEvent) => void
  readonly #started = performance.now()
  readonly #startedAt: string
  readonly #edits: TextEdits
  readonly #retry: RetryOptions
  #begun = { at: '', done: 0 }

  constructor(private readonly parts: RunParts) {
    const { journal, options, settings } = parts
    this.#emit = options.onEvent ?? (() => undefined)
    this.#startedAt = journal.earlier?.started ?? new Date().toISOString()
    const { clean, trimSentence, prefix, suffix, retryFailed, retryFlagged } = settings
    this.#edits = { clean, trimSentence, prefix, suffix }
    this.#retry = { retryFailed, retryFlagged, edits: this.#edits }
  }

  /** Captions what is not done and writes the output. `lost` is aborted where another process took over. */
  async finish(lost: AbortSignal): Promise<RunSummary> {
    const { source, journal } = this.parts
    this.#warn()
    const pending = await this.#countPending()
    const earlier = this.#finishedBefore()
    if (pending === 0 && earlier) {
      journal.forgetEarlier()
      this.#emit({ type: 'finished', ...earlier, already: true })
      return { ...earlier, already: true }
    }
    this.#begun = { at: new Date().toISOString(), done: source.total - pending }
    this.#writeRunFile()
    if (pending < source.total) this.#emit({ type: 'resumed', rows: source.total - pending })
    const pace = pending > 0 ? await this.#caption(lost) : noPace
    const { signal } = this.parts.settings
    const parts = { source, journal, edits: this.#edits, signal }
    const counts = await writeOutput({ ...parts, layout: this.parts.layout }, this.parts.sink)
    const sidecars = this.parts.settings.sidecar ? await this.#writeSidecars(parts) : undefined
    if (source.resized) {
      this.#warnOf(`${this.parts.input} changed during the run; the output has the rows it had at the start`)
    }
    const seconds = (performance.now() - this.#started) / 1000
    const summary = {
      input: this.parts.input,
      output: this.parts.sink.path,
      ...counts,
      ...(sidecars && { sidecars }),
      captioned: pending,
      already: false,
      seconds,
      ...pace
    }
    this.#writeRunFile(summary)
    if (this.parts.table) journal.keep() // a shard without rows is one of those that are merged
    journal.forgetEarlier()
    this.#emit({ type: 'finished', ...summary })
    return summary
  }

  #writeSidecars(parts: CaptionParts): Promise<SidecarCounts> {
    const { sidecarExists: exists, sidecarExt: ext } = this.parts.settings
    const taken = [this.parts.sink.path, path.resolve(this.parts.input)]
    return writeSidecars(parts, { exists, ext, taken }, (message) => this.#warnOf(message))
  }

  async #countPending(): Promise<number> {
    const { source, journal } = this.parts
    if (journal.scan.records === 0) return source.total
    const { signal } = this.parts.settings
    const isOver = () => signal?.aborted === true
    let pending = 0
    for await (const _ of pendingRows(source, journal, this.#retry, isOver)) pending++
    if (signal?.aborted) throw abortedError(signal)
    return pending
  }

  async #caption(lost: AbortSignal): Promise<PaceSummary> {
    const { source, journal, options, settings } = this.parts
    const emit = this.#emit
    let opened: RowCaptioner | undefined
    try {
      const onProgress = (fraction: number) => emit({ type: 'loading', fraction })
      const onReplicas = (replicas: ReplicaState[]) => emit({ type: 'replicas', replicas })
      const onBatches = (batches: BatchState[]) => emit({ type: 'batches', batches })
      const told = { onReplicas, onBatches, onWarning: (message: string) => this.#warnOf(message) }
      const captioner = options.captioner ?? (opened = await this.#open(onProgress, told))
      emit({ type: 'started', input: this.parts.input, output: this.parts.sink.path, captioner: captioner.info })
      for (const message of captioner.info.warnings) this.#warnOf(message)
      emit({ type: 'total', rows: source.total })
      const { grace, maxFailures } = settings
      const { concurrency } = captioner.info
      const tally = new Tally({ concurrency, rows: source.total, maxFailures })
      const pace = await Pace.begin(captioner)
      const { signal } = settings
      await captionRows(source, journal, captioner, tally, { retry: this.#retry, signal, lost, grace, emit, pace })
      await captioner.recorded?.()
      return await pace.end()
    } finally {
      await opened?.close()
    }
  }

  #open(onProgress: (fraction: number) => void, told: CaptionerEvents) {
    const { options, settings, journal } = this.parts
    const { api } = settings
    const kept = { folder: captionerFolder(journal.folder), stays: !journal.isTemporary }
    return openCaptioner({ ...pickReplicaOptions(options), api, onProgress }, kept, told)
  }

  /** What the run came to, where it was finished, and neither table nor output has changed since. */
  #finishedBefore(): RunSummary | undefined {
    const finished = this.parts.journal.earlier?.finished
    if (!finished) return undefined
    const { input, output, columns, format, edits, sidecar, summary } = finished
    const { prefix, suffix } = this.#edits
    const { sidecar: isWanted, sidecarExists, sidecarExt } = this.parts.settings
    const same =
      isSameState(input, this.#inputState()) &&
      isSameState(output, fileState(this.parts.sink.path)) &&
      columns.join('\n') === this.parts.layout.columns.join('\n') &&
      (format ?? 'csv') === this.parts.settings.format &&
      edits.clean === this.#edits.clean &&
      edits.trimSentence === this.#edits.trimSentence &&
      edits.prefix === prefix &&
      edits.suffix === suffix &&
      (!isWanted || (sidecar?.exists === sidecarExists && sidecar.ext === sidecarExt))
    return same ? summary : undefined
  }

  #writeRunFile(summary?: RunSummary): void {
    const { input, sink, source, journal } = this.parts
    const run: Omit<RunFile, 'format'> = {
      version: packageVersion,
      started: this.#startedAt,
      input,
      output: sink.path,
      root: startOf(input, this.parts.settings.root),
      rows: source.total,
      table: this.parts.table,
      begun: this.#begun,
      settings: journal.settings
    }
    if (summary) {
      const { columns, captions } = this.parts.layout
      const { sidecarExists, sidecarExt } = this.parts.settings
      run.finished = {
        at: new Date().toISOString(),
        summary,
        columns,
        ...(captions && { captions }),
        format: this.parts.settings.format,
        edits: this.#edits,
        ...(summary.sidecars?.failed === 0 && { sidecar: { exists: sidecarExists, ext: sidecarExt } }),
        input: this.#inputState(),
        output: fileState(sink.path)
      }
    }
    writeRunFile(journal.folder, run)
  }

  #inputState(): FileState | null {
    const { digest, total } = this.parts.source
    return digest === undefined ? fileState(this.parts.input) : { size: total, time: 0, digest }
  }

  /** What becomes of the table that its owner may not expect, before anything slow begins. */
  #warn(): void {
    for (const message of this.parts.source.warnings) this.#warnOf(message)
    if (!this.parts.sink.isFile && this.parts.settings.journal === undefined) {
      const lost = 'what is captioned is lost if this run is stopped'
      this.#warnOf(
        `Output ${this.parts.sink.path} is a stream: ${lost}; --journal DIR keeps it for the same command to go on`
      )
    }
    const { damaged, torn } = this.parts.journal.scan
    if (damaged > 0) {
      const which = damaged === 1 ? '1 record of the journal is' : `${damaged} records of the journal are`
      this.#warnOf(`${which} damaged: captioned again`)
    }
    if (torn > 0) this.#warnOf('The journal ends within a record, as after a crash: that row is captioned again')
    const { replaced } = this.parts.layout
    if (replaced.length === 0) return
    const which = `${replaced.length === 1 ? 'column' : 'columns'} ${replaced.join(', ')}`
    this.#warnOf(`The input's ${which} will be replaced by this run's own; rename what the output should keep`)
  }

  #warnOf(message: string): void {
    this.#emit({ type: 'warning', message })
  }
}

/** Where one is not there, as with a table from a pipe, nothing says that it is as it was. */
function isSameState(before: FileState | null, now: FileState | null): boolean {
  if (before === null || now === null) return false
  return before.size === now.size && before.time === now.time && before.digest === now.digest
}
