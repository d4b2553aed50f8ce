import Table from 'cli-table3'
import { Command } from 'commander'
import { plan, type Plan } from '../plan'
import type { NativePrompt, NativeToken } from '../native/addon'
import type { PlanOptions } from '../options'
import { addFlags, toOptions } from './flags'

export function planCommand(): Command {
  const command = new Command('plan')
    .description('memory and captions at once for a model and devices, without loading it')
    .option('--json', 'print JSON')
  addFlags(command, 'plan', { prompt: 'print the tokens of this prompt as the model gets them: a preset or the text' })
  return command.action(async (parsed: Record<string, unknown>) => {
    const made = await plan(toOptions(parsed) as PlanOptions)
    process.stdout.write(parsed.json ? `${JSON.stringify(made, null, 2)}\n` : describe(made))
  })
}

function describe({ model, devices, contextPerSequence, memory, frames, prompt }: Plan): string {
  const gigabytes = (bytes: number) =>
    bytes >= 1e8 ? `${(bytes / 1e9).toFixed(1)} GB` : `${(bytes / 1e6).toFixed(1)} MB`
  const parameters =
    model.parameters >= 1e8 ? `${(model.parameters / 1e9).toFixed(2)} B` : `${(model.parameters / 1e6).toFixed(1)} M`
  const table = new Table({
    head: ['frames', 'tiles', 'image tokens', 'positions', 'at once'],
    style: { head: [], border: [] },
    colAligns: ['left', 'right', 'right', 'right', 'right']
  })
  for (const { width, height, frames: count, tiles, imageTokens, positions, sequences } of frames) {
    table.push([`${count} of ${width} x ${height}`, tiles, imageTokens, positions, sequences])
  }
  const overTrained =
    contextPerSequence > model.contextTrained ? ` (trained on ${model.contextTrained}: quality beyond is unknown)` : ''
  return [
    `${model.name || 'model'}: ${parameters} parameters, ${model.layers} layers, ` +
      `${gigabytes(model.modelBytes)}; projector ${gigabytes(model.mmprojBytes)}`,
    `prompt template ${model.chatTemplate}: ${model.chatTemplateReason}`,
    `devices ${devices.map(({ name, memoryTotal }) => `${name} (${gigabytes(memoryTotal)})`).join(', ')}`,
    `context ${contextPerSequence} positions a caption${overTrained}, ` +
      `${(memory.kvPerPosition / 1024).toFixed(1)} KiB each; ` +
      `${gigabytes(memory.left)} left for them beside the weights`,
    ...(memory.left === 0
      ? ['The weights do not fit these devices: take more of them, or a smaller quantisation.']
      : []),
    ...model.warnings.map((text) => `warning: ${text}`),
    table.toString(),
    ...(prompt ? describePrompt(prompt) : []),
    ''
  ].join('\n')
}

/** Columns of a line of tokens. */
const columns = 100

/** Every token as its id and its spelling, in lines; where the images stand between them. */
function describePrompt({ before, after }: NativePrompt): string[] {
  return [
    `prompt of ${before.length + after.length} tokens, without the images'`,
    ...tokenLines(before),
    '  the images',
    ...tokenLines(after)
  ]
}

function tokenLines(tokens: NativeToken[]): string[] {
  const lines: string[] = []
  for (const { id, text } of tokens) {
    const token = `${id} ${JSON.stringify(text)}`
    const line = lines.at(-1)
    if (line === undefined || line.length + token.length + 2 > columns) lines.push(`  ${token}`)
    else lines[lines.length - 1] = `${line}  ${token}`
  }
  return lines
}
