import type { RowCaption } from '../caption'
import type { Cell } from './rows'

/** The columns that hold a row's caption. */
const captionColumns = ['text', 'num_frames', 'status', 'error']

/** From input columns to output columns. */
export interface Layout {
  columns: string[]
  /** Input columns that are not in the output, since ours have their names. */
  replaced: string[]
  /** One row of the output. */
  cells(input: Cell[], caption: RowCaption): Cell[]
}

/** Every input column in its order but for those named as ours, then ours. `open-sora`: exactly that tool's columns. */
export function chooseLayout(columns: string[], pathColumn: number, compat: 'open-sora' | undefined): Layout {
  if (compat === 'open-sora') {
    return {
      columns: ['path', 'text', 'num_frames'],
      replaced: [],
      cells: (input, { text, numFrames }) => [input[pathColumn]!, text, numFrames]
    }
  }
  const kept = columns.flatMap((name, column) => (captionColumns.includes(name) ? [] : [column]))
  return {
    columns: [...kept.map((column) => columns[column]!), ...captionColumns],
    replaced: captionColumns.filter((name) => columns.includes(name)),
    cells: (input, { text, numFrames, status, error }) => [
      ...kept.map((column) => input[column]!),
      text,
      numFrames,
      status,
      error?.replace(/\s+/g, ' ') ?? null
    ]
  }
}
