import { Command, Option } from 'commander'
import type { RunOptions } from '../run/run-options'
import { captionTable, exitCodesHelp } from './caption-table'
import { addFlags, toOptions } from './flags'
import { addHelp } from './help'

export function runCommand(): Command {
  const command = new Command('run')
    .description('caption the videos and images of a table, or of a folder')
    .argument('<input>', 'a CSV with a column path, a folder, a video or image; - is stdin')
    .argument('<output.csv>', 'appears when all is done; - is standard output')
    .option('--json', 'events as JSON lines on stderr instead of a bar')
  addFlags(command, 'run')
  command.addOption(new Option('--fail-fast', 'stop at the first failed row: --max-failures 0').hideHelp())
  addHelp(command, {
    examples: ['run samples.csv captions.csv --model demo', 'run samples.csv captions.csv --gpus 0-7 --num-frames 3'],
    exitCodes: exitCodesHelp
  })
  return command.action((input: string, output: string, parsed: Record<string, unknown>) =>
    captionTable(input, output, toOptions(parsed, 'run') as RunOptions, parsed)
  )
}
