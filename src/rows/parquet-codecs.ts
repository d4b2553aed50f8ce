import zlib from 'node:zlib'

type Compressors = import('hyparquet/src/types.js', { with: { 'resolution-mode': 'import' }}).Compressors
type Codec = NonNullable<Compressors['SNAPPY']>
type Inflate = (input: Uint8Array, options: { maxOutputLength: number }) => Uint8Array

/** Decompression of pages: by Node where it can, else by the libraries of hyparquet. */
export async function pageCodecs(): Promise<Compressors> {
  const { compressors } = await import('hyparquet-compressors')
  // Of Node 22.15 and newer.
  const { zstdDecompressSync } = zlib as { zstdDecompressSync?: Inflate }
  // The page's header says how long it is; no more is made than that.
  const by = (inflate: Inflate) => (input: Uint8Array, length: number) =>
    inflate(input, { maxOutputLength: Math.max(1, length) })
  const codecs: Compressors = {
    ...compressors,
    GZIP: by(zlib.gunzipSync),
    BROTLI: by(zlib.brotliDecompressSync),
    ...(zstdDecompressSync && { ZSTD: by(zstdDecompressSync) })
  }
  return Object.fromEntries(Object.entries(codecs).map(([name, codec]) => [name, orNothing(codec)]))
}

/** A page without values is empty, whatever its codec makes of nothing. */
function orNothing(codec: Codec): Codec {
  return (input, length) => (length === 0 ? new Uint8Array(0) : codec(input, length))
}
