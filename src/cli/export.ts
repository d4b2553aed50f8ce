import { Command } from 'commander'
import { exportCaptions, type ExportOptions, type ExportSummary } from '../export/export'
import { addFlags, toOptions } from './flags'
import { addHelp } from './help'
import { untilInterrupted } from './interrupt'

export function exportCommand(): Command {
  const command = new Command('export')
    .description("what a trainer reads, made of a finished run's output")
    .argument('<output>', "a run's output, or any table with the columns path and text")
    .option('--json', 'print JSON')
  addFlags(command, 'export', {
    out: 'the dataset: a folder, or a file as the trainer names it',
    root: 'where relative paths start (default: as in the run)'
  })
  addHelp(command, {
    examples: ['export captions.csv --for musubi', 'export captions.csv --for hf-folder --kind video --out dataset']
  })
  return command.action(async (output: string, parsed: Record<string, unknown>) => {
    await untilInterrupted(async (signal) => {
      const made = await exportCaptions(output, {
        ...(toOptions(parsed, 'export') as unknown as ExportOptions),
        signal
      })
      process.stdout.write(parsed.json ? `${JSON.stringify(made)}\n` : `${made.files.join('\n')}\n`)
      for (const line of lines(made)) process.stderr.write(`${line}\n`)
    }, 'nothing was exported')
  })
}

function lines({ videos, images, failed, missing, otherKind, refused, linked, warnings }: ExportSummary): string[] {
  const left = [
    ...(failed > 0 ? [`${failed} without a caption`] : []),
    ...(missing > 0 ? [`${missing} whose file is not there`] : []),
    ...(otherKind > 0 ? [`${otherKind} of another kind`] : []),
    ...(refused > 0 ? [`${refused} with a name that the trainer cannot read`] : [])
  ]
  const exported = `${countOf(videos, 'video')} and ${countOf(images, 'image')} exported`
  return [
    left.length > 0 ? `${exported}; left out: ${left.join(', ')}` : exported,
    ...(linked > 0 ? [`${countOf(linked, 'link')} to files from elsewhere made in the dataset's folder`] : []),
    ...warnings.map((text) => `Warning: ${text}`)
  ]
}

function countOf(count: number, what: string): string {
  return count === 1 ? `1 ${what}` : `${count} ${what}s`
}
