import { unquoted } from './words'

/*
 * A caption of a video should not tell of the pictures that the model was given: "the first frame shows …". A frame is
 * also what a bicycle and a window have, and what a person enters: what is looked for are frames that are numbered, or
 * that show. The patterns are of texts in small letters, which are many times quicker to search.
 */

const ordinal =
  '(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|last|final|initial|middle|opening|closing|' +
  'next|following|subsequent|previous|1st|2nd|3rd|\\d+th)'
const number = '(?:\\d+|two|three|four|five|six|seven|eight|nine|ten|several|multiple)'
const shows =
  '(?:shows?|showing|depicts?|depicting|captures?|capturing|features?|featuring|displays?|displaying|illustrates?|' +
  'illustrating|presents?|presenting|portrays?|reveals?|focus(?:es)?|taken from|extracted from|(?:are|is) from)'
const frame = '(?:video |still )?frames?'
const picture = '(?:image|picture|photo|photograph|still|screenshot|snapshot)s?'
const either = `(?:${frame}|${picture})`
const every = '(?:each|every|all|these|both|all the|all of the|the different|the various)'
/** A frame that hangs, leans or is held is one of wood. */
const notHanging = '(?! (?:(?:that |which )?(?:is |are )?(?:hang|lean|mount)|on the (?:wall|left|right|table|shelf)))'
/** A frame of so many metres is none of a video. */
const notMeasured = '(?! ?(?:m|cm|mm|x|inch|inches|meters?|metres?|feet)\\b)'

const english = [
  `\\b(?:in|from|by|of|until|through) the ${ordinal} (?:\\w+ )?${either}\\b${notHanging}`,
  `\\bthe ${ordinal} (?:\\w+ )?${either} ${shows}\\b`,
  `\\bthe ${ordinal} ${frame} (?:is|are|has|have|we see|you see|of the (?:video|clip|sequence))\\b${notHanging}`,
  `(?:^|[.:;!?,*\\n(-] ?|\\b(?:in|from|by|to) )frames? #?(?:\\d+|one|two|three)${notMeasured}`,
  `\\b(?:in|across|throughout|between|over) (?:all |both |each )?(?:of )?(?:the |these |those )?${number} ${frame}\\b`,
  `\\b(?:these|those|all|each|every|both|${number}) (?:of the )?(?:\\w+ )?${frame} (?:${shows}|of (?:the|this) video)`,
  `\\b(?:in|across|throughout) ${every} (?:video )?frames?\\b`,
  '\\bframe (?:to|by) frame\\b',
  `\\b(?:sequence|series|set|succession) of (?:${number} )?(?:\\w+ )?${either},? (?:that |which )?${shows}\\b`,
  `^(?:these|the(?: ${number})?|${number}) (?:images|pictures|photos|stills|frames|video frames) (?:\\w+ )?${shows}\\b`
]
const others = [
  '第[一二三四五六七八九十两0-9]+(?:帧|幀|个画面|张圖|张图)|最后一(?:帧|幀|张图)|(?:每一|这些|這些|所有|各)(?:帧|幀)',
  '(?:最初|最後|次|[0-9０-９一二三]+(?:番|枚)目)の?(?:フレーム|画像|コマ)|各フレーム|フレーム[0-9０-９]',
  '(?:첫|두|세|네|마지막)\\s?(?:번째)?\\s?프레임|각 프레임',
  '\\b(?:ersten?|zweiten?|dritten?|letzten?)[sn]? (?:einzelbild|frame|bild) (?:zeigt|zeigen|sieht|ist zu|sind zu)',
  '\\bim (?:ersten|zweiten|dritten|letzten) (?:einzelbild|frame|bild)\\b',
  '\\bla (?:première|deuxième|troisième|dernière) image (?:montre|présente|de la vidéo)\\b',
  '\\bdans la (?:première|deuxième|troisième|dernière) image\\b',
  '(?<!\\p{L})(?:primer|segundo|tercer|último) (?:fotograma|cuadro de)\\b',
  '\\ben la (?:primera|segunda|tercera|última) imagen\\b',
  '(?<!\\p{L})(?:primeiro|segundo|terceiro|último) (?:quadro|frame) (?:mostra|do vídeo)',
  '\\bna (?:primeira|segunda|terceira|última) imagem\\b',
  '\\b(?:primo|secondo|terzo|ultimo) fotogramma\\b|\\bnella (?:prima|seconda|terza|ultima) immagine\\b',
  '(?:перв|втор|треть|последн)\\p{L}* кадр'
]
const numbered = new RegExp([...english, ...others].join('|'), 'u')

/** One of these stands in each of them: nearly every caption is done with here. */
const named = new RegExp(
  'frame|image|picture|photo|still|screenshot|snapshot|bild|fotogram|imagen|imagem|immagin|cuadro|quadro|кадр|' +
    '帧|幀|张圖|张图|个画面|フレーム|画像|コマ|프레임',
  'u'
)

/** "The frame shows …", which may be said of a bicycle's too, where such a thing was spoken of. */
const showing = new RegExp(`(?:^|[.!?] )the frames? ${shows}\\b`, 'u')
const things = 'bike|bicycle|motorcycle|window|door|mirror|glasses|bed|painting|picture'
const materials = 'photo|eyeglass|metal|wooden|wood|steel|carbon|gold|golden|silver|ornate|empty'
const thing = new RegExp(
  `\\b(?:${things}|${materials})[- ]frames?\\b|\\bframes? of (?:the|an?|his|her|their) (?:${things})|` +
    '\\b(?:bike|bicycle|mirror|painting|glasses)\\b',
  'u'
)

/** Whether a text tells of frames as the pictures that a model was given. */
export function hasFrameWording(text: string): boolean {
  const lower = text.toLowerCase()
  if (!named.test(lower)) return false
  const own = unquoted(lower).replaceAll('**', '')
  return numbered.test(own) || (showing.test(own) && !thing.test(own))
}
