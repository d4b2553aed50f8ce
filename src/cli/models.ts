import fs from 'node:fs'
import Table from 'cli-table3'
import { Command } from 'commander'
import { formatBytes } from '../download-event'
import { asVcapError } from '../errors'
import { findModel, type ModelFiles } from '../models/find'
import { models, type ListedModel } from '../models/list'
import { removeModel } from '../models/remove'
import { addHelp } from './help'

/** One model as it stands here. */
interface Standing extends Omit<ListedModel, 'model' | 'mmproj'> {
  /** Its files; null where it is not here. */
  files: ModelFiles | null
  /** Bytes of both. */
  bytes: number | null
}

export function modelsCommand(): Command {
  const command = new Command('models')
    .description('the models that are known by name, and which of them are here')
    .option('--remove <name>', "remove a downloaded model from the hub's cache")
    .option('--json', 'print JSON')
  addHelp(command, { examples: ['models', 'models --json'], exitCodes: ['0; 2 there is no such model to remove.'] })
  return command.action(({ remove, json }: { remove?: string; json?: boolean }) => {
    if (remove !== undefined) {
      process.stdout.write(`${remove} is removed: ${formatBytes(removeModel(remove))} are free\n`)
      return
    }
    const standings = models.map(standingOf)
    process.stdout.write(json ? `${JSON.stringify(standings, null, 2)}\n` : `${tableOf(standings)}\n`)
  })
}

function standingOf(listed: ListedModel): Standing {
  const { model, mmproj, ...shown } = listed
  try {
    const files = findModel(listed.name, undefined)
    return { ...shown, files, bytes: fs.statSync(files.model).size + fs.statSync(files.mmproj).size }
  } catch (error) {
    if (asVcapError(error).code !== 'model_not_found') throw error
    return { ...shown, files: null, bytes: null }
  }
}

function tableOf(standings: Standing[]): string {
  const table = new Table({
    head: ['name', 'size', 'here', 'template', 'what'],
    style: { head: [], border: [], compact: true }
  })
  for (const { name, bytes, gigabytes, files, template, description } of standings) {
    const size = bytes === null ? `about ${gigabytes} GB` : formatBytes(bytes)
    table.push([name, size, files ? 'yes' : 'no', template, description])
  }
  return table.toString()
}
