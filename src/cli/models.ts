import fs from 'node:fs'
import Table from 'cli-table3'
import { Command } from 'commander'
import { findDevices } from '../devices/find'
import { fitModel, type Fit } from '../devices/fit'
import type { ModelSizes } from '../devices/memory'
import type { FoundDevices } from '../devices/sets'
import { formatBytes } from '../download-event'
import { asVcapError } from '../errors'
import { findModel, type ModelFiles } from '../models/find'
import { models, sizeOnHub, type ListedModel } from '../models/list'
import { removeModel } from '../models/remove'
import { partsOf } from '../models/source'
import { loadAddon } from '../native/load'
import { addHelp } from './help'

/** One model as it stands here. */
interface Standing extends Omit<ListedModel, 'model' | 'mmproj'> {
  /** Its files; null where it is not here. */
  files: ModelFiles | null
  /** Bytes of both. */
  bytes: number | null
  /** How it fits the devices here; null where that is not known. */
  fit: Fit | null
  /** Why files that are here cannot be used. */
  problem?: string
}

/** What decides how a model fits. */
interface Machine {
  addon: ReturnType<typeof loadAddon>
  found: FoundDevices
}

export function modelsCommand(): Command {
  const command = new Command('models')
    .description('the models that are known by name, which of them are here, and how they fit the devices')
    .option('--remove <model>', "remove a downloaded one, or hf:OWNER/REPO[:FILE], from the hub's cache")
    .option('--json', 'print JSON')
  addHelp(command, { examples: ['models', 'models --json'], exitCodes: ['0; 2 there is no such model to remove.'] })
  return command.action(async ({ remove, json }: { remove?: string; json?: boolean }) => {
    if (remove !== undefined) {
      process.stdout.write(`${remove} is removed: ${formatBytes(removeModel(remove))} are free\n`)
      return
    }
    const machine = await findMachine()
    const standings = models.map((listed) => standingOf(listed, typeof machine === 'string' ? undefined : machine))
    const text = json
      ? JSON.stringify(standings, null, 2)
      : [tableOf(standings), ...notes(standings, machine)].join('\n')
    process.stdout.write(`${text}\n`)
  })
}

/** The list does not depend on it: where there is none, the reason comes back. */
async function findMachine(): Promise<Machine | string> {
  try {
    return { addon: loadAddon(), found: await findDevices([], undefined) }
  } catch (error) {
    return asVcapError(error).message.split('\n')[0]!
  }
}

function standingOf(listed: ListedModel, machine: Machine | undefined): Standing {
  const { model, mmproj, ...shown } = listed
  const files = whereItIs(listed)
  const bytes = files && bytesOf([...partsOf(files.model), files.mmproj])
  try {
    const sizes = machine && sizesOf(listed, files, machine)
    const fit = machine && sizes ? fitModel(sizes, machine.addon.build, machine.found) : null
    return { ...shown, files, bytes, fit }
  } catch (error) {
    return { ...shown, files, bytes, fit: null, problem: asVcapError(error).message }
  }
}

function whereItIs({ name }: ListedModel): ModelFiles | null {
  try {
    return findModel(name, undefined)
  } catch (error) {
    if (asVcapError(error).code !== 'model_not_found') throw error
    return null
  }
}

function bytesOf(files: string[]): number {
  return files.reduce((sum, file) => sum + fs.statSync(file).size, 0)
}

/** By the files' headers where they are here, by the list where they are not. */
function sizesOf(listed: ListedModel, files: ModelFiles | null, { addon }: Machine): ModelSizes | undefined {
  if (files) return addon.inspect(files.model, files.mmproj, '')
  const size = sizeOnHub(listed)
  return size && listed.context && { modelBytes: size.bytes, mmprojBytes: 0, ...listed.context }
}

function tableOf(standings: Standing[]): string {
  const table = new Table({
    head: ['name', 'size', 'here', 'at once', 'template'],
    style: { head: [], border: [], compact: true },
    colAligns: ['left', 'right', 'left', 'left', 'left']
  })
  for (const standing of standings) {
    const { name, files, template } = standing
    table.push([name, sizeText(standing), files ? 'yes' : 'no', fitText(standing), template])
  }
  return table.toString()
}

function sizeText(standing: Standing): string {
  if (standing.bytes !== null) return shortBytes(standing.bytes)
  const size = sizeOnHub(standing)
  return size ? `${size.rounded ? '~' : ''}${shortBytes(size.bytes)}` : ''
}

function shortBytes(bytes: number): string {
  return bytes >= 1e8 ? `${(bytes / 1e9).toFixed(1)} GB` : formatBytes(bytes)
}

function fitText({ fit, problem }: Standing): string {
  if (problem !== undefined) return 'see below'
  if (!fit) return '?'
  const { sequences, tpSize, dpSize, missing, gpusNeeded } = fit
  if (sequences === 0) return gpusNeeded === undefined ? `lacks ${shortBytes(missing)}` : `needs ${gpusNeeded} GPUs`
  const each = tpSize > 1 ? `, ${tpSize} GPUs each` : ''
  return dpSize > 1 ? `${dpSize} × ${sequences}${each}` : `${sequences}${each}`
}

/** What the table cannot say. */
function notes(standings: Standing[], machine: Machine | string): string[] {
  const unchecked = standings.filter(({ source, files }) => {
    return source && !files && [source.model, source.mmproj].some((file) => !source.contents?.[file]?.sha256)
  })
  return [
    typeof machine === 'string'
      ? `What fits is not known, since the addon does not load: ${machine}`
      : `at once: captions beside the weights, each with the whole context, on ${devicesText(machine.found)}`,
    ...standings.flatMap(({ name, problem }) => (problem === undefined ? [] : [`${name}: ${problem}`])),
    ...(unchecked.length > 0
      ? [`checked at the download by the hub's own checksums: ${unchecked.map(({ name }) => name).join(', ')}`]
      : []),
    '`vcap-native pull NAME` downloads one; so does `run --model NAME`'
  ]
}

function devicesText({ local }: FoundDevices): string {
  const gpus = local.filter(({ type }) => type === 'gpu')
  const shown = gpus.length > 0 ? gpus : local.filter(({ type }) => type === 'cpu')
  const names = shown.map(({ description, memoryTotal }) => `${description} (${shortBytes(memoryTotal)})`)
  return [...new Set(names)]
    .map((name) => ({ name, count: names.filter((other) => other === name).length }))
    .map(({ name, count }) => (count > 1 ? `${count} × ${name}` : name))
    .join(', ')
}
