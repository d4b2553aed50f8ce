import type { ModelFiles } from '../models/find'
import type { Addon, NativeModelFacts } from '../native/addon'
import type { LoadSettings } from '../options'
import { choosePooling } from '../pooling'
import { buildPrompt, columnsOf, eachQuestion, takesText } from '../prompts/question'

/** What decides how many positions a caption may take. */
export type ContextSettings = Pick<
  LoadSettings,
  | 'contextPerSequence'
  | 'chatTemplate'
  | 'numFrames'
  | 'anyres'
  | 'maxTokens'
  | 'prompt'
  | 'prompts'
  | 'presets'
  | 'text'
  | 'framePool'
  | 'framePoolMode'
  | 'framePoolPlace'
  | 'frameNewline'
>

/** Tokens that are kept for what rows put into a question. */
const cellTokens = 256

/**
 * Positions of each caption; 0: what the model was trained on. `auto` is as many as a row of these settings can take:
 * its frames at the most detail, the question and the answer, up to what the model was trained on.
 */
export function contextOf(
  addon: Addon,
  { model, mmproj }: ModelFiles,
  facts: NativeModelFacts,
  settings: ContextSettings
): number {
  const { contextPerSequence, chatTemplate, numFrames, anyres, maxTokens } = settings
  if (contextPerSequence !== 'auto') return contextPerSequence
  const { tileSize, pinpoints } = facts.vision
  const pooling = choosePooling(facts.vision, settings)
  // A picture that fills its grid keeps all of the grid's features.
  const most = [[tileSize, tileSize] as const, ...pinpoints].map(([width, height]) => {
    const frames = Array.from({ length: numFrames }, () => ({ width, height }))
    const detail = anyres === 'off' ? 'off' : 'full'
    return addon.fit(mmproj, frames, detail, 0, pooling).reduce((sum, { tokens }) => sum + tokens, 0)
  })
  // Several questions are asked one after another behind the same images.
  const questions = eachQuestion(settings).map(([, question]) => {
    const asked = buildPrompt(question, { images: numFrames, text: settings.text })
    const { before, after } = addon.promptTokens(model, mmproj, chatTemplate, asked)
    return before.length + after.length
  })
  const places = columnsOf(settings).length + (takesText(settings) && settings.text === undefined ? 1 : 0)
  const needed = Math.max(...most) + Math.max(...questions) + places * cellTokens + maxTokens
  return Math.min(needed, facts.contextTrained)
}
