import { Command, Option } from 'commander'
import { exitCodes } from '../errors'
import { run, type RunOptions } from '../run/run'
import { addFlags, toOptions } from './flags'
import { addHelp } from './help'
import { exitCodeOf, untilInterrupted } from './interrupt'
import { jsonProgress, textProgress } from './progress'

export function runCommand(): Command {
  const command = new Command('run')
    .description('caption the videos and images of a CSV with a path column')
    .argument('<input.csv>', 'the table; - is standard input')
    .argument('<output.csv>', 'appears when all is done; - is standard output')
    .option('--json', 'events as JSON lines on stderr instead of a bar')
  addFlags(command, 'run')
  command.addOption(new Option('--fail-fast', 'stop at the first failed row: --max-failures 0').hideHelp())
  addHelp(command, {
    examples: ['run samples.csv captions.csv --model demo', 'run samples.csv captions.csv --gpus 0-7 --num-frames 3'],
    exitCodes: [
      '0 every row captioned; 2 usage or configuration, no output;',
      '3 finished, some rows failed; 75 stopped by a fault that a rerun may pass;',
      '129, 130, 143 stopped by a hangup, Ctrl-C or SIGTERM.'
    ]
  })
  return command.action(async (input: string, output: string, parsed: Record<string, unknown>) => {
    const options = toOptions(parsed) as RunOptions
    if (parsed.failFast) options.maxFailures = 0
    const progress = parsed.json ? jsonProgress() : textProgress()
    try {
      const { failed } = await untilInterrupted(
        (signal) => run(input, output, { ...options, onEvent: progress.show, signal }),
        'what was captioned is kept, and the same command goes on'
      )
      process.exitCode = failed === 0 ? exitCodes.ok : exitCodes.rowsFailed
    } catch (error) {
      if (!progress.endTold || process.env.VCAP_DEBUG) throw error
      process.exitCode = exitCodeOf(error)
    } finally {
      progress.stop()
    }
  })
}
