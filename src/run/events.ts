import type { BatchState, CaptionerInfo, ReplicaState, RowCaption, RowStatus } from '../caption'
import type { ErrorCode } from '../errors'
import type { DownloadEvent, DownloadedEvent, DownloadingEvent } from '../download-event'

/*
 * What a run tells. docs/events.md and docs/events.schema.json are made of these types and their docstrings
 * (`npm run api`). New events and new fields may come at any time; a change that a reader can trip over raises the
 * version.
 */

/** Of the events' form; the first event of each run has it. */
export const eventsVersion = 1

/** What became of the files beside the videos, of rows that have a caption. */
export interface SidecarCounts {
  /** Files that this call wrote. */
  written: number
  /** Files that were there and stayed as they were: they hold the caption already, or another one that is not ours. */
  kept: number
  /** Files that could not be written. */
  failed: number
  /** Rows without a file of their own, since another row's with another caption has the name. */
  shared: number
}

/** What a run came to. */
export interface RunSummary {
  /** The table as it was named. */
  input: string
  /** The output's absolute path. */
  output: string
  /** Rows of the table, or of this run's shard of it. */
  rows: number
  /** Rows by status; those that did not occur are not there. */
  statuses: Partial<Record<RowStatus, number>>
  /** Rows by flag, `duplicate` among them; those that did not occur are not there. */
  flags: Record<string, number>
  /** Captions that an edit (`clean`, `trimSentence`, `prefix`, `suffix`) changed; the journal has the whole answers. */
  edited: number
  /** Captions that were asked for once more since they were flagged, and those that the second answer replaced. */
  retried: number
  replaced: number
  /** Rows without a caption. */
  failed: number
  /** Rows that this call did, failed ones among them; the others were done before. */
  captioned: number
  /** True where all had been done before, and nothing was written. */
  already: boolean
  /** Seconds that this call took. */
  seconds: number
  /** Tokens generated for all rows. */
  tokens: number
  /** US dollars that all rows cost, as far as it is known; null where nobody can tell of any. */
  cost: number | null
  /** What became of the sidecars; left out where none were asked for. */
  sidecars?: SidecarCounts | undefined
  /** Seconds from the first row handed in to the last one's record: without loading, and without writing the output. */
  captioningSeconds: number
  /** Tokens that this call generated; divided by `captioningSeconds` it is the output tokens a second. */
  tokensMade: number
  /**
   * Share of `captioningSeconds` in which the engine computed, from 0 to 1, on average over several engines: the run's
   * output tokens a second over those of the engine alone. Null where the captioner does not tell.
   */
  engineShare: number | null
  /** Share of the engine's captions at once that it had work for while it computed, from 0 to 1. Null as above. */
  filledShare: number | null
}

/** The first event of every run. */
export interface BegunEvent {
  type: 'begun'
  /** The version of these events' form. */
  version: number
  /** The version of vcap-native. */
  package: string
  /** The table as it was named; `-` is standard input. */
  input: string
  /** The output as it was named; `-` is standard output. */
  output: string
}

/** This run takes one shard of the table. */
export interface ShardEvent {
  type: 'shard'
  /** Its number, from 0. */
  index: number
  /** How many there are. */
  count: number
  /** The environment variables that told it; null where the caller did. */
  from: string | null
  /** Rows of the shard, those that are done among them. */
  rows: number
  /** Rows of the whole table. */
  tableRows: number
  /** The shard's output as it is named. */
  output: string
}

/** Something that the user should know: of the table, the output, the journal, the model. */
export interface WarningEvent {
  type: 'warning'
  /** A sentence for people. */
  message: string
}

/** Before the captioner is opened, where an earlier run of this output is continued. */
export interface ResumedEvent {
  type: 'resumed'
  /** Rows that are done. */
  rows: number
}

/** While the model is loaded. */
export interface LoadingEvent {
  type: 'loading'
  /** Share of it that is loaded, from 0 to 1. */
  fraction: number
}

/** The captioner is ready. Not there where no row is left to caption. */
export interface StartedEvent {
  type: 'started'
  /** The table as it was named. */
  input: string
  /** The output's absolute path. */
  output: string
  /** What captions. */
  captioner: CaptionerInfo
}

/** After `started`. */
export interface TotalEvent {
  type: 'total'
  /** Rows of the table or of this run's shard, those that are done among them. */
  rows: number
}

/** How each replica stands, where there are several: every second, and when one is ready or lost. */
export interface ReplicasEvent {
  type: 'replicas'
  /** Each of them, by its number. */
  replicas: ReplicaState[]
}

/** How the batches at a server stand, where rows are captioned by such: each time that one was looked at. */
export interface BatchesEvent {
  type: 'batches'
  /** Those under way. */
  batches: BatchState[]
}

/** One row is done and its record is on the disk; in the order in which rows finish. */
export interface RowEvent extends RowCaption {
  type: 'row'
  /** The row's number in the table, from 0. */
  index: number
  /** The cell as it stands in the table. */
  path: string
}

/** The run was asked to stop: no row is begun any more. */
export interface StoppingEvent {
  type: 'stopping'
  /** Seconds that the captions under way may take. */
  grace: number
}

/** The last event of a run that ended before its end. What was captioned is kept. */
export interface StoppedEvent {
  type: 'stopped'
  /** As of the error that `run` throws; `aborted` where it was asked to stop. */
  code: ErrorCode
  /** A sentence for people. */
  message: string
}

/** The last event of a run that came to its end: the output is there. */
export interface FinishedEvent extends RunSummary {
  type: 'finished'
}

/** What a run tells while it goes. The first event is `begun`, the last `finished` or `stopped`. */
export type RunEvent =
  | BegunEvent
  | ShardEvent
  | WarningEvent
  | DownloadEvent
  | DownloadingEvent
  | DownloadedEvent
  | ResumedEvent
  | LoadingEvent
  | StartedEvent
  | TotalEvent
  | ReplicasEvent
  | BatchesEvent
  | RowEvent
  | StoppingEvent
  | StoppedEvent
  | FinishedEvent
