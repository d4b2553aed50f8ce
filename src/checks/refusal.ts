import { sentences } from './sentences'
import { unquoted } from './words'

/*
 * What a model says in place of a description. Each pattern is looked for where a sentence begins, in the first two of
 * a caption: what follows a description ("I cannot identify the plant.") is a remark. Texts are compared in small
 * letters.
 */

const unable = '(?:not able|unable|not allowed|not permitted|not comfortable)'
const cannot =
  `(?:can'?t|cannot|can not|could(?:n't| not)|(?:a|')m ${unable}|are ${unable}|won't|will not|decline|` +
  "do(?:n't| not) have (?:the )?(?:ability|capability|access|permission))"
const media = '(?:image|video|picture|photo(?:graph)?|clip|content|media|file|frame|link|attachment)s?'
const task =
  '(?:assist|help|describe|provide|identify|watch|access|process|analy[sz]e|fulfil+|comply|generate|create|caption|' +
  'recogni[sz]e|comment|answer|discuss|interpret|do that|continue|' +
  `(?:see|view|open|display) (?:(?:the|this|that|any|an?|your|these) )?(?:\\w+ )?${media})`
const sorry =
  "(?:(?:i'?m|i am|we'?re|we are)? ?(?:very |so |really |deeply |truly )?(?:sorry|afraid)|" +
  '(?:i|we|my)? ?(?:sincerely )?(?:apologi[sz]e|apologies)|unfortunately|regrettably)'
const we = "\\b(?:i|we)(?: |')?(?:really |currently |simply )?"
const given = '(?:attached|provided|included|uploaded|given|in your|to describe|for me)'

const english = [
  `(?:${sorry}\\b[^.!?]*?)?${we}${cannot}(?: to)?(?: \\w+ly)? ${task}\\b`,
  `${sorry}\\b[^.!?]*${we}${cannot}\\b`,
  `${sorry}\\b[^.!?]*\\b(?:unable|not able|impossible|not possible) to ${task}\\b`,
  'as an? (?:ai|artificial intelligence|(?:large )?language model|text-based|virtual assistant)\\b',
  `there(?: is|'s| are) no ${media}(?: or ${media})? ${given}`,
  `(?:please|could you|can you)(?: please)? (?:provide|upload|share|attach|send|resend)\\b[^.!?]*\\b${media}`,
  "you (?:have not|haven't|did not|didn't) (?:yet )?(?:provide|attach|upload|share|include)",
  `i (?:do not|don't|did not|didn't) (?:actually )?see (?:any|an?|the) ${media}`,
  "it(?: is|'s) (?:not possible|impossible) for me to",
  `this (?:request|${media}) (?:violates|goes against|may violate)`
]
/** By what a refusal in other languages begins with. */
const others = [
  '(?:很|非常)?(?:抱歉|对不起|對不起|遗憾)[^。！？]*(?:无法|無法|不能|没有|沒有)',
  '(?:我|本人)(?:目前|暂时|并)?(?:无法|無法|不能|没有办法)(?:直接)?' +
    '(?:查看|观看|看到|描述|识别|識別|提供|协助|帮助|访问|处理|分析|回答)',
  '作为(?:一个|一名|一款)?(?:ai|人工智能|语言模型|大型语言模型)',
  '(?:大変)?(?:申し訳|すみません|恐れ入ります)[^。]*(?:できません|できかねます|ません)',
  '(?:죄송|유감)[^.]*(?:수 없|없습니다|어렵습니다)',
  '(?:es )?tut mir (?:sehr )?leid[^.!?]*\\b(?:kann|konnte|darf)\\b[^.!?]*\\b(?:nicht|kein)',
  'ich kann (?:dies|das|den|die|ihnen|dir|leider)[^.!?]*\\b(?:nicht|kein\\w*)\\b[^.!?]*' +
    '\\b(?:beschreib|helf|anseh|identifizier|analysier|bereitstell)',
  'als (?:ki|künstliche intelligenz|sprachmodell)\\b',
  "(?:je suis |je m'excuse|désolée?)[^.!?]*\\bje ne (?:peux|suis)\\b[^.!?]*\\bpas\\b",
  "je ne (?:peux|suis) pas (?:en mesure |capable )?(?:de |d')?(?:décrire|aider|voir|fournir|identifier|analyser|vous)",
  "en tant qu(?:e |')(?:ia|intelligence artificielle|modèle de langage|assistant)",
  '(?:lo siento|lamentablemente|disculp\\w+)[^.!?]*\\bno (?:puedo|es posible|tengo)\\b',
  'no puedo (?:ayudar|describir|ver|proporcionar|identificar|analizar|procesar)',
  'como (?:una? )?(?:ia|inteligencia artificial|modelo de lenguaje|modelo de linguagem|inteligência artificial)\\b',
  '(?:desculp\\w+|lamento|infelizmente|sinto muito)[^.!?]*\\bnão (?:posso|consigo|é possível)\\b',
  '(?:mi dispiace|purtroppo)[^.!?]*\\bnon (?:posso|sono in grado|è possibile)',
  '(?:извин\\p{L}*|простите|к сожалению)[^.!?]*не (?:могу|имею|в состоянии)',
  'я не могу (?:описать|помочь|увидеть|просмотреть|предоставить|определить)',
  'как (?:ии|искусственный интеллект|языковая модель)(?!\\p{L})'
]
const greeting = '(?:(?:hello|hi|oh|no|well|thank you[^.,!]*)[,!.]? )?'
const refusal = new RegExp(`^[^\\p{L}]*${greeting}(?:${[...english, ...others].join('|')})`, 'u')
/** Nothing but a model says this of itself. */
const confession = /\bas an? (?:ai|large|artificial) (?:language |intelligence )?(?:model|assistant)\b/u
/** Sentences at a caption's beginning that may be a refusal's first. */
const firstSentences = 2

/** Whether a text is a model's refusal to caption. Words in quotation marks are somebody else's. */
export function isRefusal(text: string): boolean {
  const own = unquoted(text)
  // Capitals tell initials from ends of sentences.
  return sentences(own, firstSentences).some((one) => refusal.test(small(one))) || confession.test(small(own))
}

function small(text: string): string {
  return text.toLowerCase().replaceAll('’', "'")
}
