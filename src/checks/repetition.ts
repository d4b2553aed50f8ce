import { sentences } from './sentences'
import { words } from './words'

/** Times in a row that a passage is said, and words of all of them at least: "very, very, very" is no loop. */
const leastRounds = 3
const leastLoop = 18
/** Words of the longest passage that is looked for. */
const longestPassage = 128
/** Words of a sentence at least that counts when it is said again somewhere else. */
const leastSentence = 4

/** Words that come again in the least that counts: a sentence of four words, three times. */
const leastAgain = (leastRounds - 1) * leastSentence - 1
const unspaced = /[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]/

/**
 * Whether a text says the same over and over: one passage at least three times in a row, or one sentence three times
 * anywhere. Numbers do not count, so that a list with the same entry under each of them is one.
 */
export function isRepetitive(text: string): boolean {
  if (isShort(text)) return false
  const said = words(text).filter((word) => !/^\p{N}+$/u.test(word))
  return said.length >= leastLoop && (hasLoop(said) || hasSentenceAgain(text))
}

/** A quick look that settles most captions: too few of its words come again. Not of scripts without blanks. */
function isShort(text: string): boolean {
  if (unspaced.test(text)) return false
  const said = text.toLowerCase().replaceAll('\n', ' ').split(' ')
  return said.length - new Set(said).size < leastAgain
}

function hasLoop(said: string[]): boolean {
  const longest = Math.min(longestPassage, Math.floor(said.length / leastRounds))
  for (let period = 1; period <= longest; period++) {
    const enough = Math.max(leastLoop, leastRounds * period) - period
    for (let i = period, equal = 0; i < said.length; i++) {
      equal = said[i] === said[i - period] ? equal + 1 : 0
      if (equal >= enough) return true
    }
  }
  return false
}

function hasSentenceAgain(text: string): boolean {
  const times = new Map<string, number>()
  for (const sentence of sentences(text)) {
    const said = words(sentence)
    if (said.length < leastSentence) continue
    const key = said.join(' ')
    const count = (times.get(key) ?? 0) + 1
    if (count >= leastRounds) return true
    times.set(key, count)
  }
  return false
}
