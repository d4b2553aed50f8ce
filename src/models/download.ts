import { createHash, type Hash } from 'node:crypto'
import fs from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { abortedError, asVcapError, VcapError } from '../errors'
import { syncFile, syncFolder } from '../folders'
import { pauseAfter, waitFor } from '../waiting'
import type { Hub, HubFile } from './hub'

/** Milliseconds without a byte after which a connection is given up. */
const stallMs = Number(process.env.VCAP_DOWNLOAD_STALL_MS) || 30_000
/** Connections in a row that bring nothing, after which a download is given up. */
const maxFruitless = 8
/** Contents of a wrong checksum, after which a download is given up. */
const maxWrong = 2
/** Bytes that are read at once where a part is there already. */
const blockBytes = 1 << 20

export interface DownloadOptions {
  signal?: AbortSignal | undefined
  /** Called with the bytes that are there, those of an earlier download among them. */
  onBytes?: ((bytes: number) => void) | undefined
}

const partEnding = '.vcap-part'

/** Where the part of a content stands that is there so far. */
export function partOf(target: string): string {
  return `${target}${partEnding}`
}

/** The content that a part is of; undefined for another file. */
export function blobOfPart(file: string): string | undefined {
  return file.endsWith(partEnding) ? file.slice(0, -partEnding.length) : undefined
}

/**
 * Brings a file's content to `target`, which appears whole and right or not at all. What came before a cut is kept
 * beside it, and the next call goes on from there; the checksum is taken of all of it. One process at a time. Throws
 * `download_failed`, `model_not_found`, `write_failed`, `aborted`.
 */
export async function download(hub: Hub, file: HubFile, target: string, options: DownloadOptions = {}): Promise<void> {
  const part = partOf(target)
  for (let wrong = 1; ; wrong++) {
    try {
      await fetchRight(hub, file, part, options)
      break
    } catch (error) {
      if (!(error instanceof WrongContent)) throw error
      fs.rmSync(part, { force: true })
      if (wrong < maxWrong) continue
      const what = `${file.place.repo}/${file.place.file}`
      const why = `Not what the hub says, ${maxWrong} times: ${error.message}. A proxy between may change it`
      throw new VcapError('download_failed', `${what} cannot be downloaded. ${why}`, { cause: error })
    }
  }
  writing(part, () => {
    fs.renameSync(part, target)
    syncFolder(path.dirname(target))
  })
}

/** What came is not the content: nothing of it can be kept. */
class WrongContent extends Error {}

/** Throws `WrongContent` where what came has another length, or another checksum. */
async function fetchRight(hub: Hub, file: HubFile, part: string, options: DownloadOptions): Promise<void> {
  const hash = hashFor(file)
  await fetchAll(hub, file, part, hash, options)
  const found = hash.digest('hex')
  if (found !== file.etag) throw new WrongContent(`its checksum is ${found} and not ${file.etag}`)
}

/** Of large files SHA-256 of the content, of small ones what git takes of it. */
function hashFor({ sha256, size }: HubFile): Hash {
  return sha256 === undefined ? createHash('sha1').update(`blob ${size}\0`) : createHash('sha256')
}

/** Goes on with a part until all of its bytes are there. */
async function fetchAll(
  hub: Hub,
  file: HubFile,
  part: string,
  hash: Hash,
  { signal, onBytes = () => undefined }: DownloadOptions
): Promise<void> {
  const handle = await openPart(part)
  try {
    let bytes = await readPart(handle, file.size, hash, signal, onBytes)
    for (let fruitless = 0; bytes < file.size; ) {
      const before = bytes
      try {
        for await (const chunk of receive(hub, file, bytes, signal)) {
          if (bytes + chunk.length > file.size) {
            throw new WrongContent(`it has more than ${file.size} bytes`)
          }
          await writeChunk(handle, chunk, bytes, part)
          hash.update(chunk)
          onBytes((bytes += chunk.length))
        }
      } catch (error) {
        if (!(error instanceof Interruption)) throw error
        fruitless = bytes > before ? 0 : fruitless + 1
        if (fruitless === maxFruitless) throw given(file, error)
        await waitFor(pauseAfter(fruitless + 1), signal)
        continue
      }
      fruitless = bytes > before ? 0 : fruitless + 1
      if (bytes < file.size && fruitless === maxFruitless) throw given(file, new Error('the answers end too early'))
    }
    await syncFile(handle)
  } finally {
    await handle.close()
  }
}

/** A connection that ended before the content did: another one goes on. */
class Interruption extends Error {}

function given({ place }: HubFile, cause: Error): VcapError {
  return new VcapError(
    'download_failed',
    `${place.repo}/${place.file} does not come: ${cause.message}, ${maxFruitless} times in a row. What came is kept: ` +
      'the same command goes on',
    { cause }
  )
}

/** The content from a byte on, until it ends or the connection does. */
async function* receive(
  hub: Hub,
  file: HubFile,
  from: number,
  signal: AbortSignal | undefined
): AsyncGenerator<Uint8Array, void, undefined> {
  const stalled = new AbortController()
  const signals = signal ? [signal, stalled.signal] : [stalled.signal]
  const response = await hub.open(file, from, AbortSignal.any(signals))
  let skip = startOf(response, from)
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  try {
    while (true) {
      const timer = setTimeout(() => stalled.abort(new Error(`nothing for ${stallMs / 1000} s`)), stallMs)
      const { done, value } = await reader.read().finally(() => clearTimeout(timer))
      if (done) return
      if (skip < value.length) yield skip > 0 ? value.subarray(skip) : value
      skip = Math.max(0, skip - value.length)
    }
  } catch (error) {
    if (signal?.aborted) throw abortedError(signal)
    const { message, cause } = (stalled.signal.aborted ? stalled.signal.reason : error) as Error
    throw new Interruption(cause instanceof Error ? cause.message : message)
  } finally {
    await reader.cancel().catch(() => undefined)
  }
}

/** Bytes of an answer that are there already: a server that knows no ranges sends all from the start. */
function startOf({ status, headers, body }: Response, from: number): number {
  if (status === 416) throw new WrongContent(`it has ${from} bytes, or fewer`)
  if (!body) throw new Interruption('the answer is empty')
  if (status !== 206) return from
  const begin = Number(/^bytes (\d+)-/.exec(headers.get('content-range') ?? '')?.[1] ?? Number.NaN)
  if (begin <= from) return from - begin
  throw new Interruption('the server sends another range than it was asked for')
}

async function openPart(part: string): Promise<FileHandle> {
  try {
    fs.mkdirSync(path.dirname(part), { recursive: true })
    return await open(part, fs.constants.O_RDWR | fs.constants.O_CREAT)
  } catch (error) {
    throw unwritable(part, error)
  }
}

/** Takes what an earlier download left into the checksum; one that is too long is none. Returns its bytes. */
async function readPart(
  handle: FileHandle,
  size: number,
  hash: Hash,
  signal: AbortSignal | undefined,
  onBytes: (bytes: number) => void
): Promise<number> {
  const there = (await handle.stat()).size
  if (there > size) await handle.truncate(0)
  if (there === 0 || there > size) return 0
  const block = Buffer.allocUnsafe(blockBytes)
  for (let bytes = 0; ; ) {
    if (signal?.aborted) throw abortedError(signal)
    const { bytesRead } = await handle.read(block, 0, block.length, bytes)
    if (bytesRead === 0) return bytes
    hash.update(block.subarray(0, bytesRead))
    onBytes((bytes += bytesRead))
  }
}

async function writeChunk(handle: FileHandle, chunk: Uint8Array, position: number, part: string): Promise<void> {
  try {
    for (let written = 0; written < chunk.length; ) {
      const { bytesWritten } = await handle.write(chunk, written, chunk.length - written, position + written)
      written += bytesWritten
    }
  } catch (error) {
    throw unwritable(part, error)
  }
}

function writing(file: string, work: () => void): void {
  try {
    work()
  } catch (error) {
    throw unwritable(file, error)
  }
}

function unwritable(file: string, error: unknown): VcapError {
  const { message } = asVcapError(error)
  return new VcapError('write_failed', `${file} cannot be written: ${message}. HF_HUB_CACHE names another folder`, {
    cause: error
  })
}
