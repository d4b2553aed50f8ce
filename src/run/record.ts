import type { RowCaption } from '../caption'
import { isStatus } from '../caption-check'
import { formatKey, parseKey, type RowKey } from './row-key'

/*
 * A record of the journal: a row's key, a space, and the row's caption as JSON, whose first fields are its status and,
 * where it has some, its flags; `-` in its place takes an earlier record of the row back.
 */

const space = 0x20
const quote = 0x22
const closingBrace = 0x7d
const revoked = '-'
const statusField = '{"status":"'
const flagsField = ',"flags":['
const flagsEnd = 0x5d // ]

/** `path` is for people, as the table has it. Who captioned a row is no part of what was captioned. */
export function formatRecord(key: RowKey, path: string, caption: RowCaption): string {
  const { status, flags, replica, ...rest } = caption
  return `${formatKey(key)} ${JSON.stringify({ status, ...(flags && { flags }), path, ...rest })}`
}

export function formatRevocation(key: RowKey): string {
  return `${formatKey(key)} ${revoked}`
}

/** The key of a record, and where what follows it begins; undefined for what is no record. */
export function splitRecord(record: Buffer): { key: RowKey; begin: number } | undefined {
  const end = record.indexOf(space)
  const key = end > 0 ? parseKey(record.toString('latin1', 0, end)) : undefined
  return key && { key, begin: end + 1 }
}

/** Whether what begins there takes an earlier record back. */
export function isRevoked(record: Buffer, begin: number): boolean {
  return record.length === begin + 1 && record[begin] === revoked.charCodeAt(0)
}

/** Whether what begins there is a caption as `formatRecord` writes it, as far as that is seen at once. */
export function isCaption(record: Buffer, begin: number): boolean {
  return record.at(-1) === closingBrace && isStatus(statusOf(record, begin))
}

/** The status of the caption that begins there; undefined where none does. */
export function statusOf(record: Buffer, begin: number): string | undefined {
  const first = begin + statusField.length
  if (record.toString('latin1', begin, first) !== statusField) return undefined
  return record.toString('latin1', first, record.indexOf(quote, first))
}

/** The flags of the caption whose status begins there. */
export function recordedFlags(record: Buffer, begin: number): string[] {
  const first = record.indexOf(quote, begin + statusField.length) + 1
  const list = first + flagsField.length
  if (record.toString('latin1', first, list) !== flagsField) return []
  return record.toString('latin1', list, record.indexOf(flagsEnd, list)).replaceAll('"', '').split(',')
}
