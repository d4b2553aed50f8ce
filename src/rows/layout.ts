import type { RowCaption } from '../caption'
import type { Cell } from './rows'

/** The columns that hold a row's caption. */
const captionColumns = ['text', 'num_frames', 'status', 'error', 'flags']

/** From input columns to output columns. */
export interface Layout {
  columns: string[]
  /** Input columns that are not in the output, since ours have their names. */
  replaced: string[]
  /** One row of the output. */
  cells(input: Cell[], caption: RowCaption): Cell[]
}

/** What the output's columns depend on. */
export interface LayoutOptions {
  compat?: 'open-sora' | undefined
  /** A column `partial`, true where a file has less than its container promises, is the last one. */
  allowPartial?: boolean | undefined
}

/** Every input column in its order but for those named as ours, then ours. `open-sora`: exactly that tool's columns. */
export function chooseLayout(
  columns: string[],
  pathColumn: number,
  { compat, allowPartial = false }: LayoutOptions = {}
): Layout {
  if (compat === 'open-sora') {
    return {
      columns: ['path', 'text', 'num_frames'],
      replaced: [],
      cells: (input, { text, numFrames }) => [input[pathColumn]!, text, numFrames]
    }
  }
  const own = allowPartial ? [...captionColumns, 'partial'] : captionColumns
  const kept = columns.flatMap((name, column) => (own.includes(name) ? [] : [column]))
  return {
    columns: [...kept.map((column) => columns[column]!), ...own],
    replaced: own.filter((name) => columns.includes(name)),
    cells: (input, { text, numFrames, status, error, flags, partial }) => [
      ...kept.map((column) => input[column]!),
      text,
      numFrames,
      status,
      error?.replace(/\s+/g, ' ') ?? null,
      flags?.join(';') ?? null,
      ...(allowPartial ? [partial ? 'true' : null] : [])
    ]
  }
}
