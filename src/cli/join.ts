import { Command } from 'commander'
import type { JoinOptions } from '../options'
import { joinTables, type JoinSummary } from '../tables/join'
import { addFlags, toOptions } from './flags'
import { addHelp } from './help'
import { thousands } from './run-lines'
import { requireFreeStdout, tell, withProgress } from './table-progress'

export function joinCommand(): Command {
  const command = new Command('join')
    .description('put columns of captions back on a table, by path')
    .argument('<table>', 'the rows and their order; - is standard input')
    .argument('<captions>', 'a table with the columns to take')
    .requiredOption('-o, --output <file>', 'appears when all is done; - is standard output')
    .option('--json', 'print what it came to as JSON')
  addFlags(command, 'join')
  addHelp(command, {
    examples: [
      'join samples.csv captions.csv --output both.csv',
      'join samples.csv captions.csv --columns text -o both.csv'
    ]
  })
  return command.action(async (table: string, captions: string, parsed: { output: string; json?: boolean }) => {
    const options = toOptions(parsed, 'join') as JoinOptions
    requireFreeStdout(parsed.output, parsed.json)
    const summary = await withProgress((work) => joinTables(table, captions, parsed.output, { ...options, ...work }))
    tell(summary, describe(summary), parsed.json)
  })
}

function describe(summary: JoinSummary): string[] {
  const { output, rows, matched, unmatched, unused, added, replaced, repeated } = summary
  const columns = [
    ...(added.length > 0 ? [`columns added: ${added.join(', ')}`] : []),
    ...(replaced.length > 0 ? [`columns replaced where there is a caption: ${replaced.join(', ')}`] : []),
    ...(added.length + replaced.length === 0 ? ['no column was added: --columns names those to take'] : [])
  ]
  const again = repeated.table + repeated.captions
  return [
    `${thousands(rows)} rows, ${thousands(matched)} with a row of the captions, ${thousands(unmatched)} without; ` +
      `${thousands(unused)} of the captions unused: ${output}`,
    ...columns,
    ...(again > 0
      ? [`rows whose key is there before: ${repeated.table} of the table, ${repeated.captions} of the captions`]
      : [])
  ]
}
