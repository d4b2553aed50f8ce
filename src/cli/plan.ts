import Table from 'cli-table3'
import { Command } from 'commander'
import { plan, type Plan } from '../plan'
import type { NativePrompt, NativeToken } from '../native/addon'
import { addonWarnings } from '../native/load'
import type { PlanOptions } from '../options'
import { addFlags, toOptions } from './flags'
import { addHelp } from './help'

export function planCommand(): Command {
  const command = new Command('plan')
    .description('memory and captions at once for a model and devices, without loading it')
    .option('--json', 'print JSON')
  addFlags(command, 'plan', { prompt: 'print the tokens of this prompt as the model gets them: a preset or the text' })
  addHelp(command, {
    examples: ['plan --model demo --sizes 640x480', 'plan --assume 8x80GB --sizes 1280x720']
  })
  return command.action(async (parsed: Record<string, unknown>) => {
    const made = await plan(toOptions(parsed, 'plan') as PlanOptions)
    process.stdout.write(parsed.json ? `${JSON.stringify(made, null, 2)}\n` : describe(made))
  })
}

function describe(made: Plan): string {
  const { model, devices, contextPerSequence, memory, frames, prompt } = made
  const parameters =
    model.parameters >= 1e8 ? `${(model.parameters / 1e9).toFixed(2)} B` : `${(model.parameters / 1e6).toFixed(1)} M`
  const overTrained =
    contextPerSequence > model.contextTrained ? ` (trained on ${model.contextTrained}: quality beyond is unknown)` : ''
  return [
    `${model.name || 'model'}: ${parameters} parameters, ${model.layers} layers, ` +
      `${bytesFor(model.modelBytes)}; projector ${bytesFor(model.mmprojBytes)}`,
    `prompt template ${model.chatTemplate}: ${model.chatTemplateReason}`,
    `devices ${devices.map(({ name, memoryTotal }) => `${name} (${bytesFor(memoryTotal)})`).join(', ')}`,
    `--tp-size ${made.tpSize} --dp-size ${made.dpSize} --bs ${made.sequences}` +
      (made.processBytes === undefined ? '' : `: ${bytesFor(made.processBytes)} of memory for one process`),
    `context ${contextPerSequence} positions a caption${overTrained}, ` +
      `${(memory.kvPerPosition / 1024).toFixed(1)} KiB each; ` +
      `${bytesFor(memory.left)} left for them beside the weights${made.dpSize > 1 ? ' in each replica' : ''}`,
    ...(memory.left === 0
      ? ['The weights do not fit these devices: take more of them, or a smaller quantisation.']
      : []),
    ...[...addonWarnings(), ...model.warnings].map((text) => `warning: ${text}`),
    framesTable(frames),
    'ways to spend tokens on a video of the first size (--num-frames, --frame-pool, --anyres)',
    framesTable(made.alternatives),
    ...(made.ratesOf === undefined
      ? []
      : [
          `videos/s: by arithmetic, with the rates of ${made.ratesOf} and parts of them that are guesses (docs/gpus.md)`
        ]),
    ...(prompt ? describePrompt(prompt) : []),
    ''
  ].join('\n')
}

function bytesFor(bytes: number): string {
  return bytes >= 1e8 ? `${(bytes / 1e9).toFixed(1)} GB` : `${(bytes / 1e6).toFixed(1)} MB`
}

function framesTable(frames: Plan['frames']): string {
  const hasSpeed = frames.some(({ speed }) => speed)
  const table = new Table({
    head: ['frames', 'tiles', 'image tokens', 'positions', 'at once', 'in all', ...(hasSpeed ? ['videos/s'] : [])],
    style: { head: [], border: [] },
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right', 'left']
  })
  for (const row of frames) {
    const speed = row.speed ? `${row.speed.videosPerSecond.toPrecision(2)}, by ${row.speed.limit}` : ''
    table.push([
      `${row.frames} of ${row.width} x ${row.height}` +
        (row.framePool === undefined ? '' : `, pooled ${row.framePool} x ${row.framePool}`),
      ...[row.tiles, row.imageTokens, row.positions, row.sequences, row.sequencesInAll],
      ...(hasSpeed ? [speed] : [])
    ])
  }
  return table.toString()
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
