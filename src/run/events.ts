import type { CaptionerInfo, ReplicaState, RowCaption, RowStatus } from '../caption'

/** What a run came to. */
export interface RunSummary {
  input: string
  output: string
  rows: number
  /** Rows by status; those that did not occur are not there. */
  statuses: Partial<Record<RowStatus, number>>
  /** Rows without a caption. */
  failed: number
  /** Rows that this call did, failed ones among them; the others were done before. */
  captioned: number
  /** True where all had been done before, and nothing was written. */
  already: boolean
  /** Seconds that this call took. */
  seconds: number
  /** Tokens generated. */
  tokens: number
}

/** What a run tells while it goes. */
export type RunEvent =
  | { type: 'loading'; fraction: number }
  | { type: 'started'; input: string; output: string; captioner: CaptionerInfo }
  | { type: 'warning'; message: string }
  | { type: 'total'; rows: number }
  /** So many rows were done by an earlier run that this one continues. */
  | { type: 'resumed'; rows: number }
  /** How each replica stands, where there are several: every second, and when one is ready or lost. */
  | { type: 'replicas'; replicas: ReplicaState[] }
  /** In the order rows finish. `path` is the cell as it stands in the input. */
  | ({ type: 'row'; index: number; path: string } & RowCaption)
  | ({ type: 'finished' } & RunSummary)
