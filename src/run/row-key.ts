import { createHash } from 'node:crypto'
import type { RowInput } from '../caption'

/** Bytes of a key's hash: enough for any two rows of any table to differ. */
const hashBytes = 16

/**
 * What a row is known by from run to run, whatever its place in the table: a hash of its path and of the text that its
 * prompt uses. Rows that have both alike are told apart by which of them it is, from 0.
 */
export interface RowKey {
  hash: Buffer
  occurrence: number
}

/** The hash of a row; `usesText`: whether its text goes into the prompt. */
export function hashRow({ path, text }: RowInput, usesText: boolean): Buffer {
  // No path holds a NUL character, so that no other pair gives the same bytes.
  const content = usesText && text !== undefined ? `${path}\0${text}` : path
  return createHash('sha256').update(content).digest().subarray(0, hashBytes)
}

/** A key as it stands in a journal. */
export function formatKey({ hash, occurrence }: RowKey): string {
  return occurrence === 0 ? hash.toString('base64url') : `${hash.toString('base64url')}+${occurrence}`
}

/** Undefined for what `formatKey` does not write. */
export function parseKey(text: string): RowKey | undefined {
  const match = /^([\w-]{22})(?:\+([1-9]\d{0,8}))?$/.exec(text)
  if (!match) return undefined
  return { hash: Buffer.from(match[1]!, 'base64url'), occurrence: Number(match[2] ?? 0) }
}
