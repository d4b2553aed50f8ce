/** Shorter rows of zeros at an image's end are taken for contents. */
const minZeros = 64

/**
 * What is missing of an image file, by its own structure; undefined where nothing is, or where its format does not
 * tell. Decoders take some of these files as whole and fill what is missing with gray or with what came before.
 */
export function stillShortfall(format: string, bytes: Buffer): string | undefined {
  let end = bytes.length
  while (end > 0 && bytes[end - 1] === 0) end--
  if (bytes.length - end < minZeros) end = bytes.length
  if (format === 'webp') return webpShortfall(bytes, end)
  const isCut = (format === 'gif' && bytes[end - 1] !== 0x3b) || (format === 'png' && !bytes.includes('IEND'))
  return isCut ? 'its data end early' : undefined
}

/** The image data of a WebP file are chunks of a RIFF file. */
function webpShortfall(bytes: Buffer, end: number): string | undefined {
  for (let position = 12; position + 8 <= bytes.length; ) {
    const type = bytes.toString('latin1', position, position + 4)
    position += 8 + bytes.readUInt32LE(position + 4)
    if (position > bytes.length || (imageChunks.includes(type) && position > end + minZeros)) {
      return 'its data end early'
    }
    position += position % 2
  }
  return undefined
}

const imageChunks = ['VP8 ', 'VP8L', 'ALPH', 'ANMF']
