import path from 'node:path'
import type { CaptionerInfo } from '../caption'
import { requireRowCaptioner } from '../caption-check'
import { asVcapError, VcapError } from '../errors'
import {
  bringModel,
  identifyCaptioner,
  neededCells,
  requireCaptionerParts,
  type CaptionerIdentity
} from '../open-captioner'
import { parseRunOptions, type RunSettings } from '../options'
import { packageVersion } from '../package'
import { readForm } from '../form/form-file'
import { choosePrompt, readPrompts } from '../prompts/prompt-file'
import { chooseLayout } from '../rows/layout'
import { isListed, requireTableName } from '../rows/listing'
import { openRows, requireRoot } from '../rows/open'
import { requireNoInput } from '../rows/output-place'
import type { RowSink, RowSource } from '../rows/rows'
import { takeShard } from '../rows/shard'
import { openSink } from '../rows/table'
import { isStandardInput } from '../rows/table-file'
import { formatShard } from '../shard'
import { chooseFormat, formatByEnding, nameOfFormat, type FormatName } from '../table-format'
import { chooseShard, type ShardChoice } from './choose-shard'
import { eventsVersion, type RunEvent, type RunSummary } from './events'
import { Journal } from './journal'
import { makeJournalPlace } from './journal-place'
import { OpenRun } from './open-run'
import type { RunFile } from './run-file'
import type { RunOptions } from './run-options'

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
  const options = withForm(withPrompts(given))
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
    const captions = options.captioner
      ? options.captioner.info.captions
      : settings.prompts && Object.keys(settings.prompts)
    const layout = chooseLayout(source, { ...settings, captions })
    requireNoInput(output, [input])
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
    const open = { input, source, layout, sink, journal, options, settings: { ...settings, format: written }, table }
    return await new OpenRun(open).finish(lost.signal)
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

/** A file with the form of answers is read once as well. */
function withForm(options: RunOptions): RunOptions {
  const { jsonSchemaFile, grammarFile, jsonSchema, grammar } = parseRunOptions(options)
  if (jsonSchemaFile === undefined && grammarFile === undefined) return options
  if (jsonSchema || grammar !== undefined) {
    throw new VcapError('usage', 'Expected a form of answers or a file with one but received both')
  }
  const { jsonSchemaFile: _, grammarFile: __, ...others } = options
  return { ...others, ...readForm({ jsonSchemaFile, grammarFile }) }
}

/** A file of prompts is read once, so that whoever captions has the same. */
function withPrompts(options: RunOptions): RunOptions {
  const { promptFile, prompt, prompts, presets } = parseRunOptions(options)
  if (promptFile === undefined) return options
  if (presets) throw new VcapError('usage', 'Expected either presets or promptFile but received both')
  const { promptFile: _, ...others } = options
  if (prompts) return { ...others, presets: readPrompts(promptFile) }
  return { ...others, ...choosePrompt(promptFile, prompt) }
}
