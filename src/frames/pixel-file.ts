import fs from 'node:fs'
import { promisify } from 'node:util'
import type { Frame, SampledFrames } from './sample'

/*
 * A decoder process passes the pixels of its frames to its parent through a temporary file that has no name and that
 * both have open. It is in memory where the system has /dev/shm. Three 720p frames in a message between two Node
 * processes take about 8 ms of the parent's JavaScript thread; a thread of libuv's pool reads them from a file without
 * that cost.
 */

/** Frames as the message to the parent describes them, with or without their pixels. */
export interface SentFrames extends Omit<SampledFrames, 'frames'> {
  /** `data` is left out where the pixels are in the file: one frame after the other from the file's start. */
  frames: (Omit<Frame, 'data'> & { data?: Uint8Array })[]
}

/** The file's descriptor in the decoder process, where 0 to 2 are the standard streams and 3 is the message channel. */
const childDescriptor = 4

/** Largest size in bytes that the file keeps for the next frames. A larger one is emptied, which frees its memory. */
const maxKeptBytes = 32 * 2 ** 20

const read = promisify(fs.read)
const truncate = promisify(fs.ftruncate)

/** Writes the pixels to the file. It is called in the decoder process. */
export function sendFrames({ frames, ...rest }: SampledFrames): SentFrames {
  let position = 0
  try {
    for (const { data } of frames) position += writeFully(data, position)
  } catch {
    return { frames, ...rest } // the file system is full: the pixels are sent in the message
  }
  return { frames: frames.map(({ data, ...frame }) => frame), ...rest }
}

/** Writes all of `data` at `position` and returns its number of bytes. */
function writeFully(data: Uint8Array, position: number): number {
  let written = 0
  while (written < data.length) {
    written += fs.writeSync(childDescriptor, data, written, data.length - written, position + written)
  }
  return written
}

/**
 * Reads the pixels from the file with this descriptor, on a thread of libuv's pool. It is called in the parent. Rejects
 * with Node's errors, and with one of its own where the file is too short.
 */
export async function receiveFrames(descriptor: number, { frames, ...rest }: SentFrames): Promise<SampledFrames> {
  let position = 0
  const received: Frame[] = []
  for (const { data, ...frame } of frames) {
    const pixels = data ?? (await readFully(descriptor, frame.width * frame.height * 3, position))
    position += pixels.length
    received.push({ ...frame, data: pixels })
  }
  if (position > maxKeptBytes) await truncate(descriptor, 0)
  return { frames: received, ...rest }
}

async function readFully(descriptor: number, length: number, position: number): Promise<Uint8Array> {
  const data = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await read(descriptor, data, filled, length - filled, position + filled)
    if (bytesRead === 0) throw new Error('the file between the decoder and this process is too short')
    filled += bytesRead
  }
  return data
}
