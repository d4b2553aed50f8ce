import type { ColumnType } from './cell'
import { isText } from './leaf'

type SchemaElement = import('hyparquet', { with: { 'resolution-mode': 'import' }}).SchemaElement

type ConvertedType = NonNullable<SchemaElement['converted_type']>

/** A schema as Parquet has it: the root, then each column with what is below it. */
export function schemaOf(columns: string[], types: ColumnType[]): SchemaElement[] {
  const below = types.flatMap((type, column) => {
    const [first, ...rest] = elementsOf(type)
    return [{ ...first!, name: columns[column]! }, ...rest]
  })
  return [{ name: 'schema', num_children: columns.length }, ...below]
}

function elementsOf({ element, children }: ColumnType): SchemaElement[] {
  return [element, ...children.flatMap(elementsOf)]
}

/**
 * The columns' types out of a schema as Parquet has it. Lists and maps that are named in the newer way alone are named
 * in the older as well; times of 96 bits, which nothing writes any more, are read as those of 64.
 */
export function typesOf(schema: SchemaElement[]): ColumnType[] {
  let at = 0
  const read = (): ColumnType => {
    const element = schema[at++]
    if (!element) throw new Error('its schema ends too early')
    const children = Array.from({ length: element.num_children ?? 0 }, read)
    return { element: modern(element), children }
  }
  return read().children as ColumnType[]
}

function modern(element: SchemaElement): SchemaElement {
  const { type, logical_type: logical, converted_type: converted } = element
  if (logical?.type === 'INTEGER') {
    // In the older way alone: hyparquet-writer writes a width of the newer one that others refuse.
    const older = `${logical.isSigned ? 'INT' : 'UINT'}_${logical.bitWidth}` as ConvertedType
    return { ...element, converted_type: older, logical_type: undefined }
  }
  if (type === 'INT96') {
    return { ...element, type: 'INT64', logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: false, unit: 'NANOS' } }
  }
  if (type || converted) return element
  return logical?.type === 'LIST' || logical?.type === 'MAP' ? { ...element, converted_type: logical.type } : element
}

/**
 * A schema under which values pass as their bytes have them, text excepted: whatever they mean is left to the columns'
 * types, so that none is rounded on its way.
 */
export function plainSchema(schema: SchemaElement[]): SchemaElement[] {
  return schema.map((element) => {
    const { name, type, type_length, repetition_type, num_children, converted_type: converted } = element
    const form = type ? isText(element) && 'UTF8' : ['LIST', 'MAP'].includes(converted ?? '') && converted
    return {
      name,
      ...(type && { type }),
      ...(type_length !== undefined && { type_length }),
      ...(repetition_type && { repetition_type }),
      ...(num_children !== undefined && { num_children }),
      ...(form && { converted_type: form })
    }
  })
}
