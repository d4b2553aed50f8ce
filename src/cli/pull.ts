import { Command } from 'commander'
import { ensureModel } from '../models/ensure'
import { addHelp } from './help'
import { untilInterrupted } from './interrupt'
import type { DownloadProgressEvent } from '../download-event'
import { DownloadProgress } from './download-progress'

export function pullCommand(): Command {
  const command = new Command('pull')
    .description("download a model into the Hugging Face Hub's cache")
    .argument('<model>', 'a name of the list (`models`), hf:OWNER/REPO, or hf:OWNER/REPO:FILE')
    .option('--json', 'events as JSON lines on stderr instead of a bar')
  addHelp(command, {
    examples: ['pull llava-v1.6-34b', 'pull hf:cjpais/llava-1.6-mistral-7b-gguf'],
    exitCodes: ['0 it is here; 2 there is no such model; 75 it did not come.']
  })
  return command.action(async (model: string, { json }: { json?: boolean }) => {
    const progress = new DownloadProgress()
    const onEvent = json
      ? (event: DownloadProgressEvent) => void process.stderr.write(`${JSON.stringify(event)}\n`)
      : progress.show
    try {
      const kept = 'what came is kept, and the same command goes on'
      const files = await untilInterrupted(
        (signal) => ensureModel(model, undefined, { offline: false, signal, onEvent }),
        kept
      )
      progress.stop()
      process.stdout.write(`${files.model}\n${files.mmproj}\n`)
    } finally {
      progress.stop()
    }
  })
}
