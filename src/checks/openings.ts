import { unquoted, words } from './words'

/*
 * The usual openings of a model's captions, which say nothing of what is seen: "The video shows a man walking" is
 * "A man walking". One is dropped only where what follows stands as a sentence or a title of its own.
 */

const adjective = '(?:short |brief |color |colour |black[- ]and[- ]white |animated |still |aerial |close-up )?'
const noun =
  '(?:video clip|video footage|video|clip|footage|film|animation|image|picture|photo|photograph|still|scene|' +
  '(?:sequence|series) of (?:images|pictures|frames)|images|frames|pictures|photos)'
const subject = `(?:the|this|these) ${adjective}${noun}(?: provided| given| you provided)?`
const shows =
  '(?:shows?|depicts?|features?|captures?|displays?|presents?|portrays?|illustrates?|showcases?|' +
  'is (?:showing|depicting))'
const kind = `(?:an? |the )?${adjective}${noun}`

/** "Sure! Here is a description of the video:" */
const of = '(?: (?:of|for) (?:the|this|your|these) (?:\\w+ )?(?:video|clip|image|picture|photo|frames?))?'
const courtesy = new RegExp(
  '^(?:(?:sure(?: thing)?|certainly|of course|absolutely|okay|ok|yes)[,.!:]+\\s+)?' +
    "(?:(?:here(?: is|['’]s| are)|below is) (?:an? |the |my |your )?(?:\\w+ ){0,3}?" +
    `(?:description|caption|summary|answer)${of}\\s*:\\s*)?` +
    '(?:\\*{0,2}(?:description|caption|answer|assistant)\\*{0,2}\\s*:\\s*\\*{0,2}\\s*)?',
  'iu'
)
/** Openings before a thing: what follows has to be one. */
const beforeThing = new RegExp(
  `^(?:${subject}(?:,)? ${shows}(?: (?:us|to us|here))?:?|` +
    `(?:this|it|here) is ${kind} (?:of|showing|depicting|featuring)|${subject} is (?:of|about)|` +
    `(?:in ${subject},? )?(?:we|you)(?: can)? see:?) +`,
  'iu'
)
/** Openings before a sentence of its own. */
const beforeSentence = new RegExp(`^(?:in ${subject}(?:,| there) |${subject} ${shows} that )`, 'iu')
const chinese = new RegExp(
  '^(?:在)?(?:这段|这个|该|此|本|这张|这幅)?(?:视频|短片|片段|图片|图像|照片|画面)' +
    '(?:中|里|内)?(?:，|,|(?:主要)?(?:展示|显示|呈现|描绘|记录|拍摄|展现)(?:了|的是|出)?(?:，|：)?)',
  'u'
)

/** What cannot begin a caption: what was asked, whom it is about, how, or a second word of the verb. */
const noThing = new RegExp(
  '^(?:how|what|when|where|why|who|whom|whether|which|if|off|up|out|only|not|him|them|it|me|and|or|but|to|in|on|at|' +
    'by|for|with|from|as|through|\\w+ly)\\b',
  'iu'
)
/** A second thing that the video does, which would be left without it: "… and then cuts to a beach." */
const secondVerb = new RegExp(
  '(?:\\b(?:and|before|while|but|then|also)\\b|,)(?: (?:then|also|it|later|finally|briefly))* ' +
    '(?:cuts?|ends?|transitions?|concludes?|shows?|depicts?|shifts?|switches|fades?|zooms?|moves on|highlights?|' +
    'emphasi[sz]es|focuses|captures?|features?|begins|starts|follows|provides?|gives?|conveys?|creates?|' +
    'showcases?|displays?|portrays?|presents?|illustrates?|includes?|' +
    'is (?:shot|filmed|taken|captured|recorded|set))\\b',
  'iu'
)

/** The text without its opening, with a capital letter; as it is where that would leave no right sentence. */
export function dropOpening(text: string): string {
  const plain = text.replace(courtesy, '')
  return drop(plain) ?? (plain === text ? text : (standing(plain) ?? text))
}

function drop(text: string): string | undefined {
  const whole = beforeSentence.exec(text)?.[0]
  if (whole !== undefined) {
    // "In the image there is …" keeps its "there".
    const rest = text.slice(whole.length - (/ there $/iu.test(whole) ? 'there '.length : 0))
    return drop(rest) ?? standing(rest)
  }
  const before = (beforeThing.exec(text) ?? chinese.exec(text))?.[0]
  if (before === undefined) return undefined
  const rest = text.slice(before.length).trimStart()
  const first = unquoted(/^[^.!?]*/u.exec(rest)![0])
  return noThing.test(rest) || secondVerb.test(first) ? undefined : standing(rest)
}

/** The text as one that begins here; undefined where too little is left. */
function standing(text: string): string | undefined {
  if (words(text).length < 2) return undefined
  // A name such as iPhone keeps its small letter.
  return /^\p{Ll}(?!\p{Lu})/u.test(text) ? text[0]!.toUpperCase() + text.slice(1) : text
}
