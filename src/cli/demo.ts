import path from 'node:path'
import Table from 'cli-table3'
import { Command } from 'commander'
import { writeSamples } from '../demo/samples'
import { exitCodes } from '../errors'
import { findVideoTools } from '../frames/tools'
import type { RunEvent } from '../run/events'
import { run } from '../run/run'
import { addFlags } from './flags'
import { addHelp } from './help'
import { untilInterrupted } from './interrupt'
import { textProgress } from './progress'

interface DemoFlags {
  out: string
  seed: number
}

const clips = 12
const images = 2

export function demoCommand(): Command {
  const command = new Command('demo').description(
    'make a few videos, caption them with the model that ships with the package'
  )
  addFlags(command, 'demo', { seed: 'other videos' })
  addHelp(command, { examples: ['demo', 'demo --out my-demo --seed 7'] })
  return command.action(async ({ out, seed }: DemoFlags) => {
    process.exitCode = await untilInterrupted((signal) => demo(path.resolve(out), seed, signal))
  })
}

async function demo(folder: string, seed: number, signal: AbortSignal): Promise<number> {
  const { ffmpeg } = findVideoTools(undefined)
  process.stderr.write(`Rendering ${clips} videos and ${images} images into ${folder}\n`)
  const { csv, samples } = await writeSamples({
    folder,
    clips,
    images,
    seed,
    ffmpeg,
    largest: 480,
    signal
  })
  const output = path.join(folder, 'captions.csv')
  const captions = new Map<string, string>()
  const progress = textProgress()
  const onEvent = (event: RunEvent) => {
    if (event.type === 'row') captions.set(event.path, event.error ?? event.text)
    progress.show(event)
  }
  const { failed } = await run(csv, output, { model: 'demo', gpus: 'none', restart: true, onEvent, signal }).finally(
    () => progress.stop()
  )
  const table = new Table({ head: ['file', 'size', 'caption', ''], style: { head: [], border: [], compact: true } })
  let right = 0
  for (const { path: file, scene, expected } of samples) {
    const caption = captions.get(file)
    if (caption === expected) right++
    table.push([
      file,
      `${scene.width} x ${scene.height}`,
      caption === expected ? caption : `${caption}\nexpected: ${expected}`,
      caption === expected ? 'right' : 'wrong'
    ])
  }
  process.stdout.write(`${table.toString()}\n${right} of ${samples.length} captions are right. They are in ${output}\n`)
  return failed === 0 ? exitCodes.ok : exitCodes.rowsFailed
}
