/** What a row's file is: a picture, or frames in time. */
export type MediaKind = 'image' | 'video'

/** A question by name. */
export interface PromptPreset {
  /** `{}` takes the row's text, `{column}` its cell of that column; `{{` and `}}` are braces. */
  text: string
  /** What it asks about; anything when left out. A row of the other kind is asked its counterpart, if there is one. */
  type?: MediaKind | undefined
  /** Frames of a video that it speaks of: as many are sampled where nobody says how many. */
  frames?: number | undefined
}

const imageExamples = [
  'An old wooden rowing boat lies on a pebble beach at low tide, its blue paint flaking from the planks. A coil of ' +
    'rope hangs over the bow. Behind it the sea is flat and grey under a pale morning sky, and a thin mist hides the ' +
    'horizon. The picture is quiet and almost without colour, with a soft focus towards the edges.',
  'A baker in a white apron lifts four round loaves out of a brick oven with a long wooden peel. The fire lights his ' +
    'face and hands in orange, while the rest of the narrow room stays dark. Flour dust floats in the light. Seen ' +
    'from close by at the height of his elbows, with strong contrast, like a documentary photograph.',
  'Flat illustration of a small city tram on a steep street between tall houses in pink, ochre and green. Laundry ' +
    'hangs from the balconies, a grey cat sits on a step, and two children wave from the rear window. Clean ' +
    'outlines, bright even light and no shadows, in the manner of a picture book.'
]
const videoExamples = [
  'A young man on a red bicycle rides along a gravel road between fields of ripe wheat, away from the camera. His ' +
    'white shirt flutters and dust rises behind the wheels. The camera follows him at the height of the handlebars. ' +
    'The low evening sun stands to the left and gives the wheat a golden rim. Warm colours, calm steady movement.',
  'A glass teapot stands on a stone table while a hand pours boiling water over dried flowers. They sink, turn and ' +
    'slowly unfold, and the water changes from clear to amber. Steam drifts out of the top of the picture. The view ' +
    'stays fixed and very close, against a dark background that is out of focus, with soft light from the right.',
  'View from a drone over a harbour in winter. Fishing boats with yellow cabins lie side by side at a snow-covered ' +
    'pier, and a small tug breaks the thin ice on its way out, leaving a dark line of open water. The camera rises ' +
    'and tilts down until the boats look like toys. Cold blue light, sharp detail, an even and unhurried flight.'
]

/** Examples as one sentence each names them: `1. … 2. …`. */
const numbered = (examples: string[]) => examples.map((example, i) => `${i + 1}. ${example}`).join(' ')

const remake = 'detailed enough that the {kind} could be made again from your words alone'
const forImage = remake.replace('{kind}', 'image')
const forVideo = remake.replace('{kind}', 'video')
const aboutText = 'Some of what is known about it: "{}". '
const askVideo =
  'Describe the video and its style: every object and person in it, what they do, how they and the camera move, ' +
  `the setting, light and colours, ${forVideo}. `
const asOne = 'Tell it as one video: do not go through the frames one by one and do not mention them. '
const middleFrame = 'You see one frame, from the middle of a video. '
const threeFrames = 'You see three frames of one video, in the order of time. '
const sixSentences = 'Answer in at most six sentences.'

const imageWith = (examples: string[]) =>
  'Describe this image and its style briefly but fully: every object in it, the setting, light and colours, ' +
  `${forImage}. ` +
  `Answer in at most five sentences. Good descriptions look like these: ${numbered(examples)}`
const videoWith = (what: string, examples: string[]) =>
  `${what}${askVideo}${what === middleFrame ? '' : asOne}${sixSentences} ` +
  `Good descriptions look like these: ${numbered(examples)}`
const videoWithText = (what: string, examples: string[]) => videoWith(what, examples).replace(what, what + aboutText)

/**
 * The presets by name. `image` and `video` are, to the letter, what the demo model was trained on. Those with `text`
 * in their names weave in what the row already says about itself.
 */
export const presets = {
  image: {
    type: 'image',
    text:
      'Describe this image in detail: its subjects, setting, colours, composition and style. ' +
      'Answer in at most five sentences.'
  },
  'image-text': {
    type: 'image',
    text:
      'This image came with the text "{}". Where the text agrees with what you see, use its names. ' +
      'Describe the image: its subjects, setting, colours, composition and style. Answer in at most five sentences.'
  },
  'image-3ex': { type: 'image', text: imageWith(imageExamples) },
  video: {
    type: 'video',
    text:
      'These are frames of one video, in order. Describe the video in detail: its subjects, what they do, ' +
      'how they and the camera move, the setting, colours and style. Do not mention frames. ' +
      'Answer in at most six sentences.'
  },
  'video-text': {
    type: 'video',
    text:
      'These are frames of one video, in order, and it came with the text "{}". Where the text agrees with ' +
      'what you see, use its names. Describe the video: its subjects, what they do, how they and the camera move, ' +
      'the setting, colours and style. Do not mention frames. Answer in at most six sentences.'
  },
  'video-f1-detail-3ex': { type: 'video', frames: 1, text: videoWith(middleFrame, videoExamples) },
  'video-f1-detail-2ex-text': {
    type: 'video',
    frames: 1,
    text: videoWithText(middleFrame, videoExamples.slice(0, 2))
  },
  'video-f3-detail-3ex': { type: 'video', frames: 3, text: videoWith(threeFrames, videoExamples) },
  'video-f3-detail-2ex-text': {
    type: 'video',
    frames: 3,
    text: videoWithText(threeFrames, videoExamples.slice(0, 2))
  },
  short: { text: 'Say in one sentence what is shown and what happens.' },
  tags: { text: 'List up to ten comma-separated tags for what is shown: subjects, actions, place, style.' }
} satisfies Record<string, PromptPreset>

export type PromptName = keyof typeof presets

/** The presets' texts by name. */
export const prompts = Object.fromEntries(Object.entries(presets).map(([name, { text }]) => [name, text])) as Readonly<
  Record<PromptName, string>
>

/** What a row of the other kind is asked instead. */
const counterparts: Record<string, (images: number) => string> = {
  image: () => 'video',
  'image-text': () => 'video-text',
  'image-3ex': (images) => (images === 1 ? 'video-f1-detail-3ex' : 'video-f3-detail-3ex'),
  video: () => 'image',
  'video-text': () => 'image-text',
  'video-f1-detail-3ex': () => 'image-3ex',
  'video-f1-detail-2ex-text': () => 'image-text',
  'video-f3-detail-3ex': () => 'image-3ex',
  'video-f3-detail-2ex-text': () => 'image-text'
}

/** The name of what a row of the other kind is asked, by the preset's name; of no preset where there is none. */
export function counterpartOf(name: string, images: number): string {
  if (Object.hasOwn(counterparts, name)) return counterparts[name]!(images)
  return name.replace(/^(image|video)(?=-|$)/, (kind) => (kind === 'image' ? 'video' : 'image'))
}

/** The name of what a row without a text is asked; of no preset where there is none. */
export function textlessOf(name: string): string {
  return name.replace(/-2ex-text$/, '-3ex').replace(/-text$/, '')
}
