/** Levels of a column: how deep its values can lie, in bits; 0 where there is nothing to tell. */
export interface LevelWidths {
  repetition: number
  definition: number
}

type PageHeader = import('hyparquet/src/types.js', { with: { 'resolution-mode': 'import' }}).PageHeader

/**
 * Throws an `Error` where a page, decompressed, has a run of one value that is longer than the page: a reader that
 * believes it fills the memory.
 */
export function requireRuns(page: Buffer, header: PageHeader, widths: LevelWidths, isBoolean: boolean): void {
  const { data_page_header: v1, data_page_header_v2: v2 } = header
  const count = v1?.num_values ?? v2?.num_values ?? 0
  let at = 0
  for (const kind of ['repetition', 'definition'] as const) {
    const width = widths[kind]
    if (v1 && width === 0) continue
    const length = v2 ? v2[`${kind}_levels_byte_length`] : page.readUInt32LE(at)
    const start = v2 ? at : at + 4
    at = start + length
    if (length < 0 || at > page.length) throw new Error('a page ends within its levels')
    requireShort(page, start, at, width, count)
  }
  const encoding = v1?.encoding ?? v2?.encoding
  if (encoding === 'RLE' && isBoolean) requireShort(page, at + (v1 || v2 ? 4 : 0), page.length, 1, count)
  if (encoding?.endsWith('_DICTIONARY') && at < page.length) {
    requireShort(page, at + 1, page.length, page[at]!, count)
  }
}

/** Runs are of one value, many times, or of values in groups of eight, bit by bit. */
function requireShort(page: Buffer, start: number, end: number, width: number, count: number): void {
  for (let at = start, seen = 0; at < end && seen < count; ) {
    let head = 0
    for (let shift = 0; ; shift += 7) {
      const byte = page[at++] ?? 0
      head += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80 || at >= end) break
    }
    const half = Math.floor(head / 2)
    const values = head % 2 === 1 ? half * 8 : half
    if (head % 2 === 0 && values > count) throw new Error(`a run of ${values} values in a page of ${count}`)
    seen += values
    at += head % 2 === 1 ? half * width : (width + 7) >> 3
  }
}
