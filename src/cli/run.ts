import { Command } from 'commander'
import { exitCodes } from '../errors'
import { run, type RunOptions } from '../run/run'
import { addFlags, toOptions } from './flags'
import { exitCodeOf, untilInterrupted } from './interrupt'
import { jsonProgress, textProgress } from './progress'

export function runCommand(): Command {
  const command = new Command('run')
    .description('caption the videos and images of a CSV with a path column')
    .argument('<input.csv>', 'the table; - is standard input')
    .argument('<output.csv>', 'appears when all is done; - is standard output')
    .option('--json', 'one JSON object an event on stderr instead of a bar (docs/events.md)')
  addFlags(command, 'run')
  command.option('--fail-fast', 'stop at the first failed row: --max-failures 0')
  return command
    .addHelpText(
      'after',
      '\nExit codes: 0 every row captioned; 2 usage or configuration, no output; 3 finished, some rows failed;' +
        '\n75 stopped by a fault that a rerun may pass; 129, 130, 143 stopped by a hangup, Ctrl-C or SIGTERM.'
    )
    .action(async (input: string, output: string, parsed: Record<string, unknown>) => {
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
