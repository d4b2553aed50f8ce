import fs from 'node:fs'
import path from 'node:path'
import { abortedError, VcapError } from '../errors'
import { parseExportOptions, type ExportOptions as ExportFields } from '../options'
import type { MediaKind } from '../prompts/presets'
import { isSameFile } from '../rows/output-place'
import { openCaptions, type CaptionSource, type ExportRow } from './captions'
import { makeFolder } from './dataset-folder'
import { trainers, type Dataset } from './trainers'

export type ExportOptions = ExportFields

/** What an export came to. */
export interface ExportSummary {
  /** The files written, each whole. */
  files: string[]
  /** Rows exported, by kind. */
  videos: number
  images: number
  /** Rows left out: without a caption; whose file is not there; of another kind; that the trainer cannot have. */
  failed: number
  missing: number
  otherKind: number
  refused: number
  /** Files from elsewhere that were linked into the dataset's folder. */
  linked: number
  /** What the user should know, a sentence each. */
  warnings: string[]
}

/**
 * Turns a finished run's output, a table of any format with the columns `path` and `text`, or that of the `caption`
 * named, into what a trainer reads (`docs/training.md`). Rows without a caption, and those whose file is not there, are
 * left out and counted. Files appear whole or not at all, and replace those of an earlier export. Throws `usage`,
 * `csv_invalid`, `table_invalid`, `read_failed`, `output_unwritable`, `write_failed`, `aborted`.
 *
 * @example
 * ```js
 * await run('samples.csv', 'captions.csv')
 * const { files, videos, failed } = await exportCaptions('captions.csv', { for: 'musubi', out: 'dataset' })
 * ```
 */
export async function exportCaptions(output: string, options: ExportOptions): Promise<ExportSummary> {
  const { for: trainer, out, kind, root, caption, partial, signal } = parseExportOptions(options)
  const source = await openCaptions(output, { root, caption, partial, signal })
  try {
    const chosen = new Choice(source, kind, signal)
    const kinds = await chosen.countKinds()
    if (kinds.size === 0) throw new VcapError('usage', `${output} has no row to export${chosen.why()}`)
    const place = placeOf(output, out)
    makeFolder(place.folder)
    const dataset = trainers[trainer]({ ...place, isMixed: kinds.size > 1 })
    return await write(dataset, chosen, output)
  } finally {
    source.close()
  }
}

/** `out` is a file where its name has an ending, and is no folder that is there. */
function placeOf(output: string, out = path.dirname(output)): { folder: string; file?: string } {
  const isFolder = fs.statSync(out, { throwIfNoEntry: false })?.isDirectory() ?? false
  if (isFolder || out.endsWith('/') || path.extname(out) === '') return { folder: path.resolve(out) }
  return { folder: path.resolve(path.dirname(out)), file: path.basename(out) }
}

async function write(dataset: Dataset, chosen: Choice, output: string): Promise<ExportSummary> {
  const counts = { videos: 0, images: 0, refused: 0 }
  try {
    for await (const row of chosen.rows()) {
      if (dataset.add(row)) counts[`${row.kind}s`]++
      else counts.refused++
    }
    const own = dataset.files.find((file) => isSameFile(file.path, output))
    if (own) throw new VcapError('usage', `${own.path} is the output that is exported: name another place`)
    for (const file of dataset.files) file.commit()
  } finally {
    for (const file of dataset.files) file.discard()
  }
  const files = dataset.files.map((file) => file.path)
  return { files, ...counts, ...chosen.left, linked: dataset.linked, warnings: dataset.warnings() }
}

/** The rows of an output that can be exported. */
class Choice {
  left = { failed: 0, missing: 0, otherKind: 0 }

  constructor(
    private readonly source: CaptionSource,
    private readonly kind: MediaKind | undefined,
    private readonly signal: AbortSignal | undefined
  ) {}

  async countKinds(): Promise<Set<MediaKind>> {
    const kinds = new Set<MediaKind>()
    for await (const { kind } of this.rows()) kinds.add(kind)
    return kinds
  }

  async *rows(): AsyncGenerator<ExportRow> {
    const left = (this.left = { failed: 0, missing: 0, otherKind: 0 })
    for await (const row of this.source.rows()) {
      if (this.signal?.aborted) throw abortedError(this.signal)
      if (row.text === '' || row.path === '') left.failed++
      else if (this.kind !== undefined && row.kind !== this.kind) left.otherKind++
      else if (!fs.existsSync(row.path)) left.missing++
      else yield row
    }
  }

  /** Why there is none. */
  why(): string {
    const { failed, missing, otherKind } = this.left
    if (failed + missing + otherKind === 0) return ''
    return `: ${failed} without a caption, ${missing} whose file is not there, ${otherKind} of another kind`
  }
}
