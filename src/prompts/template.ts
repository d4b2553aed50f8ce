/** A piece of a question: words as they stand, or a place for a cell; `''` is that of the row's text. */
export type TemplatePart = { words: string } | { column: string }

/** `{{`, `}}`, or braces around something short that could be a column's name. */
const marks = /\{\{|\}\}|\{([^{}\n"]{0,100})\}/g
const textColumn = 'text'

/**
 * Takes a question apart, once: what is put into it later is never looked at again. `{{` and the `}}` that belongs to
 * it are braces. `{name}` is a place where a row has such a cell, and else stands as it is.
 */
export function parseTemplate(text: string): TemplatePart[] {
  const parts: TemplatePart[] = []
  let words = ''
  let end = 0
  let open = 0
  for (const mark of text.matchAll(marks)) {
    words += text.slice(end, mark.index)
    end = mark.index + mark[0].length
    const [seen, name] = mark
    if (seen === '{{') {
      open++
      words += '{'
    } else if (seen === '}}') {
      words += open > 0 ? '}' : '}}'
      open = Math.max(0, open - 1)
    } else if (name === '' || isName(name!)) {
      parts.push({ words }, { column: name === textColumn ? '' : name! })
      words = ''
    } else {
      words += seen
    }
  }
  parts.push({ words: words + text.slice(end) })
  return parts
}

/** Whether it can be a column's name as people write them: not blank, no quotes, no blanks at its ends. */
function isName(name: string): boolean {
  return /^[^\s:,;'][^:;']*$/.test(name) && name.trim() === name
}

/** Whether a name in braces can only be meant as a column. */
export function isIdentifier(name: string): boolean {
  return /^[\p{L}_][\p{L}\p{N}_]*$/u.test(name)
}

/** Puts the parts together. Where there is no such cell the braces stay. */
export function fillTemplate(parts: TemplatePart[], cellOf: (column: string) => string | undefined): string {
  return parts.map((part) => ('words' in part ? part.words : (cellOf(part.column) ?? `{${part.column}}`))).join('')
}
