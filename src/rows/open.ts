import fs from 'node:fs'
import path from 'node:path'
import { VcapError } from '../errors'
import { CsvSink } from './csv-sink'
import { openCsv } from './csv-table'
import type { Row, RowSink, RowSource } from './rows'
import { isStandardInput, isStream, TableFile } from './table-file'

export interface RowsOptions {
  /** Where relative paths start; the table's folder when left out, the working directory for what has none. */
  root?: string | undefined
  signal?: AbortSignal | undefined
}

/**
 * Opens a table whose column `path` names the files to caption, and checks all of it. Throws `usage`, `csv_invalid`,
 * `read_failed`, `aborted`, and `write_failed` where a table from a pipe cannot be kept.
 */
export async function openRows(input: string, { root, signal }: RowsOptions): Promise<RowSource> {
  const file = await TableFile.open(input, signal)
  try {
    const start = path.resolve(root ?? folderOf(input))
    const table = await openCsv(file, (name) => fs.existsSync(path.resolve(start, name)), signal)
    const { columns, pathColumn, total, warnings } = table
    const textColumn = columns.indexOf('text')

    async function* rows(): AsyncGenerator<Row> {
      let index = 0
      for await (const cells of table.records()) {
        const name = cells[pathColumn]!
        // The one place where a row's path is resolved. An empty cell stays empty, for the row's own error.
        const input = { path: name === '' ? '' : path.resolve(start, name), text: cells[textColumn] }
        yield { index: index++, cells, input }
      }
    }
    return {
      columns,
      pathColumn,
      total,
      warnings,
      rows,
      get resized() {
        return file.resized
      },
      close: () => file.close()
    }
  } catch (error) {
    file.close()
    throw error
  }
}

/** Throws `usage` where a root was given that is no folder: every row would be missing. */
export function requireRoot(root: string | undefined): void {
  if (root === undefined) return
  try {
    if (fs.statSync(root).isDirectory()) return
  } catch {
    // not there, or in a folder that this user may not search
  }
  throw new VcapError('usage', `Expected a folder for root but received ${root}`)
}

/** What the system names a file or a stream has no folder of the user's. */
function folderOf(input: string): string {
  return isStandardInput(input) || /^\/(dev|proc)\//.test(input) ? '.' : path.dirname(input)
}

/** True where a name is that of a table and not of a file to caption. */
export function isTable(input: string): boolean {
  return /\.(csv|tsv)$/i.test(input) || isStream(input)
}

/** Opens the output, a CSV file with these columns. Throws `output_unwritable`. */
export function openSink(file: string, columns: string[]): RowSink {
  return new CsvSink(file, columns)
}
