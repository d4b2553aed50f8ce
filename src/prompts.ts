/**
 * The presets by name; `{}` stands for the row's text. `image` and `video` are, to the letter, what the demo model was
 * trained on. Those with `text` weave in what the row already says about itself.
 */
export const prompts = {
  image:
    'Describe this image in detail: its subjects, setting, colours, composition and style. ' +
    'Answer in at most five sentences.',
  video:
    'These are frames of one video, in order. Describe the video in detail: its subjects, what they do, ' +
    'how they and the camera move, the setting, colours and style. Do not mention frames. ' +
    'Answer in at most six sentences.',
  'image-text':
    'This image came with the text "{}". Where the text agrees with what you see, use its names. ' +
    'Describe the image: its subjects, setting, colours, composition and style. Answer in at most five sentences.',
  'video-text':
    'These are frames of one video, in order, and it came with the text "{}". Where the text agrees with ' +
    'what you see, use its names. Describe the video: its subjects, what they do, how they and the camera move, ' +
    'the setting, colours and style. Do not mention frames. Answer in at most six sentences.',
  short: 'Say in one sentence what is shown and what happens.',
  tags: 'List up to ten comma-separated tags for what is shown: subjects, actions, place, style.'
} as const

export type PromptName = keyof typeof prompts

/** Whether a row's text goes into this prompt. */
export function takesText(prompt: string | undefined): boolean {
  return prompt !== undefined && template(prompt).includes('{}')
}

/** A preset's text, or the text itself. */
function template(prompt: string): string {
  return Object.hasOwn(prompts, prompt) ? prompts[prompt as PromptName] : prompt
}

/**
 * The question for `images` pictures: a preset by name, a text as it is, or by the kind of
 * media (`video` from two pictures on). Every `{}` becomes `text`, to the letter; missing
 * cells, which data frames write as `nan`, become nothing.
 */
export function buildPrompt(prompt: string | undefined, images: number, text: string | undefined): string {
  const name = prompt ?? (images > 1 ? 'video' : 'image')
  const filler = text === undefined || /^\s*(nan|none|null)?\s*$/i.test(text) ? '' : text.trim()
  return template(name).split('{}').join(filler)
}
