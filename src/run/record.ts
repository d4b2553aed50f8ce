import type { RowCaption, RowStatus } from '../caption'
import { isStatus } from '../caption-check'
import { formatKey, parseKey, type RowKey } from './row-key'

/*
 * A record of the journal: a row's key, a space, and the row's caption as JSON, whose first fields are its status,
 * where it has some its flags, and its path; `-` in its place takes an earlier record of the row back.
 */

const revoked = '-'
const pathField = ',"path":'
const closingBrace = 0x7d
/** Bytes in which key, status and flags of nearly any record stand. */
const headBytes = 160

/** `path` is for people, as the table has it. Who captioned a row is no part of what was captioned. */
export function formatRecord(key: RowKey, path: string, caption: RowCaption): string {
  const { status, flags, replica, ...rest } = caption
  return `${formatKey(key)} ${JSON.stringify({ status, ...(flags && { flags }), path, ...rest })}`
}

export function formatRevocation(key: RowKey): string {
  return `${formatKey(key)} ${revoked}`
}

/** What a record begins with. */
export interface RecordHead {
  key: RowKey
  /** Status and flags as they stand there, for `RecordKinds`; undefined where an earlier record is taken back. */
  label: string | undefined
}

/** Undefined for what is no record, as far as that is seen at once. */
export function readHead(record: Buffer): RecordHead | undefined {
  const head = record.toString('latin1', 0, Math.min(headBytes, record.length))
  const space = head.indexOf(' ')
  const key = parseKey(head.slice(0, space))
  if (!key) return undefined
  const begin = space + 1
  if (record.length === begin + 1 && head[begin] === revoked) return { key, label: undefined }
  if (record.at(-1) !== closingBrace) return undefined
  const near = head.indexOf(pathField, begin)
  if (near > 0) return { key, label: head.slice(begin, near) }
  const far = record.indexOf(pathField, begin)
  return far > 0 ? { key, label: record.toString('latin1', begin, far) } : undefined
}

/** What the captions of some records have in common. */
export interface RecordKind {
  status: RowStatus
  flags: string[]
}

/** The kinds of captions in a journal, each with a number: they are few, so that each is parsed once. */
export class RecordKinds {
  /** By number. */
  readonly all: RecordKind[] = []
  /** By label; -1 for that of no caption of ours. */
  readonly #numbers = new Map<string, number>()

  /** Undefined for the label of no caption of ours. */
  numberOf(label: string): number | undefined {
    const number = this.#numbers.get(label) ?? this.#enter(label)
    return number < 0 ? undefined : number
  }

  #enter(label: string): number {
    const kind = parseKind(label)
    const number = kind ? this.all.push(kind) - 1 : -1
    this.#numbers.set(label, number)
    return number
  }
}

function parseKind(label: string): RecordKind | undefined {
  try {
    const { status, flags = [] } = JSON.parse(`${label}}`) as RecordKind
    return isStatus(status) && Array.isArray(flags) ? { status, flags: flags.map(String) } : undefined
  } catch {
    return undefined
  }
}

/** The caption of a record, which follows its key, as text. */
export function captionOf(record: Buffer): string {
  return record.toString('utf8', record.indexOf(' ') + 1)
}
