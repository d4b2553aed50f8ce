import type { RowCaption, RowUsage } from '../caption'
import type { Cell, ColumnType } from './cell'
import { doubleType, integerType, textType } from './json-types'
import type { RowSource } from './rows'

/** The columns that hold a row's caption. */
const captionColumns = ['text', 'num_frames', 'status', 'error', 'flags']

/** What they hold, where that is no text. */
const typesOfOwn: Record<string, (name: string) => ColumnType> = {
  num_frames: integerType,
  prompt_tokens: integerType,
  completion_tokens: integerType,
  cost: doubleType
}

/** From input columns to output columns. */
export interface Layout {
  columns: string[]
  /** Of each column what it holds; undefined where the input does not say. */
  types: (ColumnType | undefined)[]
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
  /** Columns `prompt_tokens`, `completion_tokens` and `cost` follow ours. */
  usageColumns?: boolean | undefined
}

/** Every input column in its order but for those named as ours, then ours. `open-sora`: exactly that tool's columns. */
export function chooseLayout(
  { columns, types, pathColumn }: Pick<RowSource, 'columns' | 'types' | 'pathColumn'>,
  { compat, allowPartial = false, usageColumns = false }: LayoutOptions = {}
): Layout {
  if (compat === 'open-sora') {
    return {
      columns: ['path', 'text', 'num_frames'],
      types: [types?.[pathColumn], textType('text'), integerType('num_frames')],
      replaced: [],
      cells: (input, { text, numFrames }) => [input[pathColumn], text || null, numFrames]
    }
  }
  const own = [
    ...captionColumns,
    ...(usageColumns ? ['prompt_tokens', 'completion_tokens', 'cost'] : []),
    ...(allowPartial ? ['partial'] : [])
  ]
  const kept = columns.flatMap((name, column) => (own.includes(name) ? [] : [column]))
  return {
    columns: [...kept.map((column) => columns[column]!), ...own],
    types: [...kept.map((column) => types?.[column]), ...own.map((name) => (typesOfOwn[name] ?? textType)(name))],
    replaced: own.filter((name) => columns.includes(name)),
    cells: (input, { text, numFrames, status, error, flags, partial, usage }) => [
      ...kept.map((column) => input[column]),
      text || null,
      numFrames,
      status,
      error?.replace(/\s+/g, ' ') ?? null,
      flags?.join(';') ?? null,
      ...(usageColumns ? usageCells(usage) : []),
      ...(allowPartial ? [partial ? 'true' : null] : [])
    ]
  }
}

/** A server counts the tokens of the pictures among the prompt's; so does the column. */
function usageCells(usage: RowUsage | null): Cell[] {
  if (!usage) return [null, null, null]
  const { imageTokens, promptTokens, tokens, cost } = usage
  return [imageTokens + promptTokens, tokens, cost ?? null]
}
