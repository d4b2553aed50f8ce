import { isUtf8 } from 'node:buffer'

type Column = typeof import('hyparquet/src/column.js', { with: { 'resolution-mode': 'import' }})
type Encoding = typeof import('hyparquet/src/encoding.js', { with: { 'resolution-mode': 'import' }})
type Schema = typeof import('hyparquet/src/schema.js', { with: { 'resolution-mode': 'import' }})
/** What is used of hyparquet's parts, which are of ESM alone. */
export interface Hyparquet
  extends Pick<Column, 'parquetHeader' | 'readPage'>,
    Pick<Encoding, 'readRleBitPackedHybrid'>,
    Pick<Schema, 'getMaxDefinitionLevel'> {}
type ColumnDecoder = import('hyparquet/src/types.js', { with: { 'resolution-mode': 'import' }}).ColumnDecoder
type ColumnMetaData = import('hyparquet/src/types.js', { with: { 'resolution-mode': 'import' }}).ColumnMetaData
type DecodedArray = import('hyparquet', { with: { 'resolution-mode': 'import' }}).DecodedArray
type PageHeader = import('hyparquet/src/types.js', { with: { 'resolution-mode': 'import' }}).PageHeader

/** Bytes of the largest page: writers make them of about one MiB, and a lie would take the memory. */
const maxPageBytes = 1024 * 1024 * 1024
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
  const columnDecoder = {
    ...decoder,
    ...plainDecoding,
    pathInSchema: meta.path_in_schema,
    type: meta.type,
    codec: meta.codec
  }
  const isRepeated = decoder.schemaPath.some(({ element }) => element.repetition_type === 'REPEATED')
  let dictionary: DecodedArray | undefined
  // A row of lists may go on in the next page.
  let unfinished: RowValues | undefined
  let at = Number(meta.dictionary_page_offset || meta.data_page_offset)
  const end = at + Number(meta.total_compressed_size)
  for (let left = Number(meta.num_values); left > 0; ) {
    const { header, length } = await readHeader(parquetHeader, read, at, end)
    requireSizes(header, end - at - length)
    const page = await read(at + length, at + length + header.compressed_page_size)
    at += length + header.compressed_page_size
    const values = header.data_page_header?.num_values ?? header.data_page_header_v2?.num_values ?? 0
    const isDictionary = header.type === 'DICTIONARY_PAGE'
    if (!isDictionary && values === 0) continue
    const reader = { view: new DataView(page.buffer, page.byteOffset, page.byteLength), offset: 0 }
    countNothing(hyparquet, header, page, decoder.schemaPath)
    const { data } = readPage(reader, header, columnDecoder, dictionary, unfinished, 0)
    if (isDictionary) {
      dictionary = data && textsOf(data, columnDecoder)
      continue
    }
    left -= values
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
