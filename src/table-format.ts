import path from 'node:path'
import { VcapError } from './errors'

/** How a table is written. */
export const tableFormats = ['csv', 'tsv', 'jsonl', 'parquet'] as const
/** What a table may be compressed by, Parquet excepted: its pages are compressed within. */
export const compressions = ['gz', 'zst'] as const

export type TableFormat = (typeof tableFormats)[number]
export type Compression = (typeof compressions)[number]
/** A format as options name it: `jsonl`, `csv.gz`. */
export type FormatName = TableFormat | `${Exclude<TableFormat, 'parquet'>}.${Compression}`

/** Every name of a format. */
export const formatNames = [
  ...tableFormats,
  ...tableFormats.flatMap((format) =>
    format === 'parquet' ? [] : compressions.map((by) => `${format}.${by}` as const)
  )
] as [FormatName, ...FormatName[]]

export interface FileFormat {
  format: TableFormat
  compression?: Compression | undefined
}

const formatsByEnding: Record<string, TableFormat> = {
  '.csv': 'csv',
  '.tsv': 'tsv',
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
  '.parquet': 'parquet'
}

/** What a file's name says of it; empty where it says nothing. */
export function formatByEnding(name: string): Partial<FileFormat> {
  const compression = compressions.find((ending) => name.toLowerCase().endsWith(`.${ending}`))
  const bare = compression ? name.slice(0, -compression.length - 1) : name
  const format = formatsByEnding[path.extname(bare).toLowerCase()]
  return { ...(format && { format }), ...(compression && { compression }) }
}

/**
 * The format that was named, or that of the file's ending, or else the one that `otherwise` gives. Throws `usage` for a
 * compressed Parquet file.
 */
export function chooseFormat(
  place: string,
  named: FormatName | undefined,
  otherwise: FileFormat = { format: 'csv' }
): FileFormat {
  const [format, compression] = (named?.split('.') ?? []) as [TableFormat?, Compression?]
  const ending = formatByEnding(place)
  const says = named !== undefined || ending.format !== undefined || ending.compression !== undefined
  const chosen = says
    ? { format: format ?? ending.format ?? otherwise.format, compression: compression ?? ending.compression }
    : otherwise
  if (chosen.format === 'parquet' && chosen.compression) {
    throw new VcapError('usage', `${place}: a Parquet file is compressed within. Name it .parquet alone`)
  }
  return chosen
}

export function nameOfFormat({ format, compression }: FileFormat): FormatName {
  return (compression ? `${format}.${compression}` : format) as FormatName
}
