import { constants } from 'node:fs'
import fs from 'node:fs/promises'
import { VcapError } from '../errors'

/** What a file is by its first bytes, whatever its name says. */
export type MediaKind =
  /** A picture; GIF and WebP may hold several, one after the other. */
  | { type: 'image'; format: 'jpeg' | 'png' | 'webp' | 'tiff' | 'avif' | 'gif' | 'bmp' }
  /** Everything else is ffmpeg's to judge; `demuxer` where the bytes leave no doubt. */
  | { type: 'video'; demuxer?: string }

const headBytes = 4096

/**
 * Looks at a file without following playlists or blocking on pipes.
 * Throws `missing`, `unreadable`.
 */
export async function identify(file: string): Promise<MediaKind> {
  if (file === '') throw new VcapError('missing', 'The path is empty')
  const head = await readHead(file)
  const ascii = (from: number, to: number) => head.toString('latin1', from, to)
  if (head[0] === 0xff && head[1] === 0xd8 && head[2] === 0xff) {
    // A row of JPEGs begins like one: here only the name tells.
    return /\.mjpe?g$/i.test(file) ? { type: 'video', demuxer: 'mjpeg' } : { type: 'image', format: 'jpeg' }
  }
  if (ascii(0, 8) === '\x89PNG\r\n\x1a\n') {
    return head.includes('acTL') ? { type: 'video', demuxer: 'apng' } : { type: 'image', format: 'png' }
  }
  if (ascii(0, 4) === 'RIFF' && ascii(8, 12) === 'WEBP') return { type: 'image', format: 'webp' }
  if (ascii(0, 4) === 'II*\0' || ascii(0, 4) === 'MM\0*') return { type: 'image', format: 'tiff' }
  if (ascii(0, 4) === 'GIF8') return { type: 'image', format: 'gif' }
  if (ascii(4, 12) === 'ftypavif' || ascii(4, 12) === 'ftypmif1') return { type: 'image', format: 'avif' }
  if (ascii(0, 2) === 'BM' && head.readUInt32LE(6) === 0) return { type: 'image', format: 'bmp' }
  return { type: 'video' }
}

async function readHead(file: string): Promise<Buffer> {
  let handle: fs.FileHandle
  try {
    const stat = await fs.stat(file)
    if (stat.isDirectory()) throw new VcapError('unreadable', 'It is a directory')
    if (!stat.isFile()) throw new VcapError('unreadable', 'It is not a regular file')
    if (stat.size === 0) throw new VcapError('unreadable', 'It has 0 bytes')
    // The file may have become a pipe since: an open that does not block.
    handle = await fs.open(file, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    throw cannotOpen(error)
  }
  try {
    const head = Buffer.alloc(headBytes)
    await handle.read(head, 0, headBytes, 0)
    return head
  } catch (error) {
    throw cannotOpen(error)
  } finally {
    await handle.close()
  }
}

function cannotOpen(error: unknown): VcapError {
  if (error instanceof VcapError) return error
  const { code, message } = error as NodeJS.ErrnoException
  // ERR_INVALID_ARG_VALUE: a name with a NUL in it, which no file can have.
  const absent = code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG' || code === 'ERR_INVALID_ARG_VALUE'
  return new VcapError(absent ? 'missing' : 'unreadable', absent ? 'No such file' : message, { cause: error })
}
