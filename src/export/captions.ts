import fs from 'node:fs'
import path from 'node:path'
import { isCaptioned, type RowStatus } from '../caption'
import { VcapError } from '../errors'
import type { MediaKind } from '../prompts/presets'
import { requireColumn, type Cell } from '../rows/rows'
import { statusColumn } from '../rows/layout'
import { openTable } from '../rows/table'
import { scanJournal } from '../run/journal-file'
import { captionOf, readHead } from '../run/record'
import type { RunFile } from '../run/run-file'
import { requireRun } from '../run/find-run'
import type { JournalledRow } from '../run/status'

/** One row of an output. */
export interface ExportRow {
  /** Absolute. */
  path: string
  kind: MediaKind
  /** Empty where there is no caption. */
  text: string
}

/** An output's rows, and where their relative paths start. */
export interface CaptionSource {
  rows(): AsyncGenerator<ExportRow>
  close(): void
}

export interface CaptionSourceOptions {
  /** Where relative paths start; as in the run, or the output's folder, when left out. */
  root?: string | undefined
  /** The name of one of several captions; the one that there is when left out. */
  caption?: string | undefined
  /** What an unfinished run has captioned so far is enough. */
  partial: boolean
  signal?: AbortSignal | undefined
}

/**
 * Opens a run's output, a table with the columns `path` and `text`. Throws what `openTable` throws, and `usage` where
 * its run is not finished.
 */
export async function openCaptions(output: string, options: CaptionSourceOptions): Promise<CaptionSource> {
  const found = runOf(output)
  const start = path.resolve(options.root ?? found?.run.root ?? path.dirname(output))
  if (found && !found.run.finished) {
    if (options.partial) return fromJournal(found.folder, start, options.caption)
    throw new VcapError(
      'usage',
      `The run of ${output} is not finished. The same command goes on with it; --partial takes what it has so far`
    )
  }
  const table = await openTable(output, { signal: options.signal, column: 'path' })
  try {
    const name = options.caption ?? 'text'
    const several = found?.run.finished?.captions
    if (several && !several.includes(name)) throw oneOf(output, several, options.caption)
    const text = requireColumn(table.label, table.columns, name, 'table_invalid')
    const place = (column: string) => table.columns.indexOf(column)
    // Where one caption a row was made, a column of that name is of the table, or of the answers.
    const ownStatus = found && !several ? -1 : place(statusColumn(name))
    const at = { path: place('path'), text, status: ownStatus < 0 ? place('status') : ownStatus }
    const length = table.columns.indexOf('num_frames')
    return {
      rows: async function* () {
        for await (const cells of table.records()) {
          const name = show(cells[at.path])
          const status = at.status < 0 ? 'ok' : show(cells[at.status])
          yield toRow(start, name, status, show(cells[at.text]), Number(show(cells[length]) || Number.NaN))
        }
      },
      close: () => table.close()
    }
  } catch (error) {
    table.close()
    throw error
  }
}

function oneOf(output: string, captions: string[], asked: string | undefined): VcapError {
  const lacks = asked === undefined ? '' : `, and none named ${asked}`
  return new VcapError('usage', `${output} has several captions a row${lacks}: choose one of ${captions.join(', ')}`)
}

function runOf(output: string): { folder: string; run: RunFile } | undefined {
  try {
    return requireRun(output)
  } catch (error) {
    // A table that was merged or edited by hand has no run.
    if (error instanceof VcapError && error.code === 'usage' && fs.existsSync(output)) return undefined
    throw error
  }
}

/** What a run has captioned so far, each row once, in the order in which they were first done. */
function fromJournal(folder: string, start: string, caption: string | undefined): CaptionSource {
  return {
    rows: async function* () {
      const last = new Map<string, string | undefined>()
      await scanJournal(path.join(folder, 'rows.log'), (record) => {
        const head = readHead(record)
        if (head) last.set(record.toString('latin1', 0, record.indexOf(' ')), head.label && captionOf(record))
      })
      for (const json of last.values()) {
        if (json === undefined) continue
        const row = JSON.parse(json) as JournalledRow
        const { captions } = row
        const chosen = captions ? captions[caption ?? ''] : row
        if (!chosen) throw oneOf(folder, Object.keys(captions!), caption)
        const { status, text } = chosen
        yield toRow(start, row.path, status, text, row.numFrames ?? Number.NaN)
      }
    },
    close: () => undefined
  }
}

function toRow(start: string, name: string, status: string, text: string, length: number): ExportRow {
  const isDone = status === '' || isCaptioned({ status: status as RowStatus })
  const caption = isDone && !/^\s*(nan|none|null)?\s*$/i.test(text) ? text : ''
  return { path: name === '' ? '' : path.resolve(start, name), kind: kindOf(name, length), text: caption }
}

const images = /\.(jpe?g|png|ppm|pgm|bmp|tiff?|webp|avif|hei[cf]|jxl)$/i
const maybeAnimated = /\.(gif|webp|avif)$/i

/** By its name; what may be moving, and what has no ending that is known, by its length in frames. */
function kindOf(name: string, length: number): MediaKind {
  if (length > 1 && maybeAnimated.test(name)) return 'video'
  if (images.test(name)) return 'image'
  return length === 1 && (maybeAnimated.test(name) || !/\.\w{2,4}$/.test(name)) ? 'image' : 'video'
}

function show(cell: Cell | undefined): string {
  return cell === null || cell === undefined ? '' : String(cell)
}
