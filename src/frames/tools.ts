import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { VcapError } from '../errors'

/** What can read videos on this machine. */
export interface VideoTools {
  /** Path of the ffmpeg command; undefined where there is none. */
  ffmpeg: string | undefined
  /** Whether FFmpeg's libraries are to be used through the package node-av. They are preferred to the command. */
  nodeAv: boolean
}

/** An ffmpeg command and what named it. */
export interface FoundFfmpeg {
  /** Absolute path. */
  path: string
  from: 'option' | 'VCAP_FFMPEG' | 'ffmpeg-static' | 'PATH'
}

/** How to install or name an ffmpeg, for error messages. */
export const installHint =
  'install ffmpeg (apt install ffmpeg, brew install ffmpeg), or name it with --ffmpeg FILE or VCAP_FFMPEG'

/**
 * Finds what can read videos: node-av and an ffmpeg command, or only the command that `asked` or `VCAP_FFMPEG` names.
 * `asked` is a path. Throws `ffmpeg_missing`.
 */
export function findVideoTools(asked: string | undefined): VideoTools {
  if (asked || process.env.VCAP_FFMPEG) return { ffmpeg: findFfmpeg(asked).path, nodeAv: false }
  const tools = { ffmpeg: installedFfmpeg()?.path, nodeAv: hasNodeAv() }
  if (tools.nodeAv || tools.ffmpeg !== undefined) return tools
  throw new VcapError('ffmpeg_missing', `Nothing here reads videos: npm install node-av, or ${installHint}`)
}

/**
 * Finds the ffmpeg command to use: the one at the path `asked`, or else at `VCAP_FFMPEG`, or else of the package
 * ffmpeg-static, or else on PATH. Throws `ffmpeg_missing`.
 */
export function findFfmpeg(asked: string | undefined): FoundFfmpeg {
  if (asked) return { path: requireExecutable(asked, 'ffmpeg'), from: 'option' }
  if (process.env.VCAP_FFMPEG)
    return { path: requireExecutable(process.env.VCAP_FFMPEG, 'VCAP_FFMPEG'), from: 'VCAP_FFMPEG' }
  const installed = installedFfmpeg()
  if (installed) return installed
  throw new VcapError('ffmpeg_missing', `ffmpeg not found: ${installHint}`)
}

function installedFfmpeg(): FoundFfmpeg | undefined {
  const bundled = bundledFfmpeg()
  if (bundled) return { path: bundled, from: 'ffmpeg-static' }
  const onPath = (process.env.PATH ?? '')
    .split(path.delimiter)
    .map((folder) => path.resolve(folder, 'ffmpeg'))
    .find(isExecutable)
  return onPath === undefined ? undefined : { path: onPath, from: 'PATH' }
}

/**
 * Returns the absolute path of `file`, since a decoder process may run it in another working directory. `source` is the
 * option or the variable that names the file. Throws `ffmpeg_missing` where it is no executable file.
 */
function requireExecutable(file: string, source: string): string {
  if (!isExecutable(file))
    throw new VcapError('ffmpeg_missing', `Expected an executable file for ${source} but received ${file}`)
  return path.resolve(file)
}

function isExecutable(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK)
    return fs.statSync(file).isFile()
  } catch {
    return false // it is not there or not executable, or stands in a folder that this user may not search
  }
}

/** Path of ffmpeg-static's ffmpeg; undefined where the package is not installed or could not download its binary. */
function bundledFfmpeg(): string | undefined {
  if (!resolveModule(require, 'ffmpeg-static')) return undefined
  const file = require('ffmpeg-static') as string | null
  return file !== null && isExecutable(file) ? file : undefined
}

/** The result of `findNodeAv`, which is called once in a process; undefined before. */
let nodeAvFound: boolean | undefined

/** Whether node-av and its binary for this platform are installed. Whether the binary loads is not tried. */
export function hasNodeAv(): boolean {
  return (nodeAvFound ??= findNodeAv())
}

function findNodeAv(): boolean {
  const lib = resolveModule(require, 'node-av/lib')
  if (lib === undefined) return false
  const binary = `@seydx/node-av-${process.platform}-${process.arch}`
  return resolveModule(createRequire(lib), binary) !== undefined
}

/** Path of the file to which a module's name resolves; undefined where it is not installed. */
function resolveModule(from: NodeJS.Require, name: string): string | undefined {
  try {
    return from.resolve(name)
  } catch (error) {
    // An old version of a package may be installed that does not export this module.
    if (['MODULE_NOT_FOUND', 'ERR_PACKAGE_PATH_NOT_EXPORTED'].includes((error as NodeJS.ErrnoException).code ?? ''))
      return undefined
    throw error
  }
}
