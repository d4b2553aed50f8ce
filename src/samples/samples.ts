import { setMaxListeners } from 'node:events'
import { asVcapError, isRowError, type RowErrorCode } from '../errors'
import { Decoder } from '../frames/decoder'
import { parseSamplesOptions, type SamplesFields, type SamplesSettings } from '../options'
import { mapInOrder } from '../ordered'
import { fillTable } from '../rows/fill-table'
import { listMedia, requireTableName } from '../rows/listing'
import { mediaTypeOf } from '../rows/media-names'
import type { RowSink } from '../rows/rows'
import { openSink } from '../rows/table'
import { chooseColumns, idOf, type SampleColumns } from './columns'
import { dropReason, hasFilters, type DropReason } from './filters'

export interface SamplesOptions extends Omit<SamplesFields, 'onEvent'> {
  onEvent?: (event: SamplesEvent) => void
}

/** What `samples` tells while it works. */
export type SamplesEvent =
  /** What its caller should know of the folder or of the table. */
  | { type: 'warning'; message: string }
  /** Files that are read one by one: once, where that is asked for. */
  | { type: 'total'; files: number }
  /** One of them was read; with `code` and `error` where it could not be. */
  | { type: 'file'; path: string; code?: RowErrorCode; error?: string }

/** What a table of samples came to. */
export interface SamplesSummary {
  /** Where the table is: links followed. */
  output: string
  /** Files with the endings of videos and of images; what they are inside is not looked at for this. */
  videos: number
  images: number
  /** Files with other endings. */
  others: number
  /** Rows of the table. */
  rows: number
  /** Files that were read and could not be. */
  unreadable: number
  /** Files that were left out for what they are; each counts once. */
  dropped: Partial<Record<DropReason, number>>
}

/** Files that are read ahead of the next one in order. */
const window = 64

/**
 * Writes a table of the videos and images below `folder`, as `listMedia` lists them: a column `path`, then what is
 * asked for. Files are read only where `probe`, `minFrames`, `minSide` or `maxSeconds` ask for it, several at once, and
 * no frame is decoded where a file's packets tell. One that cannot be read has a row with empty cells, or none where
 * files may be left out. The table appears when all is done, or not at all. Throws `usage`, `output_unwritable`,
 * `write_failed`, `ffmpeg_missing`, `decoder_lost`, `aborted`.
 */
export async function samples(folder: string, output: string, options: SamplesOptions = {}): Promise<SamplesSummary> {
  const settings = parseSamplesOptions(options)
  const emit = options.onEvent ?? (() => undefined)
  requireTableName(output)
  const chosen = chooseColumns(output, settings)
  const sink = openSink(output, chosen.columns, { format: settings.format, types: chosen.types })
  const { files, warnings, others } = await listMedia(folder, { type: settings.type, signal: settings.signal })
  for (const message of warnings) emit({ type: 'warning', message })
  if (settings.id) warnOfDoubles(files, emit)
  const videos = files.filter((file) => mediaTypeOf(file) !== 'image').length
  const counts = { videos, images: files.length - videos, others, rows: 0, unreadable: 0, dropped: {} }
  const summary: SamplesSummary = { output: sink.path, ...counts }
  await fillTable(sink, async (begin) => {
    begin()
    if (settings.probe || hasFilters(settings)) await writeProbed(files, sink, chosen, settings, emit, summary)
    else for (const file of files) await write(sink, chosen.cells(file, undefined), summary)
  })
  return summary
}

async function write(sink: RowSink, cells: ReturnType<SampleColumns['cells']>, summary: SamplesSummary): Promise<void> {
  await sink.write(cells)
  summary.rows++
}

async function writeProbed(
  files: string[],
  sink: RowSink,
  { cells }: SampleColumns,
  settings: SamplesSettings,
  emit: (event: SamplesEvent) => void,
  summary: SamplesSummary
): Promise<void> {
  const { decodeTimeout, decodeMemory, ffmpeg, allowPartial } = settings
  const signal = settings.signal && AbortSignal.any([settings.signal])
  // Each file on its way listens: Node would take so many for a leak.
  if (signal) setMaxListeners(0, signal)
  const decoder = new Decoder(settings.decoders)
  const probe = async (file: string) => {
    try {
      const facts = await decoder.probe(file, { signal, decodeTimeout, decodeMemory, ffmpeg, allowPartial })
      emit({ type: 'file', path: file })
      return { file, facts }
    } catch (thrown) {
      const error = asVcapError(thrown)
      if (!isRowError(error)) throw error
      emit({ type: 'file', path: file, code: error.code, error: error.message })
      return { file, facts: undefined }
    }
  }
  emit({ type: 'total', files: files.length })
  try {
    for await (const { file, facts } of mapInOrder(files, window, probe)) {
      const reason = dropReason(facts, settings)
      if (!facts) summary.unreadable++
      if (reason) summary.dropped[reason] = (summary.dropped[reason] ?? 0) + 1
      else await write(sink, cells(file, facts), summary)
    }
  } finally {
    decoder.close()
  }
}

/** An id is a file's name: files of one name in several folders have one id. */
function warnOfDoubles(files: string[], emit: (event: SamplesEvent) => void): void {
  const seen = new Map<string, number>()
  for (const file of files) seen.set(idOf(file), (seen.get(idOf(file)) ?? 0) + 1)
  const doubles = [...seen].filter(([, count]) => count > 1)
  if (doubles.length === 0) return
  const rows = doubles.reduce((sum, [, count]) => sum + count, 0)
  const stand = doubles.length === 1 ? '1 id stands' : `${doubles.length} ids stand`
  const message = `${stand} in ${rows} rows, such as ${JSON.stringify(doubles[0]![0])}: only the path tells those apart`
  emit({ type: 'warning', message })
}
