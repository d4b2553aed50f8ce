import type { RowCaptioner } from '../caption'
import type { ApiOptions, RunOptions as RunFields } from '../options'
import type { RunEvent } from './events'

export interface RunOptions
  extends Omit<RunFields, 'api' | 'captioner' | 'onDownload' | 'onEvent' | 'onProgress' | 'text'> {
  /** Captions by a server that speaks OpenAI's chat completions, instead of a model that is loaded here. */
  api?: ApiOptions | undefined
  /**
   * Who captions, instead of a model that is loaded for this run: `captioner.rows(…)` of a loaded one, or your own. It
   * is used and left open. Options of loading and captioning are then without effect.
   */
  captioner?: RowCaptioner | undefined
  onEvent?: (event: RunEvent) => void
}
