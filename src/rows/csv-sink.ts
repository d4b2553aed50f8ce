import { stringify } from 'csv-stringify/sync'
import { OutputFile } from './output-file'
import type { Cell, RowSink } from './rows'

/** Records that are written at once: one by one, writing would cost more than all the rest of a row. */
const recordsPerWrite = 512

/** A CSV file to be written, its header first. */
export class CsvSink implements RowSink {
  readonly #file: OutputFile
  readonly #columns: string[]
  #records: Cell[][]

  /** Throws `output_unwritable`. */
  constructor(file: string, columns: string[]) {
    this.#file = new OutputFile(file)
    this.#columns = columns
    this.#records = [columns]
  }

  get path(): string {
    return this.#file.path
  }

  get isFile(): boolean {
    return this.#file.isFile
  }

  begin(folder: string): void {
    this.#file.begin(folder)
    this.#records = [this.#columns]
  }

  async write(cells: Cell[]): Promise<void> {
    this.#records.push(cells)
    if (this.#records.length >= recordsPerWrite) await this.#flush()
  }

  async commit(): Promise<void> {
    await this.#flush()
    this.#file.commit()
  }

  discard(): void {
    this.#file.discard()
  }

  async #flush(): Promise<void> {
    const records = this.#records
    this.#records = []
    await this.#file.write(stringify(records))
  }
}
