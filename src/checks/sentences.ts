import { words } from './words'

/** Marks that end a sentence, in any script, and what may follow them before the sentence is over. */
const ends = /[\p{STerm}…]+["'”’»」』）)\]*_]*(?=\s|$)|[。！？｡．]+["”’»」』）]*/gu
const emoji = '\\p{Extended_Pictographic}|[\\u{1F3FB}-\\u{1F3FF}\\u{FE0F}\\u{200D}]'
/** What may stand behind the last sentence: quotation marks, brackets, emphasis, emojis, hashtags. */
const trailing = new RegExp(`(?:[\\s"'”’»」』）)\\]*_\`~]|${emoji}|#[\\p{L}\\p{N}_]+(?=\\s|#|$))+$`, 'u')
const terminated = /[\p{STerm}…]$/u
/** Full stops that end no sentence: of abbreviations, of initials. */
const abbreviated = /(?:^|[\s("“])(?:mr|mrs|ms|dr|st|jr|sr|vs|prof|approx|e\.g|i\.e|z\.B|d\.h)\.$/iu
const initial = /(?:^|[\s("“.])\p{Lu}\.$/u
/** Ends of what was to go on: a comma, a colon, a dash, or a word after which English has more to say. */
const dangling = new RegExp(
  '[,;:，、；：–—(-]$|\\b(?:a|an|the|and|or|but|of|with|in|on|at|to|from|by|for|as|is|are|was|were|that|which|while|' +
    'its|their|his)$',
  'iu'
)

/** Words that have to be left, or the rest says nothing: "Sure!". */
const leastWords = 3

/**
 * Where each of a text's first sentences ends, `most` of them at most, behind its closing quotation marks. A number
 * such as "2." begins an entry.
 */
export function sentenceEnds(text: string, most = Infinity): number[] {
  const found: number[] = []
  let begin = 0
  for (const { 0: mark, index } of text.matchAll(ends)) {
    const end = index + mark.length
    const sentence = text.slice(begin, end)
    if (isNoEnd(sentence, mark, end === text.length)) continue
    found.push(end)
    if (found.length >= most) break
    begin = end
  }
  return found
}

function isNoEnd(sentence: string, mark: string, isLast: boolean): boolean {
  if (/^[^\p{L}\p{N}]*(?:\d+|\p{L})\.$/u.test(sentence)) return true
  return mark === '.' && !isLast && (initial.test(sentence) || abbreviated.test(sentence))
}

/** The first sentences of a text, `most` of them at most; the last may be unfinished. */
export function sentences(text: string, most = Infinity): string[] {
  const borders = [0, ...sentenceEnds(text, most), text.length]
  const found = borders.slice(1).flatMap((end, i) => text.slice(borders[i], end).trim() || [])
  return found.slice(0, most)
}

/**
 * Whether the last sentence lacks its end. A caption of one sentence without any is a title or a list of tags, unless
 * it was cut or ends in the midst.
 */
export function isUnfinished(text: string, wasCut: boolean): boolean {
  const core = text.replace(trailing, '')
  if (core === '') return false
  const found = sentenceEnds(core)
  if (found.at(-1) === core.length) return false
  if (terminated.test(core) && !/(?:^|\s)\d+\.$/u.test(core)) return false
  return wasCut || found.length > 0 || dangling.test(core)
}

/** The text up to the end of its last finished sentence, where something is left then; else as it is. */
export function trimSentence(text: string, wasCut: boolean): string {
  if (!isUnfinished(text, wasCut)) return text
  const kept = text.slice(0, sentenceEnds(text).at(-1) ?? 0).trimEnd()
  return words(kept).length >= leastWords ? kept : text
}
