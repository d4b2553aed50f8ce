import { isCaptioned, type RowCaption, type RowUsage } from '../caption'
import { VcapError } from '../errors'
import { fieldsOf, fieldValues, type Field, type FieldKind } from '../form/columns'
import type { JsonSchema } from '../form/json-schema'
import { JsonText, type Cell, type ColumnType } from './cell'
import { booleanType, doubleType, integerType, jsonType, textType } from './json-types'
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

const typesOfFields: Record<FieldKind, (name: string) => ColumnType> = {
  text: textType,
  integer: integerType,
  number: doubleType,
  boolean: booleanType,
  json: jsonType
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
  /** A column `partial`, true where a file has less than its container promises, is the last one of ours. */
  allowPartial?: boolean | undefined
  /** Columns `prompt_tokens`, `completion_tokens` and `cost` follow ours. */
  usageColumns?: boolean | undefined
  /** Columns for the properties of `jsonSchema`'s answers are the last ones. */
  jsonColumns?: boolean | undefined
  jsonSchema?: JsonSchema | undefined
}

/**
 * Every input column in its order but for those named as ours, then ours. `open-sora`: exactly that tool's columns.
 * Throws `usage` where properties of answers have the names of columns that are needed.
 */
export function chooseLayout(
  { columns, types, pathColumn }: Pick<RowSource, 'columns' | 'types' | 'pathColumn'>,
  { compat, allowPartial = false, usageColumns = false, jsonColumns, jsonSchema }: LayoutOptions = {}
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
  const fields = jsonColumns && jsonSchema ? fieldsOf(jsonSchema) : []
  requireFree(fields, [columns[pathColumn]!, ...own])
  const added = [...own, ...fields.map(({ name }) => name)]
  const kept = columns.flatMap((name, column) => (added.includes(name) ? [] : [column]))
  return {
    columns: [...kept.map((column) => columns[column]!), ...added],
    types: [
      ...kept.map((column) => types?.[column]),
      ...own.map((name) => (typesOfOwn[name] ?? textType)(name)),
      ...fields.map(({ name, kind }) => typesOfFields[kind](name))
    ],
    replaced: added.filter((name) => columns.includes(name)),
    cells: (input, { text, numFrames, status, error, flags, partial, usage }) => [
      ...kept.map((column) => input[column]),
      text || null,
      numFrames,
      status,
      error?.replace(/\s+/g, ' ') ?? null,
      flags?.join(';') ?? null,
      ...(usageColumns ? usageCells(usage) : []),
      ...(allowPartial ? [partial ? 'true' : null] : []),
      ...fieldCells(fields, isCaptioned({ status }) ? text : '')
    ]
  }
}

function requireFree(fields: Field[], taken: string[]): void {
  const clash = fields.find(({ name }) => taken.includes(name))
  if (!clash) return
  const why = 'since one is named so: rename it in the schema'
  throw new VcapError('usage', `The answers' property ${clash.name} cannot be a column, ${why}`)
}

/** What an answer says of each property: null where it says nothing, values of no plain type as JSON. */
function fieldCells(fields: Field[], text: string): Cell[] {
  return fieldValues(fields, text).map((value, i) => {
    if (value === undefined || value === null) return null
    return fields[i]!.kind === 'json' ? new JsonText(JSON.stringify(value)) : (value as string | number | boolean)
  })
}

/** A server counts the tokens of the pictures among the prompt's; so does the column. */
function usageCells(usage: RowUsage | null): Cell[] {
  if (!usage) return [null, null, null]
  const { imageTokens, promptTokens, tokens, cost } = usage
  return [imageTokens + promptTokens, tokens, cost ?? null]
}
