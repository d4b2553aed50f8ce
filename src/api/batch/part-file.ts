import fs from 'node:fs'
import { VcapError } from '../../errors'
import type { RequestBody } from '../request'
import type { Part, PartRow, PartStore } from './store'

/** Bytes that a file of requests may have: the API's limit, less what units may be understood by it. */
const mostBytes = 190e6

/** A part that is being written: a line for each row's request. Until it is sealed it is nothing. */
export class PartFile {
  readonly rows: PartRow[] = []
  readonly #store: PartStore
  readonly #name: { run: string; part: number }
  readonly #descriptor: number
  #bytes = 0
  #estimate = 0

  /** Throws `write_failed`. */
  constructor(store: PartStore) {
    this.#store = store
    this.#name = { run: store.run, part: store.nextNumber() }
    this.#descriptor = this.#try(() => {
      store.makeFolder()
      return fs.openSync(store.requestFile(this.#name), 'w')
    })
  }

  /** Whether a line would be too much. */
  isFullFor(line: string): boolean {
    return this.#bytes + Buffer.byteLength(line) > mostBytes
  }

  /** `estimate`: dollars that the request may cost. Throws `write_failed`. */
  add(row: PartRow, line: string, estimate: number): void {
    this.#try(() => fs.writeFileSync(this.#descriptor, line))
    this.#bytes += Buffer.byteLength(line)
    this.#estimate += estimate
    this.rows.push(row)
  }

  /** The part is whole, on the disk, and recorded. Throws `write_failed`. */
  seal(): Part {
    this.#try(() => fs.fsyncSync(this.#descriptor))
    fs.closeSync(this.#descriptor)
    const part: Part = {
      ...this.#name,
      state: 'sealed',
      rows: this.rows,
      bytes: this.#bytes,
      estimate: this.#estimate,
      failed: 0,
      outputFiles: []
    }
    this.#store.save(part)
    return part
  }

  /** Nothing of it was asked. */
  discard(): void {
    fs.closeSync(this.#descriptor)
    fs.rmSync(this.#store.requestFile(this.#name), { force: true })
  }

  #try<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      const file = this.#store.requestFile(this.#name)
      throw new VcapError('write_failed', `${file} cannot be written: ${(error as Error).message}`, { cause: error })
    }
  }
}

/** A request as a line of a batch's file. */
export function requestLine(id: string, body: RequestBody): string {
  return `${JSON.stringify({ custom_id: id, method: 'POST', url: '/v1/chat/completions', body })}\n`
}
