import { Command } from 'commander'
import { VcapError } from '../errors'
import { presets, type PromptPreset } from '../prompts/presets'
import { readPrompts } from '../prompts/prompt-file'
import { addHelp } from './help'

export function promptsCommand(): Command {
  const command = new Command('prompts')
    .description('the presets by name, or the text of one')
    .argument('[name]', 'print the text of this preset')
    .option('--prompt-file <file>', 'those of this file instead')
  addHelp(command, { examples: ['prompts', 'prompts video-text'] })
  return command.action((name: string | undefined, { promptFile }: { promptFile?: string }) => {
    const known: Record<string, PromptPreset> = promptFile === undefined ? presets : readPrompts(promptFile)
    process.stdout.write(name === undefined ? list(known) : textOf(known, name))
  })
}

function list(known: Record<string, PromptPreset>): string {
  const width = Math.max(...Object.keys(known).map((name) => name.length))
  const line = ([name, { type, frames, text }]: [string, PromptPreset]) => {
    const about = [
      frames === undefined ? (type ?? 'any') : `${type ?? 'any'}, ${frames === 1 ? '1 frame' : `${frames} frames`}`,
      ...(text.includes('{}') ? ["takes the row's text"] : [])
    ]
    return `${name.padEnd(width)}  ${about.join('; ')}\n`
  }
  return Object.entries(known).map(line).join('')
}

function textOf(known: Record<string, PromptPreset>, name: string): string {
  if (Object.hasOwn(known, name)) return `${known[name]!.text}\n`
  throw new VcapError('usage', `No preset is named ${name}: there are ${Object.keys(known).join(', ')}`)
}
