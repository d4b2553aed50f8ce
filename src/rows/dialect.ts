import { parse, type CsvError } from 'csv-parse/sync'

/** How the parser reads every table. Its scan has checked what these leave open. */
export const parserOptions = {
  // Named, not found out by the first line: tables are joined of parts with line ends of their own.
  record_delimiter: ['\r\n', '\n', '\r'],
  relax_column_count: true,
  skip_empty_lines: true
}

/** How a table is written. */
export interface Dialect {
  /** Between cells, one ASCII character. */
  separator: string
  /** Bytes before the header: those of a line `sep=;`. */
  skipped: number
  /** The header's cells; empty where there is none, undefined where it cannot be read. */
  columns: string[] | undefined
}

/** The likeliest first. */
const separators = [',', ';', '\t', '|']
const tsvSeparators = ['\t', ',', ';', '|']

/**
 * From a table's first bytes: the separator named by a line `sep=;`, or else the first under which the header has a
 * column of this name, or else the first that gives two columns. `isTsv`: the tab is tried first.
 */
export function findDialect(head: Buffer, name: string, isTsv = false): Dialect {
  const named = /^"?sep=([!-+\-./:-@[-`{-~\t, ])"?(\r\n|\n|\r)/i.exec(head.toString('latin1', 0, 16))
  if (named && named[1] !== '"') {
    const skipped = named[0].length
    return { separator: named[1]!, skipped, columns: readHeader(head.subarray(skipped), named[1]!) }
  }
  const headers = (isTsv ? tsvSeparators : separators).map((separator) => ({
    separator,
    skipped: 0,
    columns: readHeader(head, separator)
  }))
  const width = (dialect: Dialect) => dialect.columns?.length ?? 0
  const widest = headers.reduce((most, other) => (width(other) > width(most) && width(most) < 2 ? other : most))
  return headers.find(({ columns }) => columns?.includes(name)) ?? widest
}

function readHeader(head: Buffer, separator: string): string[] | undefined {
  try {
    return (parse(head, { ...parserOptions, delimiter: separator, to: 1 }) as string[][])[0] ?? []
  } catch (error) {
    if ((error as CsvError).code) return undefined // the scan says where
    throw error
  }
}
