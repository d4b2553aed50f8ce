import type { NativeDevice, NativeLoadOptions, NativeModel } from './addon'

/** Where models are loaded: in this process, or in one of their own. */
export interface EngineHost {
  /** The devices there are. */
  readonly devices: NativeDevice[]
  /** Rejects with what the addon rejects with, and `aborted`. A model that is closed takes its process with it. */
  load(
    options: NativeLoadOptions,
    onProgress: (fraction: number) => void,
    signal: AbortSignal | undefined
  ): Promise<NativeModel>
  /** Ends the process, if there is one, and with it its model. */
  end(): void
}
