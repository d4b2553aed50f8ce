import type { Transform } from 'node:stream'
import { finished } from 'node:stream/promises'
import zlib from 'node:zlib'
import { VcapError } from '../errors'
import type { Compression } from '../table-format'
import { OutputFile } from './output-file'

/** Where the bytes of an output go; as `RowSink` has it, for bytes. */
export interface Output {
  readonly path: string
  readonly isFile: boolean
  begin(folder: string): void
  /** Adds to the end. Wait for it before the next call. Rejects with `write_failed`. */
  write(data: string | Uint8Array): Promise<void>
  commit(): void | Promise<void>
  discard(): void
}

/** Throws `output_unwritable`, `write_failed`, and `usage` where this Node cannot compress that way. */
export function openOutput(place: string, compression: Compression | undefined): Output {
  if (!compression) return new OutputFile(place)
  const compressor = { gz: zlib.createGzip, zst: (zlib as { createZstdCompress?: () => Transform }).createZstdCompress }
  const create = compressor[compression] as (() => Transform) | undefined
  if (create) return new CompressedOutput(new OutputFile(place), create)
  throw new VcapError(
    'usage',
    `Output ${place}: zstd can be written by Node 22.15 and newer, and this is ${process.versions.node}. ` +
      'Name it .gz, or write to - and on through the command zstd'
  )
}

class CompressedOutput implements Output {
  #stream: Transform
  #made: Buffer[] = []

  constructor(
    private readonly file: OutputFile,
    private readonly create: () => Transform
  ) {
    this.#stream = this.#open()
  }

  get path(): string {
    return this.file.path
  }

  get isFile(): boolean {
    return this.file.isFile
  }

  begin(folder: string): void {
    this.file.begin(folder)
    this.#stream.destroy()
    this.#stream = this.#open()
  }

  async write(data: string | Uint8Array): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#stream.write(data, (error) => (error ? reject(error) : resolve()))
    })
    await this.#pass()
  }

  async commit(): Promise<void> {
    this.#stream.end()
    await finished(this.#stream)
    await this.#pass()
    this.file.commit()
  }

  discard(): void {
    this.#stream.destroy()
    this.file.discard()
  }

  #open(): Transform {
    this.#made = []
    const made = this.#made
    return this.create().on('data', (chunk: Buffer) => made.push(chunk))
  }

  async #pass(): Promise<void> {
    if (this.#made.length > 0) await this.file.write(Buffer.concat(this.#made.splice(0)))
  }
}
