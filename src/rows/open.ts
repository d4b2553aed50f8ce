import fs from 'node:fs'
import path from 'node:path'
import type { RowInput } from '../caption'
import { VcapError } from '../errors'
import { isIdentifier } from '../prompts/template'
import { cellText } from './cell'
import { formatByEnding } from '../table-format'
import { isListed, openListing } from './listing'
import type { Cell, Row, RowSource } from './rows'
import { openTable, type Table, type TableOptions } from './table'
import { isStandardInput, isStream } from './table-file'

export interface RowsOptions extends Pick<TableOptions, 'format' | 'signal'> {
  /** Where relative paths start; the table's folder when left out, the working directory for what has none. */
  root?: string | undefined
  /** What of a row goes into its prompt. */
  needs?: PromptNeeds | undefined
}

/** What of a row goes into its prompt. */
export interface PromptNeeds {
  usesText?: boolean | undefined
  /** Columns besides the text's: their cells are in a row's input. */
  usesColumns?: string[] | undefined
}

/**
 * Opens a table whose column `path` names the files to caption, and checks all of it; lists a folder, or takes one
 * video or image, as a table with that column alone. Throws what `openTable` throws.
 */
export async function openRows(input: string, { root, format, signal, needs = {} }: RowsOptions): Promise<RowSource> {
  const start = startOf(input, root)
  const isFile = (name: string) => fs.existsSync(path.resolve(start, name))
  const listing = format === undefined && isListed(input) ? await openListing(input, signal) : undefined
  const table = listing ?? (await openTable(input, { format, signal, column: 'path', isFile }))
  const { columns, types, total, warnings } = table
  const pathColumn = columns.indexOf('path')
  const textColumn = columns.indexOf('text')
  const cellColumns = findPromptColumns(table, input, needs.usesColumns ?? [])
  const textOf = (cells: Cell[], column: number) => cellText(cells[column], types?.[column]) ?? ''

  async function* rows(): AsyncGenerator<Row> {
    let index = 0
    for await (const cells of table.records()) {
      const name = textOf(cells, pathColumn)
      // The one place where a row's path is resolved. An empty cell stays empty, for the row's own error.
      const text = textColumn < 0 ? undefined : textOf(cells, textColumn)
      const input: RowInput = { path: name === '' ? '' : path.resolve(start, name), text }
      if (cellColumns) input.cells = Object.fromEntries(cellColumns.map(([name, at]) => [name, textOf(cells, at)]))
      yield { index: index++, cells, input }
    }
  }
  return {
    columns,
    types,
    format: table.format,
    pathColumn,
    total,
    warnings: [...warnings, ...textWarnings(needs, input, textColumn)],
    digest: listing?.digest,
    rows,
    get resized() {
      return table.resized
    },
    close: () => table.close()
  }
}

/**
 * Where the columns that a prompt names stand; undefined where it names none. What is in braces and no column is words
 * of the prompt, unless it can only be meant as a column. Throws `usage`, and closes the table.
 */
function findPromptColumns(table: Table, input: string, names: string[]): [name: string, at: number][] | undefined {
  const { columns } = table
  const missing = names.find((name) => !columns.includes(name) && isIdentifier(name))
  if (missing !== undefined) {
    table.close()
    throw new VcapError(
      'usage',
      `The prompt takes {${missing}}, and ${input} has no such column: ` +
        `its columns are ${columns.slice(0, 12).join(', ')}. ` +
        `Where the braces are words of the prompt, write {{${missing}}}`
    )
  }
  const found = names.filter((name) => columns.includes(name))
  return found.length > 0 ? found.map((name) => [name, columns.indexOf(name)]) : undefined
}

function textWarnings({ usesText }: PromptNeeds, input: string, textColumn: number): string[] {
  if (!usesText || textColumn >= 0) return []
  return [`The prompt takes the rows' text, and ${input} has no column text: every row is asked without`]
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

/** The folder where a table's relative paths start. */
export function startOf(input: string, root?: string): string {
  return path.resolve(root ?? folderOf(input))
}

/** What the system names a file or a stream has no folder of the user's. */
function folderOf(input: string): string {
  return isStandardInput(input) || /^\/(dev|proc)\//.test(input) ? '.' : path.dirname(input)
}

/** True where a name is that of a table and not of a file to caption. */
export function isTable(input: string): boolean {
  return formatByEnding(input).format !== undefined || isStream(input)
}
