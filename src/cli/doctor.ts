import { spawnSync } from 'node:child_process'
import { Command } from 'commander'
import { cpus } from '../cpus'
import { asVcapError, exitCodes } from '../errors'
import { loadLibav } from '../frames/libav'
import { findFfmpeg, hasNodeAv } from '../frames/tools'
import { findModel } from '../models/find'
import { models, type ListedModel } from '../models/list'
import type { NativeBuild, NativeDevice, NativeLibrary } from '../native/addon'
import type { AddonPlace, PassedOver } from '../native/addon-place'
import { loadAddon, loadedAddon } from '../native/load'
import { nodeTooOld } from '../package'
import { loadSharp } from '../sharp'
import { addHelp } from './help'

/** One thing looked at. */
interface Finding {
  name: string
  /** `absent`: not there, and only some commands need it. */
  state: 'ok' | 'absent' | 'broken'
  detail: string
  /** Of an addon: where it comes from, its file, and the level of x86-64 that it is for. */
  origin?: string
  file?: string
  variant?: string
}

export function doctorCommand(): Command {
  const command = new Command('doctor')
    .description('what is there, what is missing, and the remedy')
    .option('--json', 'print JSON')
  addHelp(command, { examples: ['doctor', 'doctor --json'], exitCodes: ['0 nothing is broken; 2 something is.'] })
  return command.action(async ({ json }: { json?: boolean }) => {
    const findings = [
      node(),
      processors(),
      ...addonAndDevices(),
      ...(await videoTools()),
      images(),
      ...models.map(modelFiles)
    ]
    if (json) process.stdout.write(`${JSON.stringify(findings, null, 2)}\n`)
    else for (const finding of findings) process.stdout.write(line(finding))
    process.exitCode = findings.some(({ state }) => state === 'broken') ? exitCodes.usage : exitCodes.ok
  })
}

function line({ name, state, detail }: Finding): string {
  const [first, ...more] = detail.split('\n')
  return (
    [`${state.padEnd(7)} ${name.padEnd(21)} ${first}`, ...more.map((text) => `${' '.repeat(30)}${text}`)].join('\n') +
    '\n'
  )
}

function node(): Finding {
  const tooOld = nodeTooOld()
  return { name: 'node', state: tooOld ? 'broken' : 'ok', detail: tooOld ?? process.versions.node }
}

function processors(): Finding {
  const { allowed, quota, threads } = cpus()
  const limit = quota === undefined ? '' : `, quota ${Number(quota.toFixed(2))}`
  return { name: 'CPUs', state: 'ok', detail: `${allowed}${limit}: ${threads} ${threads === 1 ? 'thread' : 'threads'}` }
}

function addonAndDevices(): Finding[] {
  try {
    const { addon, place, passedOver } = loadedAddon()
    const { build } = addon
    const detail = `llama.cpp ${build.llamaCpp}, ${build.backends.join(', ')}\n${placeOf(place)}`
    return [
      { name: 'addon', state: 'ok', detail, ...place },
      ...passedOver.filter(({ absent }) => !absent).map(notTaken),
      ...withoutGpu(build),
      ...build.cudaLibraries.map(cudaLibrary),
      ...addon.devices([]).map(device)
    ]
  } catch (error) {
    return [{ name: 'addon', state: 'broken', detail: asVcapError(error).message }]
  }
}

function placeOf({ origin, file, variant }: AddonPlace): string {
  return `${origin}${variant === undefined ? '' : ` for ${variant}`}: ${file}`
}

/** An addon that would have come first, and is there for a purpose: the next one serves. */
function notTaken({ origin, file, reason, remedy }: PassedOver): Finding {
  const lines = [`${file === undefined ? '' : `${file}: `}${reason}`, ...(remedy === undefined ? [] : [remedy])]
  return {
    name: origin.replace('@vcap-native/', ''),
    state: 'absent',
    detail: lines.join('\n'),
    origin,
    ...(file === undefined ? {} : { file })
  }
}

/** An addon with CUDA that finds no GPU: the CPU serves. */
function withoutGpu({ whyNoCudaGpu }: NativeBuild): Finding[] {
  return whyNoCudaGpu === '' ? [] : [{ name: 'CUDA', state: 'absent', detail: `built with CUDA, ${whyNoCudaGpu}` }]
}

/** Without cuBLAS the CPU serves; without NCCL several GPUs work slower. */
function cudaLibrary({ name, version, path, problem }: NativeLibrary): Finding {
  return problem === undefined
    ? { name, state: 'ok', detail: `${version}, ${path}` }
    : { name, state: 'absent', detail: problem }
}

function device({ name, description, memoryTotal, problem }: NativeDevice): Finding {
  if (problem !== undefined) return { name, state: 'broken', detail: problem }
  const memory = memoryTotal > 0 ? `, ${(memoryTotal / 2 ** 30).toFixed(1)} GiB` : ''
  return { name, state: 'ok', detail: `${description}${memory}` }
}

function images(): Finding {
  try {
    return { name: 'sharp', state: 'ok', detail: loadSharp().versions.sharp ?? 'loads' }
  } catch (error) {
    return { name: 'sharp', state: 'broken', detail: asVcapError(error).message }
  }
}

/** One of the two is enough. */
async function videoTools(): Promise<Finding[]> {
  const [libraries, command] = [await nodeAv(), ffmpeg()]
  if (libraries.state === 'ok' && !process.env.VCAP_FFMPEG && command.state === 'broken') command.state = 'absent'
  return [libraries, command]
}

async function nodeAv(): Promise<Finding> {
  if (!hasNodeAv())
    return { name: 'node-av', state: 'absent', detail: 'videos are decoded faster with it: npm install node-av' }
  try {
    const { lib } = await loadLibav()
    return { name: 'node-av', state: 'ok', detail: `FFmpeg ${lib.getFFmpegInfo().version}` }
  } catch (error) {
    return {
      name: 'node-av',
      state: 'absent',
      detail: `installed, but does not load here: ${asVcapError(error).message.split('\n')[0]}`
    }
  }
}

function ffmpeg(): Finding {
  try {
    const { path, from } = findFfmpeg(undefined)
    const { stdout, status } = spawnSync(path, ['-hide_banner', '-version'], { encoding: 'utf8' })
    const version = /^ffmpeg version (\S+)/.exec(stdout ?? '')?.[1]
    if (status !== 0 || !version)
      return { name: 'ffmpeg', state: 'broken', detail: `${path} does not run; name another with VCAP_FFMPEG` }
    return { name: 'ffmpeg', state: 'ok', detail: `${version}, ${path} (${from})` }
  } catch (error) {
    return { name: 'ffmpeg', state: 'broken', detail: asVcapError(error).message }
  }
}

function modelFiles({ name, shipped }: ListedModel): Finding {
  try {
    const { model, mmproj } = findModel(name, undefined)
    const { chatTemplate, chatTemplateReason, warnings } = loadAddon().inspect(model, mmproj, '')
    const detail = [
      model,
      mmproj,
      `prompt template ${chatTemplate}: ${chatTemplateReason}`,
      ...warnings.map((text) => `warning: ${text}`)
    ].join('\n')
    return { name, state: 'ok', detail }
  } catch (error) {
    const { code, message } = asVcapError(error)
    return { name, state: !shipped && code === 'model_not_found' ? 'absent' : 'broken', detail: message }
  }
}
