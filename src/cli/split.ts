import { Command } from 'commander'
import type { SplitOptions } from '../options'
import { splitTable, type SplitSummary } from '../tables/split'
import { addFlags, toOptions } from './flags'
import { addHelp } from './help'
import { thousands } from './run-lines'
import { tell, withProgress } from './table-progress'

export function splitCommand(): Command {
  const command = new Command('split')
    .description('split a table into parts of rows that follow one another')
    .argument('<table>', '- is standard input')
    .requiredOption('-o, --output <pattern>', "the parts' names: {part} becomes the number, from 0")
    .option('--json', 'print what it came to as JSON')
  addFlags(command, 'split')
  addHelp(command, {
    examples: [
      "split samples.csv --parts 3 --output 'part-{part}.csv'",
      "split samples.csv --rows 2 --output 'part-{part}.csv'"
    ]
  })
  return command.action(async (table: string, parsed: { output: string; json?: boolean }) => {
    const options = toOptions(parsed, 'split') as SplitOptions
    const summary = await withProgress((work) => splitTable(table, parsed.output, { ...options, ...work }))
    tell(summary, describe(summary), parsed.json)
  })
}

function describe({ rows, parts, others }: SplitSummary): string[] {
  const sizes = parts.map((part) => part.rows)
  const [least, most] = [sizes.reduce((a, b) => Math.min(a, b)), sizes.reduce((a, b) => Math.max(a, b))]
  const each = least === most ? thousands(most) : `${thousands(least)} to ${thousands(most)}`
  return [
    `${thousands(rows)} rows in ${parts.length} parts of ${each}: ${parts[0]!.output} …`,
    ...(others.length > 0 ? [`also there, and none of these parts: ${others.slice(0, 5).join(', ')}`] : [])
  ]
}
