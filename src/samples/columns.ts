import path from 'node:path'
import type { MediaFacts } from '../frames/probe'
import type { SamplesSettings } from '../options'
import type { Cell, ColumnType } from '../rows/cell'
import { doubleType, integerType, textType } from '../rows/json-types'

/** What a probe adds to a table, by the names that other tools for datasets use. */
const factTypes = {
  num_frames: integerType,
  height: integerType,
  width: integerType,
  aspect_ratio: doubleType,
  fps: doubleType,
  resolution: integerType,
  duration: doubleType
}
const factColumns = Object.keys(factTypes)

/** Which columns a table of samples has, and what is in them. */
export interface SampleColumns {
  columns: string[]
  types: ColumnType[]
  /** One row; `facts` where the file was read. */
  cells(file: string, facts: MediaFacts | undefined): Cell[]
}

/** Relative paths start at the folder of `output`, or where it has none at the working directory. */
export function chooseColumns(output: string, { relative, id, probe }: SamplesSettings): SampleColumns {
  const start = output === '-' ? process.cwd() : path.dirname(path.resolve(output))
  const texts = ['path', ...(id ? ['id'] : [])]
  const facts = probe ? Object.entries(factTypes) : []
  return {
    columns: [...texts, ...facts.map(([name]) => name)],
    types: [...texts.map(textType), ...facts.map(([name, type]) => type(name))],
    cells: (file, facts) => [
      relative ? path.relative(start, file) : file,
      ...(id ? [idOf(file)] : []),
      ...(probe ? factCells(facts) : [])
    ]
  }
}

/** A file's name without its ending. */
export function idOf(file: string): string {
  return path.basename(file, path.extname(file))
}

function factCells(facts: MediaFacts | undefined): Cell[] {
  if (!facts) return factColumns.map(() => null)
  const { length, width, height, fps } = facts
  const seconds = durationOf(facts)
  return [
    length,
    height,
    width,
    height / width,
    fps === undefined ? null : thousandths(fps),
    height * width,
    seconds === undefined ? null : thousandths(seconds)
  ]
}

/** Seconds that a video lasts; undefined for a still image, and where its file has no times. */
export function durationOf({ length, fps }: MediaFacts): number | undefined {
  return fps === undefined ? undefined : length / fps
}

function thousandths(value: number): number {
  return Math.round(value * 1000) / 1000
}
