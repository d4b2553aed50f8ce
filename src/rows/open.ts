import fs from 'node:fs'
import path from 'node:path'
import { VcapError } from '../errors'
import { countCsv, CsvSink, openCsv } from './csv'
import { requireColumn, type Row, type RowSink, type RowSource } from './rows'

export interface RowsOptions {
  /** Where relative paths start; the table's folder when left out. */
  root?: string | undefined
}

/** Opens a table whose column `path` names the files to caption. Throws `usage`, `csv_invalid`. */
export async function openRows(file: string, { root }: RowsOptions): Promise<RowSource> {
  const stat = fs.statSync(file, { throwIfNoEntry: false })
  if (!stat) throw new VcapError('usage', `Input ${file} not found`)
  if (stat.isDirectory()) throw new VcapError('usage', `Input ${file} is a directory: expected a CSV file`)
  const { columns, records } = await openCsv(file)
  const pathColumn = requireColumn(file, columns, 'path')
  const textColumn = columns.indexOf('text')
  const start = path.resolve(root ?? path.dirname(file))

  async function* rows(): AsyncGenerator<Row> {
    let index = 0
    for await (const cells of records) {
      const name = cells[pathColumn]!
      // The one place where a row's path is resolved. An empty cell stays empty, for the row's own error.
      const input = { path: name === '' ? '' : path.resolve(start, name), text: cells[textColumn] }
      yield { index: index++, cells, input }
    }
  }
  return { columns, pathColumn, rows, count: (signal) => countCsv(file, signal) }
}

/** Opens the output, a CSV file with these columns. Throws `output_unwritable`. */
export function openSink(file: string, columns: string[]): RowSink {
  return new CsvSink(file, columns)
}
