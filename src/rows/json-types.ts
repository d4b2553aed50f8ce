type SchemaElement = import('hyparquet', { with: { 'resolution-mode': 'import' }}).SchemaElement
import { JsonText, type Cell, type ColumnType } from './cell'

/** Digits beyond which a number is none of a double's shortest names. */
const doubleDigits = 17

type Kind = 'text' | 'boolean' | 'small' | 'integer' | 'double' | 'number' | 'nested'

/** What a column of JSON values holds, from a look at all of them. */
export class JsonColumn {
  readonly #kinds = new Set<Kind>()

  add(value: Cell): void {
    if (value !== null && value !== undefined) this.#kinds.add(kindOf(value))
  }

  /** The narrowest type that keeps every value: JSON where they are of different kinds. */
  typeOf(name: string): ColumnType {
    const kinds = this.#kinds
    const are = (...of: Kind[]) => kinds.size > 0 && [...kinds].every((kind) => of.includes(kind))
    if (kinds.size === 0 || are('text')) return leaf(name, textElement)
    if (are('boolean')) return booleanType(name)
    if (are('small', 'integer')) return leaf(name, integerElement)
    if (are('small', 'double')) return leaf(name, { type: 'DOUBLE' })
    return jsonType(name)
  }
}

/** A column of text that may be empty. */
export function textType(name: string): ColumnType {
  return leaf(name, textElement)
}

/** A column of whole numbers of up to 64 bits that may be empty. */
export function integerType(name: string): ColumnType {
  return leaf(name, integerElement)
}

/** A column of numbers that may be empty. */
export function doubleType(name: string): ColumnType {
  return leaf(name, { type: 'DOUBLE' })
}

/** A column of truth values that may be empty. */
export function booleanType(name: string): ColumnType {
  return leaf(name, { type: 'BOOLEAN' })
}

/** A column of JSON that may be empty. */
export function jsonType(name: string): ColumnType {
  return leaf(name, { type: 'BYTE_ARRAY', converted_type: 'JSON', logical_type: { type: 'JSON' } })
}

const textElement = { type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' } } as const
const integerElement = { type: 'INT64' } as const

function leaf(name: string, element: Omit<SchemaElement, 'name'>): ColumnType {
  return { element: { name, repetition_type: 'OPTIONAL', ...element }, children: [], isJsonValue: true }
}

function kindOf(value: Cell): Kind {
  if (typeof value === 'string') return 'text'
  if (typeof value === 'boolean') return 'boolean'
  if (typeof value === 'number') return numberKind(String(value))
  return value instanceof JsonText && /^[-\d]/.test(value.raw) ? numberKind(value.raw) : 'nested'
}

function numberKind(raw: string): Kind {
  if (/^(0|-?[1-9]\d*)$/.test(raw)) {
    const value = BigInt(raw)
    if (BigInt.asIntN(53, value) === value) return 'small'
    return BigInt.asIntN(64, value) === value ? 'integer' : 'number'
  }
  const digits = raw.replace(/e.*$/i, '').replace(/[^\d]/g, '').replace(/^0+/, '')
  return digits.length <= doubleDigits && Number.isFinite(Number(raw)) ? 'double' : 'number'
}
