import { VcapError } from '../errors'
import { openTable, type Table } from '../rows/table'
import { formatByEnding, type FormatName } from '../table-format'

export interface OpenTablesOptions {
  signal?: AbortSignal | undefined
  /** Of tables whose names do not say, and of an output as well. */
  format?: FormatName | undefined
  inputFormat?: FormatName | undefined
  /** A column that each has to have. */
  column?: string | undefined
}

/** Opens tables for `use` and closes them. Only one may be standard input. Throws what `openTable` throws. */
export async function withTables<T>(
  places: string[],
  options: OpenTablesOptions,
  use: (tables: Table[]) => Promise<T>
): Promise<T> {
  if (places.filter((place) => place === '-').length > 1) {
    throw new VcapError('usage', 'Standard input is one table: give the other as a file')
  }
  const { signal, column } = options
  const tables: Table[] = []
  try {
    for (const place of places)
      tables.push(await openTable(place, { signal, column, format: formatOf(place, options) }))
    return await use(tables)
  } finally {
    for (const table of tables) table.close()
  }
}

/** Of a table whose name says nothing, the one that was named. */
export function formatOf(place: string, { format, inputFormat }: OpenTablesOptions): FormatName | undefined {
  return formatByEnding(place).format === undefined ? (inputFormat ?? format) : undefined
}
