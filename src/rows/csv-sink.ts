import { stringify } from 'csv-stringify/sync'
import { OutputFile } from './output-file'
import type { Cell, RowSink } from './rows'

/** Records that are written at once: one by one, writing would cost more than all the rest of a row. */
const recordsPerWrite = 128

/** A CSV file to be written, its header first. */
export class CsvSink implements RowSink {
  readonly #file: OutputFile
  #records: Cell[][]

  /** Throws `output_unwritable`. */
  constructor(file: string, columns: string[]) {
    this.#file = new OutputFile(file)
    this.#records = [columns]
  }

  get path(): string {
    return this.#file.path
  }

  get isFile(): boolean {
    return this.#file.isFile
  }

  get warnings(): string[] {
    return this.#file.warnings
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
    await this.#file.write(stringify(records), wholeRecords)
  }
}

/** Bytes of the whole records at the start of what was written: a record ends at a line end outside of quotes. */
function wholeRecords(written: Buffer): number {
  const [quote, lineEnd] = [0x22, 0x0a]
  let inQuotes = false
  let whole = 0
  for (const [i, byte] of written.entries()) {
    if (byte === quote) inQuotes = !inQuotes // a quote in a cell is doubled
    if (byte === lineEnd && !inQuotes) whole = i + 1
  }
  return whole
}
