import type { InputFile } from './fault'

/** A file and what was read of its video. */
export interface Extent {
  file: InputFile
  /** Where the contents end: at the file's end, or where the zeros begin that fill it to its end. */
  dataEnd: number
  /** Frames that were read. */
  frames: number
  /** Seconds from the file's start at which the last frame ends; undefined where the frames have no times. */
  lastEnd: number | undefined
}

/** Says that the video ends before its promised end, both in seconds; undefined where it does not, or not clearly. */
export function endsEarly(lastEnd: number | undefined, promised: number | undefined): string | undefined {
  if (lastEnd === undefined || promised === undefined || !(promised > 0)) return undefined
  if (lastEnd >= promised - Math.max(0.1, promised * 0.01)) return undefined
  return `it ends at ${lastEnd.toFixed(1)} s of ${promised.toFixed(1)} s`
}
