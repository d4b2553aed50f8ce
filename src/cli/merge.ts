import { Command } from 'commander'
import type { MergeOptions } from '../options'
import { mergeTables, type MergeSummary } from '../tables/merge'
import { addFlags, toOptions } from './flags'
import { addHelp } from './help'
import { countsOf, thousands } from './run-lines'
import { requireFreeStdout, tell, withProgress } from './table-progress'

export function mergeCommand(): Command {
  const command = new Command('merge')
    .description('put the shards of a run together, or tables one after another')
    .argument('<parts...>', 'their outputs; or the name of one output, for the shards beside it')
    .option('-o, --output <file>', 'appears when all is done; - is standard output')
    .option('--json', 'print what it came to as JSON')
  addFlags(command, 'merge')
  addHelp(command, {
    examples: ['merge monday.csv tuesday.csv --output week.csv', 'merge monday.csv tuesday.csv -o - | head -3'],
    exitCodes: ['0 merged; 2 a shard is missing, given twice, unfinished or', 'of another run; no output.']
  })
  return command.action(async (parts: string[], parsed: { output?: string; json?: boolean }) => {
    const options = toOptions(parsed, 'merge') as MergeOptions
    requireFreeStdout(parsed.output, parsed.json)
    const summary = await withProgress((work) => mergeTables(parts, parsed.output, { ...options, ...work }))
    tell(summary, describe(summary), parsed.json)
  })
}

function describe({ kind, output, rows, parts, statuses, flags }: MergeSummary): string[] {
  const what = kind === 'shards' ? 'shards of one run' : 'tables'
  const counts = statuses && Object.keys(statuses).length > 0 ? ` (${countsOf(statuses)})` : ''
  return [
    ...parts.map((part) => `${part.file}: ${thousands(part.rows)} rows`),
    `${parts.length} ${what}, ${thousands(rows)} rows${counts}: ${output}`,
    ...(flags && Object.keys(flags).length > 0 ? [`flagged: ${countsOf(flags)}`] : [])
  ]
}
