/** A container format and a codec in which clips are written. */
export interface ClipFormat {
  /** Extension of the file's name, which selects the container. */
  extension: string
  /** FFmpeg's name of the encoder. */
  encoder: string
  /** FFmpeg's options of the encoder. */
  options: Record<string, string>
}

/** Pictures that become a clip. */
export interface ClipFrames {
  /** Interleaved RGB, frame by frame. */
  frames: AsyncIterable<Uint8Array>
  width: number
  height: number
  fps: number
}

/** FFmpeg as an encoder: its command, or its libraries. */
export interface ClipEncoder {
  /** What it is, for error messages. */
  readonly name: string
  /** Whether it has the encoder of this name. */
  has(encoder: string): boolean
  /** Writes pictures into `file` as YUV 4:2:0. Rejects with `write_failed`, `ffmpeg_missing` or `aborted`. */
  write(file: string, clip: ClipFrames, format: ClipFormat, signal?: AbortSignal): Promise<void>
}
