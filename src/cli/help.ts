import type { Help, Command, Option } from 'commander'

/** What a command's help says after its options. */
export interface HelpText {
  /** Two command lines, without the name of the program. */
  examples: [string, string]
  /** Lines of at most 78 columns. */
  exitCodes?: string[]
}

/**
 * Gives a command a help that fits a screen: its usual options in one list, two examples, its exit codes. Where it has
 * other options, hidden ones, `--help-all` shows them too, all in their groups.
 */
export function addHelp(command: Command, { examples, exitCodes = [] }: HelpText): Command {
  const codes = exitCodes.map((line, index) => (index === 0 ? `Exit codes: ${line}` : `  ${line}`))
  const after = ['', 'Examples:', ...examples.map((line) => `  npx vcap-native ${line}`), ...codes]
  command.helpOption('-h, --help', 'this help').addHelpText('after', after.join('\n'))
  command.configureHelp({ showGlobalOptions: false, groupItems: inOneGroup as Help['groupItems'] })
  if (!command.options.some(({ hidden }) => hidden)) return command
  return command.option('--help-all', 'every option').on('option:help-all', () => showAll(command))
}

/** Prints the help with every option, and ends the command as `--help` does. */
function showAll(command: Command): never {
  for (const option of command.options) option.hideHelp(false)
  command.configureHelp({ showGlobalOptions: false })
  command.help()
}

function inOneGroup(_: Option[], options: Option[]): Map<string, Option[]> {
  return new Map(options.length > 0 ? [['Options:', options]] : [])
}
