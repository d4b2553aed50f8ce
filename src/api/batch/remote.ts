import fs from 'node:fs'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import type { Batch } from 'openai/resources/batches'
import { abortedError, VcapError } from '../../errors'
import { pauseAfter, waitFor } from '../../waiting'
import type { ApiKey } from '../key'
import { faultOf, type Fault } from '../fault'
import type { OpenaiClient } from '../openai'
import type { Part } from './store'

/** Times that one call is tried: batches take hours, and so may a fault of the server. */
const mostTries = 30
/** Milliseconds that a file of requests or answers may take. */
const fileTimeoutMs = 30 * 60_000
/** Batches and files that are looked through for one of ours, the newest first. */
const mostListed = 2000

/** The server's side of batches. What was begun may be there though nobody heard so: it is looked for first. */
export class BatchServer {
  readonly #client: OpenaiClient
  readonly #key: ApiKey | undefined
  readonly #toError: (fault: Fault & { kind: 'run' }) => VcapError
  readonly #stop: AbortSignal

  /** `toError`: what ends the run. `stop` ends every call. */
  constructor(
    client: OpenaiClient,
    key: ApiKey | undefined,
    toError: (fault: Fault & { kind: 'run' }) => VcapError,
    stop: AbortSignal
  ) {
    this.#client = client
    this.#key = key
    this.#toError = toError
    this.#stop = stop
  }

  /** The identifier of a file with these requests, which is sent unless it is there. `isNew`: it cannot be there. */
  upload(file: string, name: string, bytes: number, isNew: boolean): Promise<string> {
    return this.#persist(async (isFirst) => {
      const there = isNew && isFirst ? undefined : await this.#findFile(name, bytes)
      if (there !== undefined) return there
      const options = { signal: this.#stop, timeout: fileTimeoutMs }
      const sent = await this.#client.files.create({ file: fs.createReadStream(file), purpose: 'batch' }, options)
      return sent.id
    })
  }

  /** The identifier of a part's batch, which is made unless it is there. */
  create({ run, part, failed, inputFile }: Part, isNew: boolean): Promise<string> {
    const metadata = { vcap_run: run, vcap_part: String(part), vcap_try: String(failed) }
    return this.#persist(async (isFirst) => {
      const there = isNew && isFirst ? undefined : await this.#findBatch(metadata)
      if (there !== undefined) return there
      const endpoint = '/v1/chat/completions'
      const body = { input_file_id: inputFile!, endpoint, completion_window: '24h', metadata } as const
      return (await this.#client.batches.create(body, { signal: this.#stop })).id
    })
  }

  look(batch: string): Promise<Batch> {
    return this.#persist(() => this.#client.batches.retrieve(batch, { signal: this.#stop }))
  }

  /** The lines of a file of answers, without the key. */
  download(file: string): Promise<string[]> {
    return this.#persist(async () => {
      const options = { signal: this.#stop, timeout: fileTimeoutMs }
      const { body } = await this.#client.files.content(file, options)
      const lines: string[] = []
      if (!body) return lines
      const input = Readable.fromWeb(body as import('node:stream/web').ReadableStream, { signal: this.#stop })
      for await (const line of createInterface({ input, crlfDelay: Infinity })) {
        if (line.trim() !== '') lines.push(this.#key?.hide(line) ?? line)
      }
      return lines
    })
  }

  /** Files that nobody needs any more. One that stays does no harm. */
  async remove(files: string[]): Promise<void> {
    for (const file of files) await this.#client.files.delete(file).catch(() => undefined)
  }

  async #findFile(name: string, bytes: number): Promise<string | undefined> {
    let listed = 0
    for await (const file of this.#client.files.list({ purpose: 'batch' }, { signal: this.#stop })) {
      if (file.filename === name && file.bytes === bytes) return file.id
      if (++listed === mostListed) break
    }
    return undefined
  }

  async #findBatch(metadata: Record<string, string>): Promise<string | undefined> {
    let listed = 0
    for await (const batch of this.#client.batches.list({ limit: 100 }, { signal: this.#stop })) {
      const its = batch.metadata ?? {}
      if (Object.entries(metadata).every(([name, value]) => its[name] === value)) return batch.id
      if (++listed === mostListed) break
    }
    return undefined
  }

  /** Rejects with what ends the run, `aborted` among it. */
  async #persist<T>(call: (isFirst: boolean) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await call(tries === 1)
      } catch (error) {
        if (this.#stop.aborted) throw abortedError(this.#stop)
        const fault = faultOf(error)
        if (fault.kind === 'run') throw this.#toError(fault)
        if (fault.kind === 'row' || fault.kind === 'refusal') {
          throw new VcapError('usage', `The server refuses the batch: ${fault.message}`)
        }
        if (tries === mostTries) {
          const what = `The server failed ${mostTries} times, at last with: ${fault.message}`
          throw new VcapError('engine_lost', `${what}. The same command goes on`)
        }
        await this.wait(pauseAfter(tries, 'afterMs' in fault ? fault.afterMs : undefined))
      }
    }
  }

  /** Rejects with `aborted`. */
  wait(milliseconds: number): Promise<void> {
    return waitFor(milliseconds, this.#stop)
  }
}
