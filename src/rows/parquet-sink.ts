import { cellJson, cellText, JsonText, type Cell, type ColumnType } from './cell'
import type { Output } from './compressed-output'
import { textType } from './json-types'
import { isJson, isText } from './leaf'
import { plainSchema, schemaOf } from './parquet-schema'
import type { RowSink } from './rows'
import { packageVersion } from '../package'

type ParquetWriter = import('hyparquet-writer', { with: { 'resolution-mode': 'import' }}).ParquetWriter

/** A group of rows is written when it has so many of them, or so many characters of text. */
const groupRows = 16_384
const groupCharacters = 8 * 1024 * 1024

/** A Parquet file to be written, group by group. Columns without a type hold text; each may be empty. */
export class ParquetSink implements RowSink {
  readonly #types: ColumnType[]
  #values: Cell[][]
  #characters = 0
  #writer: ParquetWriter | undefined

  constructor(
    private readonly output: Output,
    private readonly columns: string[],
    types: (ColumnType | undefined)[] = []
  ) {
    this.#types = columns.map((name, column) => types[column] ?? textType(name))
    this.#values = columns.map(() => [])
  }

  get path(): string {
    return this.output.path
  }

  get isFile(): boolean {
    return this.output.isFile
  }

  begin(folder: string): void {
    this.output.begin(folder)
    this.#writer = undefined
    this.#forget()
  }

  async write(cells: Cell[]): Promise<void> {
    for (const [column, values] of this.#values.entries()) {
      const value = physical(cells[column], this.#types[column]!)
      values.push(value)
      if (typeof value === 'string' || value instanceof Uint8Array) this.#characters += value.length
    }
    if (this.#values[0]!.length >= groupRows || this.#characters >= groupCharacters) await this.#flush()
  }

  async commit(): Promise<void> {
    await this.#flush()
    const writer = await this.#open()
    writer.schema = schemaOf(this.columns, this.#types)
    await writer.finish()
    await this.output.commit()
  }

  discard(): void {
    this.output.discard()
  }

  #forget(): void {
    this.#values = this.columns.map(() => [])
    this.#characters = 0
  }

  async #flush(): Promise<void> {
    const rows = this.#values[0]!.length
    if (rows === 0) return
    const writer = await this.#open()
    const columnData = this.columns.map((name, column) => ({ name, data: this.#values[column] as unknown[] }))
    this.#forget()
    await writer.write({ columnData, rowGroupSize: rows })
  }

  /** Values are written under a schema that says nothing of their meaning; the file's end has the whole one. */
  async #open(): Promise<ParquetWriter> {
    if (this.#writer) return this.#writer
    const { ByteWriter, ParquetWriter } = await import('hyparquet-writer')
    const bytes = new ByteWriter()
    const pass = async () => {
      const made = bytes.getBytes().slice()
      bytes.index = 0
      await this.output.write(made)
    }
    const writer = Object.assign(bytes, { flush: pass, finish: pass })
    this.#writer = new ParquetWriter({
      writer,
      schema: plainSchema(schemaOf(this.columns, this.#types)),
      statistics: false,
      createdBy: `vcap-native ${packageVersion}`
    })
    return this.#writer
  }
}

/** A cell as its column holds it. */
function physical(cell: Cell, type: ColumnType): Cell {
  if (cell === null || cell === undefined) return null
  const { element, children } = type
  if (children.length > 0) return cell
  if (isJson(element)) return type.isJsonValue ? cellJson(cell) : cellText(cell)
  if (isText(element)) return cellText(cell)
  const number = cell instanceof JsonText ? cell.raw : cell
  if (element.type === 'INT64') return BigInt(number as string | number | bigint)
  return element.type === 'DOUBLE' ? Number(number) : cell
}
