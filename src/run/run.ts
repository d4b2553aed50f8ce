import path from 'node:path'
import type { BatchState, CaptionerInfo, ReplicaState, RowCaptioner } from '../caption'
import { requireRowCaptioner } from '../caption-check'
import { abortedError, asVcapError, VcapError } from '../errors'
import {
  bringModel,
  identifyCaptioner,
  neededCells,
  openCaptioner,
  requireCaptionerParts,
  type CaptionerEvents,
  type CaptionerIdentity
} from '../open-captioner'
import {
  pickReplicaOptions,
  parseRunOptions,
  type ApiOptions,
  type RunOptions as RunFields,
  type RunSettings
} from '../options'
import { packageVersion } from '../package'
import { choosePrompt } from '../prompts/prompt-file'
import type { TextEdits } from '../checks/flags'
import { chooseFormat, formatByEnding, nameOfFormat, type FormatName } from '../table-format'
import { chooseLayout, type Layout } from '../rows/layout'
import { isListed, requireTableName } from '../rows/listing'
import { openRows, requireRoot, startOf } from '../rows/open'
import { isSameFile } from '../rows/output-place'
import type { RowSink, RowSource } from '../rows/rows'
import { takeShard } from '../rows/shard'
import { isStandardInput } from '../rows/table-file'
import { formatShard } from '../shard'
import { openSink } from '../rows/table'
import { captionRows, pendingRows } from './caption-rows'
import { chooseShard, type ShardChoice } from './choose-shard'
import { eventsVersion, type RunEvent, type RunSummary, type SidecarCounts } from './events'
import { Journal } from './journal'
import { captionerFolder, makeJournalPlace } from './journal-place'
import { noPace, Pace, type PaceSummary } from './pace'
import type { RetryOptions } from './retry'
import { fileState, writeRunFile, type FileState, type RunFile } from './run-file'
import { Tally } from './tally'
import { writeSidecars } from './sidecars'
import { writeOutput, type CaptionParts } from './write-output'

export interface RunOptions
  extends Omit<RunFields, 'api' | 'captioner' | 'onDownload' | 'onEvent' | 'onProgress' | 'text'> {
  /** Captions by a server that speaks OpenAI's chat completions, instead of a model that is loaded here. */
  api?: ApiOptions | undefined
  /**
   * Who captions, instead of a model that is loaded for this run: `captioner.rows(…)` of a loaded one, or your own. It
   * is used and left open. Options of loading and captioning are then without effect.
   */
  captioner?: RowCaptioner | undefined
  onEvent?: (event: RunEvent) => void
}

/**
 * Captions every row of the CSV `input` (`-` is standard input) and writes the CSV `output`: as many rows, in the same
 * order. The whole table is checked before the model is loaded; warnings of it come before the event `started`. Rows
 * that fail say why and the others go on. The output appears when all is done, or not at all. What was captioned is
 * kept in a journal beside the output, whatever ends the run: the same call goes on where it ended, also with a table
 * to which rows came or that is in another order. With `shard` it captions a share of the rows, and `mergeTables` puts
 * the outputs of all shards together. Throws what `loadCaptioner` throws, and `csv_invalid`, `run_differs`,
 * `run_locked`, `read_failed`, `output_unwritable`, `write_failed`, `engine_lost`, `decoder_lost`,
 * `too_many_failures`, `aborted`.
 */
export async function run(input: string, output: string, given: RunOptions = {}): Promise<RunSummary> {
  const options = withPrompts(given)
  const settings = parseRunOptions(options)
  const emit = given.onEvent ?? (() => undefined)
  emit({ type: 'begun', version: eventsVersion, package: packageVersion, input, output })
  try {
    return await openAndFinish(input, output, options, settings)
  } catch (error) {
    tellEnd(error, emit)
    throw error
  }
}

async function openAndFinish(
  input: string,
  named: string,
  options: RunOptions,
  settings: RunSettings
): Promise<RunSummary> {
  // All that can be wrong is found before anything slow begins.
  if (options.captioner !== undefined) requireRowCaptioner(options.captioner)
  else requireCaptionerParts(settings)
  requireRoot(settings.root)
  if (isListed(input)) requireTableName(named)
  const choice = chooseShard(settings, named)
  const { output } = choice
  const needs = options.captioner?.info ?? neededCells(settings)
  const { root, signal, format, inputFormat } = settings
  const whole = await openRows(input, { root, signal, format: inputFormat ?? inputFormatOf(input, format), needs })
  let sink: RowSink | undefined
  let journal: Journal | undefined
  const lost = new AbortController()
  try {
    const { source, table } = await takeRows(whole, input, choice, settings)
    if (choice.shard) tellShard(choice, source.total, whole.total, options)
    const layout = chooseLayout(source, settings)
    if (isSameFile(input === '-' ? '/dev/stdin' : input, output)) {
      throw new VcapError('usage', `Output ${output} is the input: name another file`)
    }
    const written = nameOfFormat(chooseFormat(output, format, source.format))
    sink = openSink(output, layout.columns, { format: written, types: layout.types })
    if (!options.captioner) await bringModel(settings, options.onEvent ?? (() => undefined))
    const identity = options.captioner ? identityOf(options.captioner.info) : identifyCaptioner(settings)
    const onLost = ({ message }: Error) =>
      lost.abort(new VcapError('run_locked', `Another process took over this output: ${message}`))
    const { restart } = settings
    // Which shard a run takes is part of what it is: another one has another output.
    const shard = table && { shard: formatShard(choice.shard!) }
    const ran = { ...identity, settings: { ...identity.settings, ...shard } }
    const place = makeJournalPlace(sink, settings.journal)
    journal = await Journal.open(place, { ...ran, rows: source.total, restart, onLost })
    return await new Run(input, source, layout, sink, journal, options, { ...settings, format: written }, table).finish(
      lost.signal
    )
  } catch (error) {
    throw lost.signal.aborted ? lost.signal.reason : error
  } finally {
    await journal?.close()
    sink?.discard()
    whole.close()
  }
}

/** The rows that a run captions; the table that they are of where they are a shard. One shard of one is the table. */
async function takeRows(
  whole: RowSource,
  input: string,
  { shard }: ShardChoice,
  { root, signal }: RunSettings
): Promise<{ source: RowSource; table?: RunFile['table'] }> {
  if (!shard || shard.count === 1) return { source: whole }
  const { source, table } = await takeShard(whole, shard, signal)
  const file = isStandardInput(input) ? null : path.resolve(input)
  const format = nameOfFormat(whole.format)
  return { source, table: { ...table, file, format, root: root === undefined ? null : path.resolve(root) } }
}

function tellShard(
  { shard, from, output, notes }: ShardChoice,
  rows: number,
  tableRows: number,
  { onEvent }: RunOptions
) {
  onEvent?.({ type: 'shard', ...shard!, from, rows, tableRows, output })
  for (const message of notes) onEvent?.({ type: 'warning', message })
}

/** The output's format is the input's as well, where that is a table with a name that says nothing. */
function inputFormatOf(input: string, format: FormatName | undefined): FormatName | undefined {
  return formatByEnding(input).format === undefined && !isListed(input) ? format : undefined
}

/** The last event of a run that ended before its end. */
function tellEnd(error: unknown, emit: (event: RunEvent) => void): void {
  const { code, message, cause } = asVcapError(error)
  try {
    // An abort's own message says nothing; its reason may.
    emit({ type: 'stopped', code, message: code === 'aborted' && cause instanceof Error ? cause.message : message })
  } catch {
    // The error that ended the run is the one to throw.
  }
}

/** What a journal has to know of a stranger's captioner. */
function identityOf({ name, digest, settings, usesText, usesColumns }: CaptionerInfo): CaptionerIdentity {
  return { settings: settings ?? { captioner: name, digest }, usesText: usesText ?? true, usesColumns }
}

/** A file of prompts is read once, so that whoever captions has the same. */
function withPrompts(options: RunOptions): RunOptions {
  const { promptFile, prompt, presets } = parseRunOptions(options)
  if (promptFile === undefined) return options
  if (presets) throw new VcapError('usage', 'Expected either presets or promptFile but received both')
  const { promptFile: _, ...others } = options
  return { ...others, ...choosePrompt(promptFile, prompt) }
}

/** One run, of which everything is open but the captioner. */
class Run {
  readonly #emit: (event: RunEvent) => void
  readonly #started = performance.now()
  readonly #startedAt: string
  readonly #edits: TextEdits
  readonly #retry: RetryOptions
  #begun = { at: '', done: 0 }

  constructor(
    private readonly input: string,
    private readonly source: RowSource,
    private readonly layout: Layout,
    private readonly sink: RowSink,
    private readonly journal: Journal,
    private readonly options: RunOptions,
    private readonly settings: RunSettings,
    private readonly table: RunFile['table']
  ) {
    this.#emit = options.onEvent ?? (() => undefined)
    this.#startedAt = journal.earlier?.started ?? new Date().toISOString()
    const { clean, trimSentence, prefix, suffix, retryFailed, retryFlagged } = settings
    this.#edits = { clean, trimSentence, prefix, suffix }
    this.#retry = { retryFailed, retryFlagged, edits: this.#edits }
  }

  /** Captions what is not done and writes the output. `lost` is aborted where another process took over. */
  async finish(lost: AbortSignal): Promise<RunSummary> {
    const { source, journal } = this
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
    const { signal } = this.settings
    const parts = { source, journal, edits: this.#edits, signal }
    const counts = await writeOutput({ ...parts, layout: this.layout }, this.sink)
    const sidecars = this.settings.sidecar ? await this.#writeSidecars(parts) : undefined
    if (source.resized) {
      this.#warnOf(`${this.input} changed during the run; the output has the rows it had at the start`)
    }
    const seconds = (performance.now() - this.#started) / 1000
    const summary = {
      input: this.input,
      output: this.sink.path,
      ...counts,
      ...(sidecars && { sidecars }),
      captioned: pending,
      already: false,
      seconds,
      ...pace
    }
    this.#writeRunFile(summary)
    if (this.table) journal.keep() // a shard without rows is one of those that are merged
    journal.forgetEarlier()
    this.#emit({ type: 'finished', ...summary })
    return summary
  }

  #writeSidecars(parts: CaptionParts): Promise<SidecarCounts> {
    const { sidecarExists: exists, sidecarExt: ext } = this.settings
    const taken = [this.sink.path, path.resolve(this.input)]
    return writeSidecars(parts, { exists, ext, taken }, (message) => this.#warnOf(message))
  }

  async #countPending(): Promise<number> {
    const { source, journal } = this
    if (journal.scan.records === 0) return source.total
    const { signal } = this.settings
    const isOver = () => signal?.aborted === true
    let pending = 0
    for await (const _ of pendingRows(source, journal, this.#retry, isOver)) pending++
    if (signal?.aborted) throw abortedError(signal)
    return pending
  }

  async #caption(lost: AbortSignal): Promise<PaceSummary> {
    const { source, journal, options, settings } = this
    const emit = this.#emit
    let opened: RowCaptioner | undefined
    try {
      const onProgress = (fraction: number) => emit({ type: 'loading', fraction })
      const onReplicas = (replicas: ReplicaState[]) => emit({ type: 'replicas', replicas })
      const onBatches = (batches: BatchState[]) => emit({ type: 'batches', batches })
      const told = { onReplicas, onBatches, onWarning: (message: string) => this.#warnOf(message) }
      const captioner = options.captioner ?? (opened = await this.#open(onProgress, told))
      emit({ type: 'started', input: this.input, output: this.sink.path, captioner: captioner.info })
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
    const { options, settings, journal } = this
    const { api } = settings
    const kept = { folder: captionerFolder(journal.folder), stays: !journal.isTemporary }
    return openCaptioner({ ...pickReplicaOptions(options), api, onProgress }, kept, told)
  }

  /** What the run came to, where it was finished, and neither table nor output has changed since. */
  #finishedBefore(): RunSummary | undefined {
    const finished = this.journal.earlier?.finished
    if (!finished) return undefined
    const { input, output, columns, format, edits, sidecar, summary } = finished
    const { prefix, suffix } = this.#edits
    const { sidecar: isWanted, sidecarExists, sidecarExt } = this.settings
    const same =
      isSameState(input, this.#inputState()) &&
      isSameState(output, fileState(this.sink.path)) &&
      columns.join('\n') === this.layout.columns.join('\n') &&
      (format ?? 'csv') === this.settings.format &&
      edits.clean === this.#edits.clean &&
      edits.trimSentence === this.#edits.trimSentence &&
      edits.prefix === prefix &&
      edits.suffix === suffix &&
      (!isWanted || (sidecar?.exists === sidecarExists && sidecar.ext === sidecarExt))
    return same ? summary : undefined
  }

  #writeRunFile(summary?: RunSummary): void {
    const { input, sink, source, journal } = this
    const run: Omit<RunFile, 'format'> = {
      version: packageVersion,
      started: this.#startedAt,
      input,
      output: sink.path,
      root: startOf(input, this.settings.root),
      rows: source.total,
      table: this.table,
      begun: this.#begun,
      settings: journal.settings
    }
    if (summary) {
      const { columns } = this.layout
      const { sidecarExists, sidecarExt } = this.settings
      run.finished = {
        at: new Date().toISOString(),
        summary,
        columns,
        format: this.settings.format,
        edits: this.#edits,
        ...(summary.sidecars?.failed === 0 && { sidecar: { exists: sidecarExists, ext: sidecarExt } }),
        input: this.#inputState(),
        output: fileState(sink.path)
      }
    }
    writeRunFile(journal.folder, run)
  }

  #inputState(): FileState | null {
    const { digest, total } = this.source
    return digest === undefined ? fileState(this.input) : { size: total, time: 0, digest }
  }

  /** What becomes of the table that its owner may not expect, before anything slow begins. */
  #warn(): void {
    for (const message of this.source.warnings) this.#warnOf(message)
    if (!this.sink.isFile && this.settings.journal === undefined) {
      const lost = 'what is captioned is lost if this run is stopped'
      this.#warnOf(
        `Output ${this.sink.path} is a stream: ${lost}; --journal DIR keeps it for the same command to go on`
      )
    }
    const { damaged, torn } = this.journal.scan
    if (damaged > 0) {
      const which = damaged === 1 ? '1 record of the journal is' : `${damaged} records of the journal are`
      this.#warnOf(`${which} damaged: captioned again`)
    }
    if (torn > 0) this.#warnOf('The journal ends within a record, as after a crash: that row is captioned again')
    const { replaced } = this.layout
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
