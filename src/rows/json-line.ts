import { JsonText, type Cell } from './cell'

/** Why a line is none of a JSONL table; the line's number is known to who reads it. */
export class LineFault extends Error {}

const [quote, backslash, comma, colon, openBrace, closeBrace] = [0x22, 0x5c, 0x2c, 0x3a, 0x7b, 0x7d]
const [openBracket, closeBracket] = [0x5b, 0x5d]
/** Characters of a line that a message shows. */
const shown = 60

/**
 * Tells of each key of a line that holds one JSON object, in the line's order: values as JavaScript has them where that
 * gives their text again, all others as they stand. Throws a `LineFault`.
 */
export function readLine(line: string, tell: (key: string, value: Cell) => void): void {
  // What is no JSON is found here, so that the walk below may trust the text.
  requireObject(line)
  let at = skipBlanks(line, line.indexOf('{') + 1)
  while (line.charCodeAt(at) !== closeBrace) {
    if (line.charCodeAt(at) === comma) at = skipBlanks(line, at + 1)
    const keyEnd = endOfString(line, at)
    const key = stringOf(line, at, keyEnd)
    at = skipBlanks(line, keyEnd)
    if (line.charCodeAt(at) === colon) at = skipBlanks(line, at + 1)
    const end = endOfValue(line, at)
    tell(key, cellOf(line, at, end))
    at = skipBlanks(line, end)
  }
}

function requireObject(line: string): void {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    throw new LineFault(`${excerpt(line)} is no JSON: expected one object a line, such as {"path": "a.mp4"}`)
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return
  const remedy = Array.isArray(value) ? `. A list of objects is written one a line by jq -c '.[]'` : ''
  throw new LineFault(`expected a JSON object, such as {"path": "a.mp4"}, but found ${excerpt(line)}${remedy}`)
}

function excerpt(line: string): string {
  const text = line.trim()
  return JSON.stringify(text.length > shown ? `${text.slice(0, shown - 3)}...` : text)
}

function skipBlanks(line: string, from: number): number {
  let at = from
  while (line.charCodeAt(at) <= 0x20) at++
  return at
}

/** One beyond the closing quote. */
function endOfString(line: string, from: number): number {
  for (let at = from + 1; ; at++) {
    const code = line.charCodeAt(at)
    if (code === quote) return at + 1
    if (code === backslash) at++
  }
}

function endOfValue(line: string, from: number): number {
  const first = line.charCodeAt(from)
  if (first === quote) return endOfString(line, from)
  if (first === openBrace || first === openBracket) return endOfNested(line, from)
  let at = from
  for (let code = first; code > 0x20 && code !== comma && code !== closeBrace; code = line.charCodeAt(++at));
  return at
}

function endOfNested(line: string, from: number): number {
  let depth = 0
  for (let at = from; ; at++) {
    const code = line.charCodeAt(at)
    if (code === quote) at = endOfString(line, at) - 1
    else if (code === openBrace || code === openBracket) depth++
    else if ((code === closeBrace || code === closeBracket) && --depth === 0) return at + 1
  }
}

function stringOf(line: string, from: number, end: number): string {
  const inner = line.slice(from + 1, end - 1)
  return inner.includes('\\') ? (JSON.parse(line.slice(from, end)) as string) : inner
}

function cellOf(line: string, from: number, end: number): Cell {
  switch (line.charCodeAt(from)) {
    case quote:
      return stringOf(line, from, end)
    case 0x74: // true
      return true
    case 0x66: // false
      return false
    case 0x6e: // null
      return null
  }
  const raw = line.slice(from, end)
  const number = Number(raw)
  return String(number) === raw ? number : new JsonText(raw)
}
