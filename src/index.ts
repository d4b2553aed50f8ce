export { bench, type BenchResult } from './bench'
export type {
  BatchState,
  Caption,
  CaptionFlag,
  CaptionerInfo,
  Embeddings,
  EngineTime,
  PathCaption,
  ReplicaState,
  RowCaption,
  RowCaptioner,
  RowInput,
  RowStatus,
  RowUsage,
  Timings,
  VideoCaption
} from './caption'
export type { Captioner } from './captioner'
export { VcapError, type ErrorCode, type RowErrorCode } from './errors'
export { exportCaptions, type ExportOptions, type ExportSummary } from './export/export'
export { extractFrames } from './frames/extract'
export type { Frame } from './frames/sample'
export { listMedia, type MediaListing } from './rows/listing'
export { samples, type SamplesEvent, type SamplesOptions, type SamplesSummary } from './samples/samples'
export type { DropReason } from './samples/filters'
export { captionVideo, loadCaptioner } from './load'
export type { MemoryBudget } from './devices/memory'
export type { DownloadedEvent, DownloadEvent, DownloadingEvent, DownloadProgressEvent } from './download-event'
export { models, type HubSource, type ListedModel } from './models/list'
export type {
  NativeDevice as Device,
  NativeModelFacts as ModelFacts,
  NativeModelInfo as ModelInfo,
  NativeVision as VisionInfo
} from './native/addon'
export type {
  ApiOptions,
  BenchOptions,
  CaptionOptions,
  DiffOptions,
  EmbedOptions,
  FrameOptions,
  ImageCaptionOptions,
  ListOptions,
  JoinOptions,
  LoadOptions,
  MergeOptions,
  PlanOptions,
  ReplicaOptions,
  SplitOptions
} from './options'
export type { Picture } from './picture'
export type { Speed } from './devices/speed'
export { plan, type Plan, type PlannedFrames } from './plan'
export { presets, prompts, type MediaKind, type PromptName, type PromptPreset } from './prompts/presets'
export { readPrompts } from './prompts/prompt-file'
export { loadReplicas } from './replicas/open'
export type { ReplicaEvents } from './replicas/pool'
export type {
  BatchesEvent,
  BegunEvent,
  FinishedEvent,
  LoadingEvent,
  ReplicasEvent,
  ResumedEvent,
  RowEvent,
  RunEvent,
  RunSummary,
  ShardEvent,
  StartedEvent,
  StoppedEvent,
  StoppingEvent,
  TotalEvent,
  WarningEvent
} from './run/events'
export { run } from './run/run'
export type { RunOptions } from './run/run-options'
export { diffTables, type CellDifference, type TableDiff } from './tables/diff'
export { joinTables, type JoinSummary } from './tables/join'
export { mergeTables, type MergeSummary } from './tables/merge'
export { splitTable, type SplitSummary } from './tables/split'
export { readStatus, type JournalledRow, type RunStatus } from './run/status'
