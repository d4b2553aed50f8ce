import { Command } from 'commander'
import { bench, type BenchResult } from '../bench'
import { exitCodes } from '../errors'
import type { BenchOptions } from '../options'
import { DownloadProgress } from './download-progress'
import { addFlags, toOptions } from './flags'
import { addHelp } from './help'
import { untilInterrupted } from './interrupt'

export function benchCommand(): Command {
  const command = new Command('bench')
    .description('how fast a model captions clips here; without files, the demo model and its clips')
    .argument('[files...]', 'videos and images, or one CSV with a path column')
    .option('--json', 'print JSON')
  addFlags(command, 'bench')
  addHelp(command, {
    examples: ['bench', 'bench samples.csv --model demo --json'],
    exitCodes: ['0 every clip captioned; 2 usage or configuration; 3 some failed.']
  })
  return command.action(async (files: string[], parsed: Record<string, unknown>) => {
    const options = toOptions(parsed, 'bench') as BenchOptions
    if (files.length === 0 && command.getOptionValueSource('model') === 'default') options.model = 'demo'
    const download = new DownloadProgress()
    const onDownload = download.show
    const result = await untilInterrupted((signal) => bench(files, { ...options, onDownload, signal })).finally(() =>
      download.stop()
    )
    process.stdout.write(parsed.json ? `${JSON.stringify(result, null, 2)}\n` : describe(result))
    process.exitCode = result.failed === 0 ? exitCodes.ok : exitCodes.rowsFailed
  })
}

function describe({
  model,
  clips,
  failed,
  seconds,
  videosPerSecond,
  imageTokensPerSecond,
  outputTokensPerSecond,
  waited,
  peakMemory,
  milliseconds
}: BenchResult): string {
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`
  const steps = Object.entries(milliseconds)
    .map(([step, time]) => `${step} ${Math.round(time)}`)
    .join(', ')
  const lines = [
    ['model', `${model.name} on ${model.devices.join(', ') || 'CPU'}, ${model.sequences} captions at once`],
    ['captions', `${clips - failed} of ${clips} in ${seconds.toFixed(1)} s`],
    ['videos/s', videosPerSecond.toPrecision(3)],
    ['image tokens/s', imageTokensPerSecond.toFixed(0)],
    ['output tokens/s', outputTokensPerSecond.toFixed(1)],
    [
      'engine waited',
      `${percent(waited.idle)} of the time for frames; ${percent(waited.emptySlots)} of its slots stood empty for them`
    ],
    ['peak memory', `${(peakMemory / 1e6).toFixed(0)} MB`],
    ['each caption', `${steps} ms (medians)`]
  ]
  return lines.map(([name, value]) => `${name!.padEnd(16)}${value}\n`).join('')
}
