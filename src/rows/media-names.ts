import path from 'node:path'

/** Endings of the files that are listed, by what they are. */
export const mediaEndings = {
  video: ['.mp4', '.avi', '.mov', '.mkv', '.webm', '.m2ts', '.ts', '.mpg', '.flv', '.wmv', '.gif'],
  image: ['.jpg', '.jpeg', '.png', '.ppm', '.bmp', '.pgm', '.tif', '.tiff', '.webp', '.avif']
} as const

export type MediaType = keyof typeof mediaEndings

const types = new Map<string, MediaType>(
  Object.entries(mediaEndings).flatMap(([type, endings]) => endings.map((ending) => [ending, type as MediaType]))
)

/** What a file is by its name's ending; undefined where it has another. */
export function mediaTypeOf(name: string): MediaType | undefined {
  return types.get(path.extname(name).toLowerCase())
}

/** How media files begin, at this byte, whatever their names are. */
const signatures: [at: number, bytes: string][] = [
  [4, 'ftyp'],
  [4, 'moov'],
  [4, 'mdat'],
  [0, '\x1a\x45\xdf\xa3'],
  [0, 'RIFF'],
  [0, 'FLV\x01'],
  [0, '\x30\x26\xb2\x75'],
  [0, 'OggS'],
  [0, '\0\0\x01\xba'],
  [0, '\0\0\x01\xb3'],
  [0, '\0\0\0\x01'],
  [0, '\x06\x0e\x2b\x34'],
  [0, 'GIF8'],
  [0, '\x89PNG'],
  [0, '\xff\xd8\xff'],
  [0, 'II*\0'],
  [0, 'MM\0*'],
  [0, '\0\0\0\x0cjP  ']
]

/** Bytes at the start of a file that `beginsAsMedia` looks at. */
export const signatureBytes = 16

/** Whether a file begins as videos and images do: no table does. */
export function beginsAsMedia(head: Buffer): boolean {
  const text = head.toString('latin1')
  return signatures.some(([at, bytes]) => text.startsWith(bytes, at))
}
