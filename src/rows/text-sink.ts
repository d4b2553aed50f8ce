import type { Cell } from './cell'
import type { Output } from './compressed-output'
import type { RowSink } from './rows'

/** Records that are written at once: one by one, writing would cost more than all the rest of a row. */
const recordsPerWrite = 512

/** An output of lines to be written, block by block. */
export abstract class TextSink implements RowSink {
  #records: Cell[][] = []
  #isBegun = false

  constructor(private readonly output: Output) {}

  get path(): string {
    return this.output.path
  }

  get isFile(): boolean {
    return this.output.isFile
  }

  begin(folder: string): void {
    this.output.begin(folder)
    this.#records = []
    this.#isBegun = false
  }

  async write(cells: Cell[]): Promise<void> {
    this.#records.push(cells)
    if (this.#records.length >= recordsPerWrite) await this.#flush()
  }

  async commit(): Promise<void> {
    await this.#flush()
    await this.output.commit()
  }

  discard(): void {
    this.output.discard()
  }

  /** What stands before the first record. */
  protected header(): string {
    return ''
  }

  protected abstract textOf(records: Cell[][]): string

  async #flush(): Promise<void> {
    const records = this.#records
    this.#records = []
    const header = this.#isBegun ? '' : this.header()
    this.#isBegun = true
    await this.output.write(header + this.textOf(records))
  }
}
