import { setMaxListeners } from 'node:events'
import type { RowCaption, RowCaptioner } from '../caption'
import { requireRowCaption, requireRowCaptioner } from '../caption-check'
import { abortedError, asVcapError, VcapError } from '../errors'
import { openCaptioner, requireCaptionerParts } from '../open-captioner'
import { parseRunOptions, pickLoadOptions, type RunOptions as RunFields } from '../options'
import { mapInOrder } from '../ordered'
import { chooseLayout, type Layout } from '../rows/layout'
import { openRows, openSink, requireRoot } from '../rows/open'
import { isSameFile } from '../rows/output-place'
import type { Row, RowSink, RowSource } from '../rows/rows'
import type { RunEvent, RunSummary } from './events'
import { Tally } from './tally'

export interface RunOptions extends Omit<RunFields, 'captioner' | 'onEvent' | 'onProgress' | 'text'> {
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
 * that fail say why and the others go on. The output appears when all is done, or not at all. Throws what
 * `loadCaptioner` throws, and `csv_invalid`, `read_failed`, `output_unwritable`, `write_failed`, `engine_lost`,
 * `decoder_lost`, `aborted`.
 */
export async function run(input: string, output: string, options: RunOptions = {}): Promise<RunSummary> {
  const settings = parseRunOptions(options)
  const emit = options.onEvent ?? (() => undefined)
  // All that can be wrong is found before anything slow begins.
  if (options.captioner !== undefined) requireRowCaptioner(options.captioner)
  else requireCaptionerParts(settings)
  requireRoot(settings.root)
  const source = await openRows(input, { root: settings.root, signal: settings.signal })
  let sink: RowSink | undefined
  let opened: RowCaptioner | undefined
  try {
    const layout = chooseLayout(source.columns, source.pathColumn, settings)
    if (isSameFile(input === '-' ? '/dev/stdin' : input, output)) {
      throw new VcapError('usage', `Output ${output} is the input: name another file`)
    }
    sink = openSink(output, layout.columns)
    warn(source, layout, emit)
    for (const message of sink.warnings) emit({ type: 'warning', message })
    const onProgress = (fraction: number) => emit({ type: 'loading', fraction })
    const captioner = options.captioner ?? (opened = await openCaptioner({ ...pickLoadOptions(options), onProgress }))
    emit({ type: 'started', input, output: sink.path, captioner: captioner.info })
    for (const message of captioner.info.warnings) emit({ type: 'warning', message })
    emit({ type: 'total', rows: source.total })
    const counts = await captionRows(source, layout, sink, captioner, settings.signal, emit)
    if (source.resized) {
      emit({ type: 'warning', message: `${input} changed during the run; the output has the rows it had at the start` })
    }
    const summary = { input, output: sink.path, ...counts }
    emit({ type: 'finished', ...summary })
    return summary
  } finally {
    await opened?.close()
    sink?.discard()
    source.close()
  }
}

/** What becomes of the table that its owner may not expect, before anything slow begins. */
function warn(source: RowSource, { replaced }: Layout, emit: (event: RunEvent) => void): void {
  for (const message of source.warnings) emit({ type: 'warning', message })
  if (replaced.length === 0) return
  const which = `${replaced.length === 1 ? 'column' : 'columns'} ${replaced.join(', ')}`
  const message = `The input's ${which} will be replaced by this run's own; rename what the output should keep`
  emit({ type: 'warning', message })
}

async function captionRows(
  source: RowSource,
  layout: Layout,
  sink: RowSink,
  captioner: RowCaptioner,
  outer: AbortSignal | undefined,
  emit: (event: RunEvent) => void
): Promise<Omit<RunSummary, 'input' | 'output'>> {
  /** Ends all work under way when something here fails. */
  const failed = new AbortController()
  const signal = outer ? AbortSignal.any([outer, failed.signal]) : failed.signal
  setMaxListeners(0, signal) // each row under way may listen
  /** The first failure: those after it may only be what it aborted. */
  let fault: unknown
  const tally = new Tally(captioner.info.concurrency)

  const work = async (row: Row): Promise<{ row: Row; caption: RowCaption }> => {
    try {
      if (signal.aborted) throw abortedError(signal)
      const caption = requireRowCaption(await captioner.captionRow(row.input, signal))
      emit({ type: 'row', index: row.index, path: String(row.cells[source.pathColumn]), ...caption })
      tally.add(caption, row.index)
      return { row, caption }
    } catch (error) {
      fault ??= error
      failed.abort() // what ends the run ends it now, not when this row's turn to be written has come
      throw error
    }
  }
  try {
    for await (const { row, caption } of mapInOrder(source.rows(), captioner.info.window, work)) {
      await sink.write(layout.cells(row.cells, caption))
      if (signal.aborted) throw abortedError(signal)
    }
    await sink.commit()
    return tally.summary
  } catch (error) {
    throw outer?.aborted ? abortedError(outer) : tally.blame(asVcapError(fault ?? error))
  } finally {
    failed.abort()
  }
}
