export { bench, type BenchResult } from './bench'
export { captionVideo, loadCaptioner } from './captioner'
export type { Caption, Captioner, Embeddings, PathCaption, Timings, VideoCaption } from './captioner'
export { extractFrames } from './frames/extract'
export type { Frame } from './frames/sample'
export { plan, type Plan, type PlannedFrames } from './plan'
export { run, type RowStatus, type RowUsage, type RunEvent, type RunOptions, type RunSummary } from './run'
export { models, type ListedModel } from './models'
export { prompts, type PromptName } from './prompts'
export { VcapError, type ErrorCode } from './errors'
export type {
  BenchOptions,
  CaptionOptions,
  EmbedOptions,
  FrameOptions,
  ImageCaptionOptions,
  LoadOptions,
  PlanOptions
} from './options'
export type { NativeModelInfo as ModelInfo } from './native/addon'
export type { Picture } from './picture'
