/** Scripts without blanks between words: each of their characters counts as a word. */
const unspacedScripts = ['Han', 'Hiragana', 'Katakana', 'Thai', 'Lao', 'Khmer', 'Myanmar']
const unspaced = `[${unspacedScripts.map((script) => `\\p{Script=${script}}`).join('')}]`
const letter = '[\\p{L}\\p{M}\\p{N}]'
const word = new RegExp(`${unspaced}|${letter}+(?:['’-]${letter}+)*`, 'gu')

/** The words of a text, in lower case. */
export function words(text: string): string[] {
  return text.toLowerCase().match(word) ?? []
}

/** A text without what stands in quotation marks: words of a sign or a speaker, not of the caption. */
export function unquoted(text: string): string {
  const inner = /^["“«「](.*)["”»」]$/su.exec(text.trim())?.[1]
  // A model may put all of its answer in quotation marks.
  if (inner !== undefined && !/["“”«»「」]/u.test(inner)) return inner
  return text.replace(/"[^"]*"|“[^”]*”|„[^“”]*[“”]|«[^»]*»|「[^」]*」|『[^』]*』|‘[^’]*’(?!\p{L})/gu, ' ')
}
