type SchemaElement = import('hyparquet', { with: { 'resolution-mode': 'import' }}).SchemaElement
import { leafJson, leafText } from './leaf'

/** A JSON value as its file has it, to the last digit and blank. */
export class JsonText {
  constructor(readonly raw: string) {}
}

/**
 * One cell of a table, with the type that the table gives it. A CSV has strings, and null for an empty cell without
 * quotes. JSONL has `undefined` where a line lacks the key, and `JsonText` for what is no JavaScript value of the same
 * text. Parquet has its physical values, whose meaning the column's type tells: whole numbers for times and decimals,
 * bytes, lists, and objects for structs and maps.
 */
export type Cell =
  | string
  | number
  | bigint
  | boolean
  | null
  | undefined
  | JsonText
  | Uint8Array
  | Cell[]
  | { [name: string]: Cell }

/** What a column holds, in Parquet's terms: handed from a table to an output as it is. */
export interface ColumnType {
  /** Its name is that of the column in the table that has it. */
  readonly element: SchemaElement
  readonly children: readonly ColumnType[]
  /** Its cells are values out of JSON, which the type can hold but does not describe. */
  readonly isJsonValue?: boolean
}

/** A cell as text, as in a CSV: null where there is nothing. Bytes are in base64, lists and structs in JSON. */
export function cellText(cell: Cell, type?: ColumnType): string | null {
  if (cell === null || cell === undefined) return null
  if (typeof cell === 'string') return cell
  if (cell instanceof JsonText) return cell.raw
  if (isNested(cell)) return cellJson(cell, type)
  return leafText(cell, elementOf(type))
}

/** A cell as JSON, on one line. What JSON has no value for is null: nothing, NaN, infinities. */
export function cellJson(cell: Cell, type?: ColumnType): string {
  if (cell === null || cell === undefined) return 'null'
  if (cell instanceof JsonText) return cell.raw
  if (!isNested(cell)) return leafJson(cell, elementOf(type))
  const { element, children } = type ?? { element: undefined, children: [] }
  if (Array.isArray(cell)) {
    const item = element?.converted_type === 'LIST' ? itemOf(children[0]) : type
    return `[${cell.map((each) => cellJson(each, item)).join(',')}]`
  }
  const isMap = element?.converted_type === 'MAP'
  const typeOf = (name: string) =>
    isMap ? children[0]?.children[1] : children.find((child) => child.element.name === name)
  return `{${Object.entries(cell)
    .map(([name, each]) => `${JSON.stringify(name)}:${cellJson(each, typeOf(name))}`)
    .join(',')}}`
}

function elementOf(type: ColumnType | undefined): SchemaElement | undefined {
  return type?.isJsonValue ? undefined : type?.element
}

/** Of a list's items: within the repeated group, or the group itself where it is no wrapper. */
function itemOf(repeated: ColumnType | undefined): ColumnType | undefined {
  return repeated?.children.length === 1 ? repeated.children[0] : repeated
}

function isNested(cell: Cell): cell is Cell[] | { [name: string]: Cell } {
  return typeof cell === 'object' && cell !== null && !(cell instanceof Uint8Array) && !(cell instanceof JsonText)
}
