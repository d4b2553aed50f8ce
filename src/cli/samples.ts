import { Command } from 'commander'
import { exitCodes } from '../errors'
import { samples, type SamplesOptions, type SamplesSummary } from '../samples/samples'
import { FileProgress } from './file-progress'
import { addFlags, toOptions } from './flags'
import { addHelp } from './help'
import { untilInterrupted } from './interrupt'
import { thousands } from './run-lines'

export function samplesCommand(): Command {
  const command = new Command('samples')
    .description('write a table of the videos and images of a folder')
    .argument('<folder>', 'searched with all folders in it')
    .argument('<output.csv>', 'appears when all is done; - is standard output')
  addFlags(command, 'samples', { decoders: 'files read at once; 0: by the cores, or the CPU quota' })
  addHelp(command, {
    examples: ['samples clips samples.csv', 'samples clips samples.csv --relative --probe --min-side 64'],
    exitCodes: ['0 done; 2 usage or configuration, no output;', '3 done, some files could not be read.']
  })
  return command.action(async (folder: string, output: string, parsed: Record<string, unknown>) => {
    const progress = new FileProgress()
    const options: SamplesOptions = { ...toOptions(parsed, 'samples'), onEvent: progress.show }
    try {
      const summary = await untilInterrupted((signal) => samples(folder, output, { ...options, signal }))
      progress.stop()
      for (const line of describe(summary, options)) process.stderr.write(`${line}\n`)
      process.exitCode = summary.unreadable === 0 ? exitCodes.ok : exitCodes.rowsFailed
    } finally {
      progress.stop()
    }
  })
}

function count(number: number, what: string): string {
  return `${thousands(number)} ${what}${number === 1 ? '' : 's'}`
}

function describe(
  { output, videos, images, others, rows, unreadable, dropped }: SamplesSummary,
  options: SamplesOptions
) {
  const kinds = `${count(videos, 'video')} and ${count(images, 'image')}`
  const other = others > 0 ? `; ${count(others, 'file')} of other kinds` : ''
  const reasons = [
    [dropped.minFrames, `with fewer than ${count(options.minFrames ?? 0, 'frame')}`],
    [dropped.minSide, `with a side below ${count(options.minSide ?? 0, 'pixel')}`],
    [dropped.maxSeconds, `longer than ${options.maxSeconds} s`],
    [dropped.unreadable, 'that could not be read']
  ].flatMap(([files, why]) => (files ? [`${files} ${why}`] : []))
  const left = videos + images - rows
  const notRead = dropped.unreadable ? 0 : unreadable
  return [
    `${count(rows, 'row')} of ${kinds}${other}: ${output}`,
    ...(left > 0 ? [`Left out ${left}: ${reasons.join(', ')}`] : []),
    ...(notRead > 0 ? [`${count(notRead, 'file')} could not be read: empty cells`] : [])
  ]
}
