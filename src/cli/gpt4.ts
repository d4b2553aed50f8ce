import { Command, Option } from 'commander'
import { splitApiOptions } from '../options'
import { captionTable, exitCodesHelp } from './caption-table'
import { addFlags, toOptions } from './flags'
import { addHelp } from './help'

const keyWarning =
  'A key on the command line can be seen by others while the command starts, and stays in the history of the shell: ' +
  'use --key-file, or the variable OPENAI_API_KEY'

export function gpt4Command(): Command {
  const command = new Command('gpt4')
    .description("caption a table's or a folder's videos and images by OpenAI's API")
    .argument('<input>', 'a CSV with a column path, a folder, a video or image; - is stdin')
    .argument('<output>', 'appears when all is done; - is standard output')
    .option('--json', 'events as JSON lines on stderr instead of a bar')
  addFlags(command, 'gpt4', { seed: 'of the sampling; 0: none is asked for' })
  command.addOption(new Option('--fail-fast', 'stop at the first failed row: --max-failures 0').hideHelp())
  addHelp(command, {
    examples: [
      'gpt4 samples.csv captions.csv --key-file key.txt --max-cost 5',
      'gpt4 samples.csv out.csv --base-url http://localhost:8000/v1'
    ],
    exitCodes: exitCodesHelp
  })
  return command.action((input: string, output: string, parsed: Record<string, unknown>) => {
    const [api, options] = splitApiOptions(toOptions(parsed, 'gpt4'))
    return captionTable(input, output, { ...options, api }, parsed, api.key === undefined ? [] : [keyWarning])
  })
}
