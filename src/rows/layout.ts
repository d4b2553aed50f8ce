import { isCaptioned, type RowAnswer, type RowCaption, type RowUsage } from '../caption'
import { VcapError } from '../errors'
import { fieldsOf, fieldValues, type Field, type FieldKind } from '../form/columns'
import type { JsonSchema } from '../form/json-schema'
import { JsonText, type Cell, type ColumnType } from './cell'
import { booleanType, doubleType, integerType, jsonType, textType } from './json-types'
import type { RowSource } from './rows'

/** The columns that tell of a row, after its caption or captions. */
const rowColumns = ['num_frames', 'status', 'error', 'flags']

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
  /** Names of a row's captions, which are columns; undefined where it has one. */
  captions?: string[] | undefined
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
  /** Columns for the properties of `jsonSchema`'s answers are the last ones, of several captions those of each. */
  jsonColumns?: boolean | undefined
  jsonSchema?: JsonSchema | undefined
  /** Names of the captions of a row, in order; one in a column `text` when left out. */
  captions?: string[] | undefined
}

/**
 * Every input column in its order but for those named as ours, then ours. `open-sora`: exactly that tool's columns.
 * Several captions have a column each, and one each for status and flags. Throws `usage` where the name of a caption or
 * of a property of answers is that of a column that is needed.
 */
export function chooseLayout(
  { columns, types, pathColumn }: Pick<RowSource, 'columns' | 'types' | 'pathColumn'>,
  { compat, allowPartial = false, usageColumns = false, jsonColumns, jsonSchema, captions }: LayoutOptions = {}
): Layout {
  if (compat && captions) {
    throw new VcapError('usage', `The columns of ${compat} hold one caption: ask one question, or leave compat out`)
  }
  if (compat === 'open-sora') {
    return {
      columns: ['path', 'text', 'num_frames'],
      types: [types?.[pathColumn], textType('text'), integerType('num_frames')],
      replaced: [],
      cells: (input, { text, numFrames }) => [input[pathColumn], text || null, numFrames]
    }
  }
  const own = [
    ...(captions ?? ['text']),
    ...rowColumns,
    ...(captions ?? []).flatMap((name) => [statusColumn(name), flagsColumn(name)]),
    ...(usageColumns ? ['prompt_tokens', 'completion_tokens', 'cost'] : []),
    ...(allowPartial ? ['partial'] : [])
  ]
  if (captions) requireNames(captions, [...own, columns[pathColumn]!])
  const fields = jsonColumns && jsonSchema ? fieldsOf(jsonSchema) : []
  const fieldColumns = (captions ?? [undefined]).flatMap((caption) => columnsOf(fields, caption))
  requireFree(fieldColumns, [columns[pathColumn]!, ...own])
  const added = [...own, ...fieldColumns.map(({ column }) => column)]
  const kept = columns.flatMap((name, column) => (added.includes(name) ? [] : [column]))
  return {
    columns: [...kept.map((column) => columns[column]!), ...added],
    types: [
      ...kept.map((column) => types?.[column]),
      ...own.map((name) => (typesOfOwn[name] ?? textType)(name)),
      ...fieldColumns.map(({ column, kind }) => typesOfFields[kind](column))
    ],
    replaced: added.filter((name) => columns.includes(name)),
    captions,
    cells: (input, { text, numFrames, status, error, flags, partial, usage, captions: made }) => [
      ...kept.map((column) => input[column]),
      ...(captions ? captions.map((name) => made?.[name]?.text || null) : [text || null]),
      numFrames,
      status,
      error?.replace(/\s+/g, ' ') ?? null,
      flags?.join(';') ?? null,
      // A file that could not be asked about has none of them for the row's own reason.
      ...(captions ?? []).flatMap((name) => [
        made ? made[name]?.status : status,
        made?.[name]?.flags?.join(';') ?? null
      ]),
      ...(usageColumns ? usageCells(usage) : []),
      ...(allowPartial ? [partial ? 'true' : null] : []),
      ...(captions
        ? captions.flatMap((name) => fieldCells(fields, made?.[name]))
        : fieldCells(fields, { status, text }))
    ]
  }
}

/** A property's column; of several captions it is named after the caption, too. */
interface FieldColumn extends Field {
  column: string
  caption: string | undefined
}

function columnsOf(fields: Field[], caption: string | undefined): FieldColumn[] {
  return fields.map((field) => ({ ...field, caption, column: fieldColumn(field.name, caption) }))
}

function requireFree(fields: FieldColumn[], taken: string[]): void {
  const all = [...taken, ...fields.map(({ column }) => column)]
  const clash = fields.find(({ column }) => all.indexOf(column) !== all.lastIndexOf(column))
  if (!clash) return
  const { name, caption, column } = clash
  const [whose, what] =
    caption === undefined
      ? ['', 'rename it in the schema']
      : [` of ${caption}`, 'rename it in the schema, or the prompt']
  const why = `since another one is named ${column}: ${what}`
  throw new VcapError('usage', `The answers' property ${name}${whose} cannot be a column, ${why}`)
}

/** What an answer says of each property: null where it says nothing, values of no plain type as JSON. */
function fieldCells(fields: Field[], caption: Pick<RowAnswer, 'status' | 'text'> | undefined): Cell[] {
  return fieldValues(fields, caption && isCaptioned(caption) ? caption.text : '').map((value, i) => {
    if (value === undefined || value === null) return null
    return fields[i]!.kind === 'json' ? new JsonText(JSON.stringify(value)) : (value as string | number | boolean)
  })
}

/** The columns of one of several captions, beside its text's. */
export const statusColumn = (name: string): string => `${name}_status`
export const flagsColumn = (name: string): string => `${name}_flags`

/** The column of a property of answers; of several captions those of this one. */
const fieldColumn = (property: string, caption: string | undefined): string =>
  caption === undefined ? property : `${caption}_${property}`

function requireNames(captions: string[], columns: string[]): void {
  const taken = captions.find((name) => columns.filter((column) => same(column, name)).length > 1)
  if (taken === undefined) return
  throw new VcapError('usage', `No caption can be named ${taken}: another column of the output has this name`)
}

function same(name: string, other: string): boolean {
  return name.toLowerCase() === other.toLowerCase()
}

/** A server counts the tokens of the pictures among the prompt's; so does the column. */
function usageCells(usage: RowUsage | null): Cell[] {
  if (!usage) return [null, null, null]
  const { imageTokens, promptTokens, tokens, cost } = usage
  return [imageTokens + promptTokens, tokens, cost ?? null]
}
