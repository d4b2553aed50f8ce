type SchemaElement = import('hyparquet', { with: { 'resolution-mode': 'import' }}).SchemaElement

/** One value without parts. */
export type Leaf = string | number | bigint | boolean | Uint8Array

const dayMs = 86_400_000
const unitsPerSecond = { MILLIS: 1_000n, MICROS: 1_000_000n, NANOS: 1_000_000_000n } as const
type TimeUnit = keyof typeof unitsPerSecond

/** A value as text, by what its column says of it: dates and times as ISO 8601 has them, bytes in base64. */
export function leafText(value: Leaf, element?: SchemaElement): string {
  if (typeof value === 'string') return value
  if (typeof value === 'boolean') return String(value)
  if (value instanceof Uint8Array) return bytesText(value, element)
  if (typeof value === 'number' && (!element?.type?.startsWith('INT') || !Number.isInteger(value))) {
    return Object.is(value, -0) ? '-0' : String(value)
  }
  return integerText(BigInt(value), element)
}

/** A value as JSON. */
export function leafJson(value: Leaf, element?: SchemaElement): string {
  const text = leafText(value, element)
  if (isJson(element)) return oneLine(text)
  if (!isNumeric(value, element)) return JSON.stringify(text)
  return /^(NaN|-?Infinity)$/.test(text) ? 'null' : text
}

/** Whether a column holds text that JSON has no other word for. */
export function isText({ converted_type: converted, logical_type: logical }: SchemaElement): boolean {
  const textual = ['UTF8', 'STRING', 'ENUM', 'JSON']
  return textual.includes(converted ?? '') || textual.includes(logical?.type ?? '')
}

export function isJson(element: SchemaElement | undefined): boolean {
  return element?.converted_type === 'JSON' || element?.logical_type?.type === 'JSON'
}

function isNumeric(value: Leaf, element: SchemaElement | undefined): boolean {
  if (typeof value === 'string') return false
  if (typeof value === 'boolean' || !element) return !(value instanceof Uint8Array)
  if (value instanceof Uint8Array) return isDecimal(element) || element.logical_type?.type === 'FLOAT16'
  return timeOf(element) === undefined
}

function isDecimal({ converted_type: converted, logical_type: logical }: SchemaElement): boolean {
  return converted === 'DECIMAL' || logical?.type === 'DECIMAL'
}

/** Line ends stand between the parts of a JSON text alone, never within its strings. What is no JSON is a string. */
function oneLine(text: string): string {
  try {
    JSON.parse(text)
    return text.replace(/[\r\n]/g, ' ')
  } catch {
    return JSON.stringify(text)
  }
}

function bytesText(bytes: Uint8Array, element: SchemaElement | undefined): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (element && isDecimal(element)) return decimalText(signedBigEndian(buffer), element)
  const logical = element?.logical_type?.type
  if (logical === 'UUID' && buffer.length === 16) {
    return buffer.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  }
  return logical === 'FLOAT16' && buffer.length === 2 ? halfText(buffer.readUInt16LE()) : buffer.toString('base64')
}

function integerText(value: bigint, element: SchemaElement | undefined): string {
  if (!element) return String(value)
  if (isDecimal(element)) return decimalText(value, element)
  const time = timeOf(element)
  return time ? timeText(value, time) : String(unsigned(value, element))
}

type Time = { kind: 'date' } | { kind: 'time' | 'timestamp'; unit: TimeUnit; isUtc: boolean }

function timeOf({ converted_type: converted, logical_type: logical }: SchemaElement): Time | undefined {
  if (logical?.type === 'DATE' || converted === 'DATE') return { kind: 'date' }
  if (logical?.type === 'TIMESTAMP' || logical?.type === 'TIME') {
    const kind = logical.type === 'TIME' ? 'time' : 'timestamp'
    return { kind, unit: logical.unit, isUtc: logical.isAdjustedToUTC && kind === 'timestamp' }
  }
  const [, kind, unit] = /^(TIME|TIMESTAMP)_(MILLIS|MICROS)$/.exec(converted ?? '') ?? []
  if (!kind) return undefined
  return { kind: kind === 'TIME' ? 'time' : 'timestamp', unit: unit as TimeUnit, isUtc: kind === 'TIMESTAMP' }
}

function timeText(value: bigint, time: Time): string {
  if (time.kind === 'date') return dayText(value) ?? String(value)
  const perSecond = unitsPerSecond[time.unit]
  const seconds = floorDivide(value, perSecond)
  const digits = perSecond.toString().length - 1
  const rest = String(value - seconds * perSecond).padStart(digits, '0')
  const days = floorDivide(seconds, 86_400n)
  const day = time.kind === 'time' ? '' : dayText(days)
  // Beyond the calendar's end there is but the number.
  if (day === undefined) return String(value)
  const ofDay = new Date(Number(seconds - days * 86_400n) * 1000).toISOString().slice(11, 19)
  return `${day}${day && 'T'}${ofDay}.${rest}${time.isUtc ? 'Z' : ''}`
}

function dayText(days: bigint): string | undefined {
  const date = new Date(Number(days) * dayMs)
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString().slice(0, -14)
}

function floorDivide(value: bigint, by: bigint): bigint {
  const quotient = value / by
  return value % by < 0n ? quotient - 1n : quotient
}

function unsigned(value: bigint, { converted_type: converted, logical_type: logical, type }: SchemaElement): bigint {
  const isUnsigned = converted?.startsWith('UINT_') || (logical?.type === 'INTEGER' && !logical.isSigned)
  return isUnsigned ? BigInt.asUintN(type === 'INT32' ? 32 : 64, value) : value
}

function decimalText(value: bigint, { scale, logical_type: logical }: SchemaElement): string {
  const places = (logical?.type === 'DECIMAL' ? logical.scale : scale) ?? 0
  const digits = String(value < 0n ? -value : value).padStart(places + 1, '0')
  const whole = digits.slice(0, digits.length - places)
  return `${value < 0n ? '-' : ''}${whole}${places > 0 ? `.${digits.slice(-places)}` : ''}`
}

function signedBigEndian(bytes: Buffer): bigint {
  return bytes.length === 0 ? 0n : BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString('hex')}`))
}

/** IEEE 754 half precision. */
function halfText(bits: number): string {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const fraction = (bits & 0x3ff) / 0x400
  if (exponent === 0) return String(sign * 2 ** -14 * fraction)
  if (exponent === 0x1f) return String(fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY)
  return String(sign * 2 ** (exponent - 15) * (1 + fraction))
}
