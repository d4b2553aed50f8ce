import { isCaptioned, type CaptionFlag, type RowAnswer, type RowCaption, type RowStatus } from '../caption'
import { mapCaptions } from '../row-captions'
import { hasFrameWording } from './frame-wording'
import { jsonValues } from './json-text'
import { dropOpening } from './openings'
import { isRefusal } from './refusal'
import { isRepetitive } from './repetition'
import { isUnfinished, trimSentence } from './sentences'

/** How the texts of an output differ from what the model answered. */
export interface TextEdits {
  /** Drop the usual openings. */
  clean: boolean
  /** Cut an unfinished last sentence. */
  trimSentence: boolean
  /** What goes before each caption, to the letter. */
  prefix?: string
  /** What goes after it. */
  suffix?: string
}

/**
 * What is to be said of a caption; `looped`: whether its end was cut off since it began to say the same again. Empty
 * where there is nothing, and where there is no caption for a reason of its own.
 */
export function flagsOf(text: string, status: RowStatus, looped = false): CaptionFlag[] {
  if (status === 'empty') return ['empty']
  if (!isCaptioned({ status })) return []
  const wasCut = status === 'truncated'
  // An answer that is JSON says what its values say, and needs no full stop.
  const values = jsonValues(text)
  const parts = values ?? [text]
  const said = parts.join('\n')
  const found: [CaptionFlag, boolean][] = [
    ['cut', wasCut && !looped],
    ['repetition', looped || isRepetitive(said)],
    ['empty', !/[\p{L}\p{N}\p{Extended_Pictographic}]/u.test(said)],
    ['refusal', parts.some(isRefusal)],
    ['frame_wording', parts.some(hasFrameWording)],
    ['unfinished', !values && isUnfinished(text, wasCut)]
  ]
  return found.flatMap(([flag, holds]) => (holds ? [flag] : []))
}

/** A row's captions with the flags that its captioner gave them and those that their texts and status give. */
export function flagged(row: RowCaption): RowCaption {
  return mapCaptions(row, flaggedAnswer)
}

function flaggedAnswer<T extends RowAnswer>(caption: T): T {
  const given = caption.flags ?? []
  const flags = [...new Set([...given, ...flagsOf(caption.text, caption.status, given.includes('repetition'))])]
  return withFlags(caption, flags)
}

/** Flags that are of the text as it stands: an edit may mend them. */
const ofText: string[] = ['frame_wording', 'unfinished'] satisfies CaptionFlag[]

/** A row's flagged captions as the output has them; the same object where no edit changes one. */
export function edited(row: RowCaption, edits: TextEdits): RowCaption {
  return mapCaptions(row, (caption) => editedAnswer(caption, edits))
}

/**
 * A flagged caption as the output has it. What an edit mended is flagged no more; what goes before and after it comes
 * last, and is none of what flags are of.
 */
export function editedAnswer<T extends RowAnswer>(caption: T, edits: TextEdits): T {
  if (!isCaptioned(caption)) return caption
  const { prefix = '', suffix = '' } = edits
  const mended = mend(caption, edits)
  return prefix === '' && suffix === '' ? mended : { ...mended, text: prefix + mended.text + suffix }
}

function mend<T extends RowAnswer>(caption: T, { clean, trimSentence: trim }: TextEdits): T {
  const opened = clean ? dropOpening(caption.text) : caption.text
  const text = trim ? trimSentence(opened, caption.status === 'truncated') : opened
  if (text === caption.text) return caption
  const { flags = [] } = caption
  const now: string[] = flagsOf(text, caption.status, flags.includes('repetition'))
  return withFlags(
    { ...caption, text },
    flags.filter((flag) => !ofText.includes(flag) || now.includes(flag))
  )
}

/** Flags are left out where there are none, which keeps a journal small. */
export function withFlags<T extends RowAnswer>({ flags, ...caption }: T, now: string[]): T {
  return (now.length === 0 ? caption : { ...caption, flags: now }) as T
}
