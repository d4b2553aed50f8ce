import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { Command } from 'commander'
import { asVcapError, exitCodes } from '../errors'
import { loadLibav } from '../frames/libav'
import { findFfmpeg, hasNodeAv } from '../frames/tools'
import { listedFiles, models } from '../models'
import { loadAddon } from '../native/load'

/** One thing looked at. */
interface Finding {
  name: string
  /** `absent`: not there, and only some commands need it. */
  state: 'ok' | 'absent' | 'broken'
  detail: string
}

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('what is there, what is missing, and the remedy')
    .option('--json', 'print JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const findings = [node(), ...addonAndDevices(), ...(await videoTools()), ...modelFiles()]
      if (json) process.stdout.write(`${JSON.stringify(findings, null, 2)}\n`)
      else for (const finding of findings) process.stdout.write(line(finding))
      process.exitCode = findings.some(({ state }) => state === 'broken') ? exitCodes.usage : exitCodes.ok
    })
}

function line({ name, state, detail }: Finding): string {
  const [first, ...more] = detail.split('\n')
  return (
    [`${state.padEnd(7)} ${name.padEnd(15)} ${first}`, ...more.map((text) => `${' '.repeat(24)}${text}`)].join('\n') +
    '\n'
  )
}

function node(): Finding {
  const major = Number(process.versions.node.split('.')[0])
  return {
    name: 'node',
    state: major >= 20 ? 'ok' : 'broken',
    detail: major >= 20 ? process.versions.node : `${process.versions.node}: Node 20 or newer is needed`
  }
}

function addonAndDevices(): Finding[] {
  try {
    const { build, devices } = loadAddon()
    const found = devices([]).map(({ name, description, memoryTotal }) => ({
      name,
      state: 'ok' as const,
      detail: memoryTotal > 0 ? `${description}, ${(memoryTotal / 2 ** 30).toFixed(1)} GiB` : description
    }))
    return [
      { name: 'addon', state: 'ok', detail: `llama.cpp ${build.llamaCpp}, ${build.backends.join(', ')}` },
      ...found
    ]
  } catch (error) {
    return [{ name: 'addon', state: 'broken', detail: asVcapError(error).message }]
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

function modelFiles(): Finding[] {
  return models.map((listed) => {
    const files = Object.values(listedFiles(listed))
    const absent = files.filter((file) => !fs.existsSync(file))
    const name = listed.name
    if (absent.length > 0)
      return {
        name,
        state: listed.shipped ? 'broken' : 'absent',
        detail: absent.map((file) => `expected ${file}`).join('\n')
      }
    try {
      const { model, mmproj } = listedFiles(listed)
      const { chatTemplate, chatTemplateReason, warnings } = loadAddon().inspect(model, mmproj, '')
      return {
        name,
        state: 'ok',
        detail: [
          ...files,
          `prompt template ${chatTemplate}: ${chatTemplateReason}`,
          ...warnings.map((text) => `warning: ${text}`)
        ].join('\n')
      }
    } catch (error) {
      return { name, state: 'broken', detail: asVcapError(error).message }
    }
  })
}
