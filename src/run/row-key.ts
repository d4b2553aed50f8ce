import type { RowInput } from '../caption'
import { digestOf } from '../digest'

/** Digits of a key's hash, of which the last has 2 bits: 128 bits, enough for any two rows of any table to differ. */
const hashDigits = 22
const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
/** What each character is worth as a digit, by its code. */
const worth = Uint8Array.from({ length: 128 }, (_, code) => Math.max(0, digits.indexOf(String.fromCharCode(code))))
const digitBits = 6

/**
 * What a row is known by from run to run, whatever its place in the table: a hash of its path and of the cells that its
 * prompt uses. Rows that have all alike are told apart by which of them it is, from 0.
 */
export interface RowKey {
  /** 128 bits in base64url. */
  hash: string
  occurrence: number
}

/** The hash of a row; `usesText`: whether its text goes into the prompt. */
export function hashRow({ path, text, cells }: RowInput, usesText: boolean): string {
  const own = usesText ? text : undefined
  // No path holds a NUL character, so that no other row gives the same bytes.
  const asked = cells === undefined ? own : JSON.stringify([own ?? null, ...Object.entries(cells).sort()])
  return hashText(asked === undefined ? path : `${path}\0${asked}`)
}

/** 128 bits of a text's SHA-256, in base64url. */
export function hashText(text: string): string {
  const digest = digestOf('sha256', text, 'base64url')
  const last = hashDigits - 1
  return digest.slice(0, last) + digits[worth[digest.charCodeAt(last)]! & 0b110000]!
}

/** 32 bits of a hash, those that its digit of that number begins with: five digits, and two bits of the sixth. */
export function bitsOf(hash: string, digit: number): number {
  let bits = 0
  for (let i = 0; i < 5; i++) bits = (bits << digitBits) | worth[hash.charCodeAt(digit + i)]!
  return ((bits << 2) | (worth[hash.charCodeAt(digit + 5)]! >> 4)) >>> 0
}

/** A key as it stands in a journal. */
export function formatKey({ hash, occurrence }: RowKey): string {
  return occurrence === 0 ? hash : `${hash}+${occurrence}`
}

/** Undefined for what `formatKey` does not write. */
export function parseKey(text: string): RowKey | undefined {
  const match = /^([\w-]{22})(?:\+([1-9]\d{0,8}))?$/.exec(text)
  return match ? { hash: match[1]!, occurrence: Number(match[2] ?? 0) } : undefined
}
