import { z } from 'zod'
import { load, sampling } from './captioning'
import { parser } from './check'
import {
  answerFields,
  frameFields,
  inputFormat,
  loadFields,
  name,
  poolingFields,
  positive,
  promptFields,
  replicaFields,
  root
} from './fields'

const { model, mmproj, gpus, rpc, contextPerSequence, kvType, chatTemplate } = loadFields
const { anyres, maxTokens, prompt, presets } = answerFields
export const plan = z.strictObject({
  /** Devices instead of those that are there, such as `8x80GB` or `4xL40S`. */
  assume: z
    .array(z.string().regex(/^\s*\d{1,3}\s*x\s*[\w.]+\s*$/))
    .optional()
    .describe('list such as 8x80GB, 4x24GiB or 8xH100'),
  /** Sizes of frames, such as `1280x720`. */
  sizes: z
    .array(z.string().regex(/^[1-9]\d{0,4}x[1-9]\d{0,4}$/))
    .default(['1280x720', '720x1280', '640x480', '597x336'])
    .describe('list of sizes such as 1280x720'),
  tpSize: loadFields.tpSize,
  dpSize: replicaFields.dpSize,
  sequences: loadFields.sequences,
  splitMode: loadFields.splitMode,
  model,
  mmproj,
  gpus,
  rpc,
  prompt,
  presets,
  ...promptFields,
  numFrames: frameFields.numFrames,
  anyres,
  ...poolingFields,
  maxTokens,
  contextPerSequence,
  kvType,
  chatTemplate
})
export const bench = z.strictObject({
  ...load.shape,
  root,
  inputFormat,
  /** Captions made; the files take turns where they are fewer. Each file once when left out, up to 100. */
  clips: positive.max(1_000_000).optional().describe('integer between 1 and 1000000')
})
/** The demo's own options: where its files go, and which clips it draws. */
export const demo = z.strictObject({
  out: name.default('demo-out').describe('folder'),
  seed: answerFields.seed.default(1).describe('integer between 0 and 4294967295')
})

export type PlanOptions = z.input<typeof plan>
export type BenchOptions = z.input<typeof bench>
export const parsePlanOptions = parser(plan)
export const parseBenchOptions = parser(bench, sampling)
