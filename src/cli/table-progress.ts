import type { SingleBar } from 'cli-progress'
import { VcapError } from '../errors'
import { startBar } from './bar'
import { oneLine } from './run-lines'
import { untilInterrupted } from './interrupt'

/** Rows of a table below which nothing is told of its progress: it takes a second at most. */
const rowsWorthTelling = 50_000
const millisecondsBetweenLines = 5000

/** What a tool for tables takes of the command. */
export interface TableWork {
  signal: AbortSignal
  onProgress: (rows: number, total: number) => void
}

/** Runs a tool for tables, with a bar on a terminal and a line every few seconds elsewhere, until a signal ends it. */
export async function withProgress<T>(work: (told: TableWork) => Promise<T>): Promise<T> {
  const bar = process.stderr.isTTY ? tableBar() : tableLines()
  try {
    return await untilInterrupted((signal) => work({ signal, onProgress: bar.show }))
  } finally {
    bar.stop()
  }
}

function tableBar() {
  let bar: SingleBar | undefined
  return {
    show: (rows: number, total: number) => {
      if (total < rowsWorthTelling) return
      bar ??= startBar('[{bar}] {value}/{total} rows', total, 0)
      bar.update(rows)
    },
    stop: () => bar?.stop()
  }
}

function tableLines() {
  let next = performance.now() + millisecondsBetweenLines
  return {
    show: (rows: number, total: number) => {
      if (performance.now() < next) return
      next = performance.now() + millisecondsBetweenLines
      process.stderr.write(`${rows}/${total} rows\n`)
    },
    stop: () => undefined
  }
}

/** Throws `usage` where an output and the summary would both go to standard output. */
export function requireFreeStdout(output: string | undefined, json: boolean | undefined): void {
  if (!json || output !== '-') return
  throw new VcapError('usage', '--json prints on standard output, and so does --output -: leave one of them')
}

/** Tells what a tool did: as JSON on standard output, or in lines, warnings first, beside it. */
export function tell(summary: { warnings: string[] }, lines: string[], json: boolean | undefined): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(summary)}\n`)
    return
  }
  for (const warning of summary.warnings) process.stderr.write(`${oneLine(`Warning: ${warning}`)}\n`)
  for (const line of lines) process.stderr.write(`${oneLine(line)}\n`)
}
