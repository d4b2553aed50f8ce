import { isDeepStrictEqual } from 'node:util'
import { VcapError } from '../errors'
import { cellText, type Cell, type ColumnType } from '../rows/cell'
import type { Table } from '../rows/table'

/** The columns of several tables as those of one. */
export interface CommonColumns {
  columns: string[]
  types: (ColumnType | undefined)[]
  /** A record of one of the tables in these columns. */
  inCommon: ((cells: Cell[]) => Cell[])[]
  /** Of each table, whether its columns stand in another order. */
  isReordered: boolean[]
}

/** Where each of `columns` stands in a table; -1 where its lines have no such key. */
export type ColumnOrder = number[]

/**
 * The columns of the first table, which each of the others has to have as well, in any order; of JSONL tables alone
 * all keys of all. Throws `usage`.
 */
export function commonColumns(tables: Table[]): CommonColumns {
  const isSparse = tables.every(({ format }) => format.format === 'jsonl')
  const columns = isSparse ? [...new Set(tables.flatMap((table) => table.columns))] : tables[0]!.columns
  const orders = tables.map((table) => orderOf(table, tables[0]!, columns, isSparse))
  return {
    columns,
    ...unify(tables, orders),
    isReordered: orders.map((order) => {
      const places = order.filter((place) => place >= 0)
      return places.some((place, i) => i > 0 && place < places[i - 1]!)
    })
  }
}

/** The types of columns that several tables have, and their records in these columns. */
export function unify(
  tables: Pick<Table, 'types'>[],
  orders: ColumnOrder[]
): Pick<CommonColumns, 'types' | 'inCommon'> {
  const columns = orders[0]!.map((_, column) => {
    const there = tables.filter((_, table) => orders[table]![column]! >= 0)
    return commonType(there.map((table) => table.types?.[orders[tables.indexOf(table)]![column]!]))
  })
  const inCommon = tables.map((table, index) => {
    const order = orders[index]!
    const types = order.map((place) => table.types?.[place])
    return (cells: Cell[]) =>
      order.map((place, column) => {
        const cell = place < 0 ? undefined : cells[place]
        return columns[column]!.isText ? asText(cell, types[column]) : cell
      })
  })
  return { types: columns.map(({ type }) => type), inCommon }
}

/**
 * The type of cells of several columns: the one that all have; none, where the cells say themselves what they are, as
 * those of CSV and JSONL; else all have to become text.
 */
function commonType(types: (ColumnType | undefined)[]): { type: ColumnType | undefined; isText: boolean } {
  const [first, ...others] = types
  if (first && others.every((other) => other && isSameType(first, other))) return { type: first, isText: false }
  return { type: undefined, isText: !types.every(isSelfDescribing) }
}

function isSelfDescribing(type: ColumnType | undefined): boolean {
  return type === undefined || type.isJsonValue === true
}

function isSameType(a: ColumnType, b: ColumnType): boolean {
  return isDeepStrictEqual({ ...a, element: { ...a.element, name: '' } }, { ...b, element: { ...b.element, name: '' } })
}

function asText(cell: Cell, type: ColumnType | undefined): Cell {
  return isSelfDescribing(type) ? cell : cellText(cell, type)
}

function orderOf(table: Table, first: Table, wanted: string[], isSparse: boolean): ColumnOrder {
  const { columns } = table
  if (isSparse) return wanted.map((name) => columns.indexOf(name))
  if (columns.join('\n') === wanted.join('\n')) return wanted.map((_, column) => column)
  const extra = columns.filter((name) => !wanted.includes(name))
  const missing = wanted.filter((name) => !columns.includes(name))
  const isTwice = new Set(columns).size < columns.length || columns.length !== wanted.length
  if (extra.length + missing.length === 0 && !isTwice) return wanted.map((name) => columns.indexOf(name))
  const told = [
    ...(missing.length > 0 ? [`it lacks ${missing.join(', ')}`] : []),
    ...(extra.length > 0 ? [`it has ${extra.join(', ')} beside`] : []),
    ...(extra.length + missing.length === 0 ? ['columns that share a name stand in another order'] : [])
  ]
  throw new VcapError('usage', `${table.label} has other columns than ${first.label}: ${told.join('; ')}`)
}
