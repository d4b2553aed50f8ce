import { z } from 'zod'
import { requireForm, type FormSettings } from '../form/form'
import { VcapError } from '../errors'
import { framesOf, type PromptSettings } from '../prompts/question'
import { parser } from './check'
import { answerFields, frameFields, loadFields, poolingFields, replicaFields } from './fields'

export const frames = z.strictObject(frameFields)
export const embed = z.strictObject({
  anyres: answerFields.anyres,
  ...poolingFields,
  signal: frameFields.signal
})
export const imageCaption = z.strictObject({ ...answerFields, ...poolingFields, signal: frameFields.signal })
export const caption = z.strictObject({ ...answerFields, ...poolingFields, ...frameFields })
export const load = z.strictObject({ ...loadFields, ...answerFields, ...poolingFields, ...frameFields })
export const replicas = z.strictObject({ ...load.shape, ...replicaFields })

export type FrameOptions = z.input<typeof frames>
export type EmbedOptions = z.input<typeof embed>
export type ImageCaptionOptions = z.input<typeof imageCaption>
export type CaptionOptions = z.input<typeof caption>
/**
 * Caption options given here are the defaults of every caption of the captioner. One that has a `prompt` or `prompts`,
 * a `jsonSchema` or `grammar` of its own has neither of the two by default.
 */
export type LoadOptions = z.input<typeof load>
/** As for one captioner; caption options are those of every row. */
export type ReplicaOptions = z.input<typeof replicas>

/** With the number of frames that is sampled where nobody says how many. */
export type Sampling<T> = Omit<T, 'numFrames'> & { numFrames: number }

export type PoolingSettings = Partial<Pick<z.output<typeof embed>, keyof typeof poolingFields>>
export type FrameSettings = Sampling<z.output<typeof frames>>
export type ImageCaptionSettings = z.output<typeof imageCaption>
export type CaptionSettings = Sampling<z.output<typeof caption>>
export type LoadSettings = Sampling<z.output<typeof load>>
export type ReplicaSettings = Sampling<z.output<typeof replicas>>

const defaultFrames = 3
/** Frames at most where a rate says how many. */
const defaultMostFrames = 32

interface Given extends PromptSettings, FormSettings {
  ignoreEos?: boolean | undefined
  numFrames?: number | undefined
  fps?: number | undefined
}

/** Throws `usage` where both one question and several are given, and for a form that is none. */
export function sampling<T extends Given>(settings: T): Sampling<T> {
  requireForm(settings)
  requireOneKind(settings)
  const { numFrames, fps } = settings
  if (numFrames !== undefined) return { ...settings, numFrames }
  return {
    ...settings,
    numFrames: framesOf(settings) ?? (fps === undefined ? defaultFrames : defaultMostFrames)
  }
}

function requireOneKind<T extends PromptSettings>(settings: T): T {
  if (settings.prompt === undefined || settings.prompts === undefined) return settings
  throw new VcapError('usage', 'Expected either prompt or prompts but received both')
}

export const parseFrameOptions = parser(frames, sampling)
export const parseEmbedOptions = parser(embed)
export const parseImageCaptionOptions = parser(imageCaption, (settings) => {
  requireForm(settings)
  return requireOneKind(settings)
})
export const parseCaptionOptions = parser(caption, sampling)
export const parseLoadOptions = parser(load, sampling)
export const parseReplicaOptions = parser(replicas, sampling)

/** Options of which one stands in the place of the other. */
const alternatives = [
  ['prompt', 'prompts'],
  ['jsonSchema', 'grammar']
] as const

/** The options of one caption over all's defaults: where it has one of two alternatives, neither's default holds. */
export function overDefaults(defaults: CaptionOptions, options: CaptionOptions | undefined): CaptionOptions {
  const replaced = alternatives.filter((pair) => pair.some((name) => options?.[name] !== undefined)).flat()
  const kept = Object.entries(defaults).filter(([name]) => !(replaced as string[]).includes(name))
  return { ...Object.fromEntries(kept), ...options }
}

/** The options among `options` that a single caption takes. */
export function pickCaptionOptions(options: LoadOptions): CaptionOptions {
  return Object.fromEntries(Object.entries(options).filter(([key]) => key in caption.shape))
}

/** The options among `options` that loading a captioner takes. */
export function pickLoadOptions(options: LoadOptions): LoadOptions {
  return Object.fromEntries(Object.entries(options).filter(([key]) => key in load.shape))
}

/** The options among `options` that replicas take. */
export function pickReplicaOptions(options: ReplicaOptions): ReplicaOptions {
  return Object.fromEntries(Object.entries(options).filter(([key]) => key in replicas.shape))
}
