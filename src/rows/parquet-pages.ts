import { isUtf8 } from 'node:buffer'
import { requireRuns, type LevelWidths } from './parquet-runs'

type Column = typeof import('hyparquet/src/column.js', { with: { 'resolution-mode': 'import' }})
type Encoding = typeof import('hyparquet/src/encoding.js', { with: { 'resolution-mode': 'import' }})
type DataPage = typeof import('hyparquet/src/datapage.js', { with: { 'resolution-mode': 'import' }})
type Schema = typeof import('hyparquet/src/schema.js', { with: { 'resolution-mode': 'import' }})
/** What is used of hyparquet's parts, which are of ESM alone. */
export interface Hyparquet
  extends Pick<Column, 'parquetHeader' | 'readPage'>,
    Pick<Encoding, 'readRleBitPackedHybrid'>,
    Pick<DataPage, 'decompressPage'>,
    Pick<Schema, 'getMaxDefinitionLevel' | 'getMaxRepetitionLevel'> {}
type ColumnDecoder = import('hyparquet/src/types.js', { with: { 'resolution-mode': 'import' }}).ColumnDecoder
type ColumnMetaData = import('hyparquet/src/types.js', { with: { 'resolution-mode': 'import' }}).ColumnMetaData
type DecodedArray = import('hyparquet', { with: { 'resolution-mode': 'import' }}).DecodedArray
type PageHeader = import('hyparquet/src/types.js', { with: { 'resolution-mode': 'import' }}).PageHeader

/** Bytes of the largest page: writers make them of about one MiB, and a lie would take the memory. */
const maxPageBytes = 1024 * 1024 * 1024
/** Values of the largest page. */
const maxPageValues = 2 ** 27
/** Bytes in which a page's header nearly always stands, and in which it has to. */
const headerBytes = 16 * 1024
const maxHeaderBytes = 16 * 1024 * 1024

/** Values of one row: with levels below it where the column has such. */
export type RowValues = DecodedArray

/** One column, or one leaf of a nested one, of one group of rows. */
export interface Chunk {
  meta: ColumnMetaData
  decoder: Pick<ColumnDecoder, 'element' | 'schemaPath' | 'compressors'>
  read: (start: number, end: number) => Promise<Buffer>
}

/**
 * The values of a column chunk, page by page: as many as there are rows in each. One page is in memory at a time, and
 * the chunk's dictionary. Throws an `Error` for what is no such chunk.
 */
export async function* readPages(
  hyparquet: Hyparquet,
  { meta, decoder, read }: Chunk
): AsyncGenerator<RowValues, void, undefined> {
  const { parquetHeader, readPage } = hyparquet
  const { type, codec, path_in_schema: pathInSchema } = meta
  const columnDecoder: ColumnDecoder = { ...decoder, ...plainDecoding, pathInSchema, type, codec }
  // Data pages are decompressed before they are read, for the look at their runs.
  const openDecoder: ColumnDecoder = { ...columnDecoder, codec: 'UNCOMPRESSED' }
  const widths = levelWidths(hyparquet, decoder.schemaPath)
  const isRepeated = widths.repetition > 0
  let dictionary: DecodedArray | undefined
  // A row of lists may go on in the next page.
  let unfinished: RowValues | undefined
  let at = Number(meta.dictionary_page_offset || meta.data_page_offset)
  const end = at + Number(meta.total_compressed_size)
  for (let left = Number(meta.num_values); left > 0; ) {
    const { header, length } = await readHeader(parquetHeader, read, at, end)
    requireSizes(header, end - at - length)
    const bytes = await read(at + length, at + length + header.compressed_page_size)
    at += length + header.compressed_page_size
    if (header.type === 'DICTIONARY_PAGE') {
      const { data } = readPage(readerOf(bytes), header, columnDecoder, undefined, undefined, 0)
      dictionary = data && textsOf(data, columnDecoder)
      continue
    }
    const values = valuesOf(header, left)
    if (values === 0) continue
    left -= values
    const page = openPage(hyparquet, header, bytes, columnDecoder)
    requireRuns(page, header, widths, type === 'BOOLEAN')
    countNothing(hyparquet, header, page, decoder.schemaPath)
    const { data } = readPage(readerOf(page), header, openDecoder, dictionary, unfinished, 0)
    if (!data) throw new Error('a page holds nothing')
    if (isRepeated) {
      unfinished = data.slice(-1)
      yield data.slice(0, -1)
    } else {
      yield data
    }
  }
  if (unfinished) yield unfinished
}

function readerOf(bytes: Buffer): { view: DataView<ArrayBuffer>; offset: number } {
  return { view: new DataView(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength), offset: 0 }
}

/** Values of a data page, those that hold nothing among them. */
function valuesOf({ data_page_header: v1, data_page_header_v2: v2 }: PageHeader, left: number): number {
  const values = v1?.num_values ?? v2?.num_values ?? 0
  if (values < 0 || values > left || values > maxPageValues)
    throw new Error(`a page of ${values} values where ${left} are left`)
  return values
}

/** A data page without compression, and its header after it. */
function openPage(
  { decompressPage }: Hyparquet,
  header: PageHeader,
  bytes: Buffer,
  { codec, compressors }: ColumnDecoder
): Buffer {
  const { uncompressed_page_size: size, data_page_header_v2: v2 } = header
  const levels = v2 ? v2.repetition_levels_byte_length + v2.definition_levels_byte_length : 0
  if (levels < 0 || levels > size || levels > bytes.length) throw new Error('a page ends within its levels')
  if (v2?.is_compressed === false || codec === 'UNCOMPRESSED') return bytes
  const opened = decompressPage(bytes.subarray(levels), size - levels, codec, compressors)
  if (v2) v2.is_compressed = false
  header.compressed_page_size = size
  return Buffer.concat([bytes.subarray(0, levels), opened])
}

function levelWidths(
  { getMaxDefinitionLevel, getMaxRepetitionLevel }: Hyparquet,
  path: ColumnDecoder['schemaPath']
): LevelWidths {
  const width = (level: number) => 32 - Math.clz32(level)
  return { repetition: width(getMaxRepetitionLevel(path)), definition: width(getMaxDefinitionLevel(path)) }
}

async function readHeader(
  parse: Column['parquetHeader'],
  read: Chunk['read'],
  start: number,
  end: number
): Promise<{ header: PageHeader; length: number }> {
  for (let size = headerBytes; ; size *= 16) {
    const bytes = await read(start, Math.min(end, start + size))
    const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 }
    try {
      return { header: parse(reader), length: reader.offset }
    } catch (error) {
      if (start + size >= end || size >= maxHeaderBytes) throw error
    }
  }
}

function requireSizes({ compressed_page_size, uncompressed_page_size }: PageHeader, left: number): void {
  const isSize = (size: number) => Number.isInteger(size) && size >= 0
  if (!isSize(compressed_page_size) || !isSize(uncompressed_page_size)) throw new Error('a page has no size')
  if (compressed_page_size > left) throw new Error('a page is longer than its column')
  if (uncompressed_page_size > maxPageBytes) {
    throw new Error(`a page of ${uncompressed_page_size} bytes is more than the ${maxPageBytes} that are read`)
  }
}

/**
 * Corrects how many of a page's places hold nothing: some writers leave those out of the count where a list or struct
 * above is empty or not there.
 */
function countNothing(
  { readRleBitPackedHybrid, getMaxDefinitionLevel }: Hyparquet,
  { data_page_header_v2: head }: PageHeader,
  page: Buffer,
  schemaPath: ColumnDecoder['schemaPath']
): void {
  const most = getMaxDefinitionLevel(schemaPath)
  if (!head || schemaPath.length === 2 || most === 0) return
  const levels = new Array<number>(head.num_values)
  const reader = {
    view: new DataView(page.buffer, page.byteOffset, page.byteLength),
    offset: head.repetition_levels_byte_length
  }
  readRleBitPackedHybrid(reader, 32 - Math.clz32(most), levels, head.definition_levels_byte_length)
  head.num_nulls = levels.reduce((count, level) => (level === most ? count : count + 1), 0)
}

function textOf(bytes: Uint8Array | undefined): string | undefined {
  if (!bytes) return undefined
  if (!isUtf8(bytes)) throw new Error('a text is not UTF-8')
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
}

/** The values of a dictionary as those of a page. */
function textsOf(data: DecodedArray, { element }: Pick<ColumnDecoder, 'element'>): DecodedArray {
  if (element.converted_type === 'UTF8') return Array.from(data as Uint8Array[], textOf)
  return element.type === 'INT96' ? Array.from(data as bigint[], nanosecondsOf) : data
}

/** Julian days above, nanoseconds of the day below. */
function nanosecondsOf(value: bigint): bigint {
  return ((value >> 64n) - 2_440_588n) * 86_400_000_000_000n + (value & 0xffff_ffff_ffff_ffffn)
}

/** Nothing but text is made of bytes; times of 96 bits come as nanoseconds. */
const plainDecoding = {
  utf8: false,
  parsers: {
    stringFromBytes: textOf,
    timestampFromNanoseconds: (value: bigint) => value
  } as unknown as ColumnDecoder['parsers']
}
