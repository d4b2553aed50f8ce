import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import type { Frame, SampledFrames } from './sample'

/*
 * Pixels on their way from a decoder's process to its owner: a file without a name that both have open, in memory where
 * the system has such a place. Three 720p frames as a message between two Node processes cost the receiver's JS thread
 * some 8 ms; read from a file by a thread of libuv's pool they cost it nothing.
 */

/** Frames whose pixels are in the file, one after the other from its start, or with the frame where it is full. */
export interface SentFrames {
  frames: (Omit<Frame, 'data'> & { data?: Uint8Array })[]
  /** Of the whole video, in frames. */
  length: number
}

/** Number of the descriptor in the decoder's process: behind stdin, stdout, stderr and the channel to its owner. */
const childDescriptor = 4

/** Bytes of the file that are worth keeping for the next frames. */
const keptBytes = 32 * 2 ** 20

const read = promisify(fs.read)
const truncate = promisify(fs.ftruncate)

/** Opens a new one and returns its descriptor, to be given to the child. Throws what Node throws. */
export function openPixelFile(): number {
  const folders = ['/dev/shm', os.tmpdir()].filter((folder) => fs.existsSync(folder))
  for (const [i, folder] of folders.entries()) {
    const file = path.join(folder, `.vcap-${randomBytes(6).toString('hex')}.rgb`)
    try {
      const descriptor = fs.openSync(file, 'wx+', 0o600)
      fs.unlinkSync(file)
      return descriptor
    } catch (error) {
      if (i === folders.length - 1) throw error
    }
  }
  throw new Error('there is no folder for temporary files')
}

/** In the decoder's process: puts the pixels into the file. */
export function sendFrames({ frames, length }: SampledFrames): SentFrames {
  let position = 0
  try {
    for (const { data } of frames) position += writeFully(data, position)
  } catch {
    return { frames, length } // the place is full: the pixels go with the message
  }
  return { frames: frames.map(({ data, ...frame }) => frame), length }
}

function writeFully(data: Uint8Array, position: number): number {
  let written = 0
  while (written < data.length) {
    written += fs.writeSync(childDescriptor, data, written, data.length - written, position + written)
  }
  return written
}

/** In the owner: takes the pixels out of the file, on a thread of libuv's pool. */
export async function receiveFrames(descriptor: number, { frames, length }: SentFrames): Promise<SampledFrames> {
  let position = 0
  const received: Frame[] = []
  for (const { data, ...frame } of frames) {
    const pixels = data ?? (await readFully(descriptor, frame.width * frame.height * 3, position))
    position += pixels.length
    received.push({ ...frame, data: pixels })
  }
  if (position > keptBytes) await truncate(descriptor, 0)
  return { frames: received, length }
}

async function readFully(descriptor: number, length: number, position: number): Promise<Uint8Array> {
  const data = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer)
  let done = 0
  while (done < length) {
    const { bytesRead } = await read(descriptor, data, done, length - done, position + done)
    if (bytesRead === 0) throw new Error('the file between the decoder and this process is too short')
    done += bytesRead
  }
  return data
}
