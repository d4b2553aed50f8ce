import { abortedError, VcapError } from '../errors'
import type { Cell, ColumnType } from './cell'
import type { OpenedTable, TableOptions } from './opened-table'
import { pageCodecs } from './parquet-codecs'
import { readPages, type Chunk, type Hyparquet, type RowValues } from './parquet-pages'
import { plainSchema, typesOf } from './parquet-schema'
import { requireColumn } from './rows'
import type { TableFile } from './table-file'

type Metadata = import('hyparquet', { with: { 'resolution-mode': 'import' }}).FileMetaData
type RowGroup = Metadata['row_groups'][number]
type SchemaTree = import('hyparquet', { with: { 'resolution-mode': 'import' }}).SchemaTree

/** Of ESM alone, and loaded where a Parquet file is read. */
interface Libraries {
  hyparquet: Hyparquet
  assembleNested: typeof import('hyparquet/src/assemble.js', { with: { 'resolution-mode': 'import' }}).assembleNested
  compressors: Awaited<ReturnType<typeof pageCodecs>>
}

/** A Parquet file that is being read. */
interface Opened {
  file: TableFile
  metadata: Metadata
  /** Of its schema, as values are read. */
  tree: SchemaTree
  libraries: Libraries
}

/**
 * Reads a whole Parquet file and checks it. Its cells are the physical values, page by page, whatever the size of its
 * groups of rows. Throws `table_invalid`, `read_failed`, `aborted`.
 */
export async function openParquet(file: TableFile, { column, signal }: TableOptions): Promise<OpenedTable> {
  const { opened, types } = await openMetadata(file)
  const columns = types.map(({ element }) => element.name)
  if (columns.length === 0) throw new VcapError('table_invalid', `${file.label} has no columns`)
  if (column !== undefined) requireColumn(file.label, columns, column, 'table_invalid')
  let total = 0
  for await (const _ of readRecords(opened, signal)) total++
  for await (const _ of file.blocks({ passing: true })); // what no page holds is watched as well
  await file.requireUnchanged()
  return {
    columns,
    types,
    total,
    warnings: total === 0 ? [`${file.label}: has columns and no rows`] : [],
    records: async function* () {
      await file.requireUnchanged()
      yield* readRecords(opened, undefined)
    }
  }
}

async function openMetadata(file: TableFile): Promise<{ opened: Opened; types: ColumnType[] }> {
  await requireMagic(file)
  const { parquetMetadataAsync, parquetSchema } = await import('hyparquet')
  const libraries = {
    hyparquet: {
      ...(await import('hyparquet/src/column.js')),
      ...(await import('hyparquet/src/encoding.js')),
      ...(await import('hyparquet/src/datapage.js')),
      ...(await import('hyparquet/src/schema.js'))
    },
    assembleNested: (await import('hyparquet/src/assemble.js')).assembleNested,
    compressors: await pageCodecs()
  }
  try {
    const slice = async (start: number, end = file.size) => Uint8Array.from(await file.read(start, end)).buffer
    const metadata = await parquetMetadataAsync({ byteLength: file.size, slice }, { geoparquet: false })
    const types = typesOf(metadata.schema)
    const schema = plainSchema(metadata.schema.map((element) => ({ ...element })))
    return { opened: { file, metadata, tree: parquetSchema({ ...metadata, schema }), libraries }, types }
  } catch (cause) {
    throw fault(file, cause)
  }
}

async function requireMagic(file: TableFile): Promise<void> {
  const start = (await file.read(0, Math.min(4, file.size))).toString('latin1')
  const end = (await file.read(Math.max(0, file.size - 4), file.size)).toString('latin1')
  if (start === 'PARE' || end === 'PARE') throw invalid(file, 'is an encrypted Parquet file: decrypt it first')
  if (file.size === 0) throw invalid(file, 'is empty: expected a Parquet file')
  if (start !== 'PAR1') throw invalid(file, 'is no Parquet file, as its name or --format says')
  if (end !== 'PAR1' || file.size < 12)
    throw invalid(file, 'is cut short: a Parquet file ends with its table of contents')
}

async function* readRecords(opened: Opened, signal: AbortSignal | undefined): AsyncGenerator<Cell[], void, undefined> {
  let group = 0
  for (const rowGroup of opened.metadata.row_groups) {
    group++
    try {
      yield* readGroup(opened, rowGroup, signal)
    } catch (cause) {
      throw fault(opened.file, cause, ` in its group of rows ${group}`)
    }
  }
}

/** One column of a group of rows: its leaves' values as far as they are read, and how to make one of them. */
interface ColumnReader {
  leaves: { path: string; pages: AsyncGenerator<RowValues>; values: RowValues; at: number }[]
  assemble: (values: Map<string, RowValues>) => RowValues
}

async function* readGroup(
  opened: Opened,
  rowGroup: RowGroup,
  signal: AbortSignal | undefined
): AsyncGenerator<Cell[], void, undefined> {
  const readers = columnReaders(opened, rowGroup)
  for (let left = Number(rowGroup.num_rows); left > 0; ) {
    if (signal?.aborted) throw abortedError(signal)
    const leaves = readers.flatMap((reader) => reader.leaves)
    for (const leaf of leaves) await fill(leaf)
    const count = Math.min(left, ...leaves.map(({ values, at }) => values.length - at))
    const columns = readers.map(({ leaves, assemble }) => {
      return assemble(new Map(leaves.map(({ path, values, at }) => [path, values.slice(at, at + count)])))
    })
    for (const leaf of leaves) leaf.at += count
    for (let row = 0; row < count; row++) yield columns.map((values) => (values[row] ?? null) as Cell)
    left -= count
  }
}

async function fill(leaf: ColumnReader['leaves'][number]): Promise<void> {
  while (leaf.at >= leaf.values.length) {
    const next = await leaf.pages.next()
    if (next.done) throw new Error(`the column ${leaf.path} has too few values`)
    leaf.values = next.value
    leaf.at = 0
  }
}

function columnReaders({ file, tree, libraries }: Opened, { columns, num_rows: rows }: RowGroup): ColumnReader[] {
  let next = 0
  const leavesOf = (path: SchemaTree[]): ColumnReader['leaves'] => {
    const node = path.at(-1)!
    if (node.children.length > 0) return node.children.flatMap((child) => leavesOf([...path, child]))
    const chunk = columns[next++]
    const name = node.path.join('.')
    const meta = chunk?.meta_data
    if (chunk?.crypto_metadata || (chunk && !meta)) throw new Error(`the column ${name} is encrypted`)
    if (chunk?.file_path) throw new Error(`the column ${name} is in another file`)
    if (meta?.path_in_schema.join('.') !== name) throw new Error(`the column ${name} is not there`)
    if (path.length === 2 && node.element.repetition_type !== 'REPEATED' && meta.num_values !== rows) {
      throw new Error(`the column ${name} has ${meta.num_values} values for ${rows} rows`)
    }
    const decoder = { element: node.element, schemaPath: path, compressors: libraries.compressors }
    const read: Chunk['read'] = async (start, end) => {
      if (start < 0 || start > end || end > file.size) throw new Error(`the column ${name} lies outside the file`)
      return file.read(start, end)
    }
    return [{ path: name, pages: readPages(libraries.hyparquet, { meta, decoder, read }), values: [], at: 0 }]
  }
  return tree.children.map((column) => ({
    leaves: leavesOf([tree, column]),
    assemble: (values) => {
      if (column.children.length > 0) libraries.assembleNested(values as Map<string, []>, column, {} as never)
      return values.get(column.path.join('.'))!
    }
  }))
}

function invalid(file: TableFile, what: string): VcapError {
  return new VcapError('table_invalid', `${file.label} ${what}`)
}

function fault(file: TableFile, cause: unknown, where = ''): VcapError {
  if (cause instanceof VcapError) return cause
  const why = (cause as Error).message.replace(/^parquet /, '')
  return new VcapError('table_invalid', `${file.label} cannot be read as Parquet${where}: ${why}`, { cause })
}
