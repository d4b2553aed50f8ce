import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { VcapError } from '../errors'

/** What reads videos here. */
export interface VideoTools {
  /** Path of the command; undefined where there is none. */
  ffmpeg: string | undefined
  /** FFmpeg's libraries by the package node-av, which go before the command. */
  nodeAv: boolean
}

export interface FoundFfmpeg {
  path: string
  from: 'option' | 'VCAP_FFMPEG' | 'ffmpeg-static' | 'PATH'
}

/** The remedy. */
export const installing =
  'install ffmpeg (apt install ffmpeg, brew install ffmpeg), or name it with --ffmpeg FILE or VCAP_FFMPEG'

/** node-av where it is installed, else an ffmpeg; the ffmpeg asked for alone. Throws `ffmpeg_missing`. */
export function findVideoTools(asked: string | undefined): VideoTools {
  if (asked || process.env.VCAP_FFMPEG) return { ffmpeg: findFfmpeg(asked).path, nodeAv: false }
  const tools = { ffmpeg: installedFfmpeg()?.path, nodeAv: hasNodeAv() }
  if (tools.nodeAv || tools.ffmpeg !== undefined) return tools
  throw new VcapError('ffmpeg_missing', `Nothing here reads videos: npm install node-av, or ${installing}`)
}

/** The ffmpeg to use: the one asked for, else `VCAP_FFMPEG`, else ffmpeg-static's, else the one on PATH. */
export function findFfmpeg(asked: string | undefined): FoundFfmpeg {
  if (asked) return { path: requireExecutable(asked, 'ffmpeg'), from: 'option' }
  if (process.env.VCAP_FFMPEG)
    return { path: requireExecutable(process.env.VCAP_FFMPEG, 'VCAP_FFMPEG'), from: 'VCAP_FFMPEG' }
  const installed = installedFfmpeg()
  if (installed) return installed
  throw new VcapError('ffmpeg_missing', `ffmpeg not found: ${installing}`)
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

/** Absolute: who runs it may be in another folder. */
function requireExecutable(file: string, what: string): string {
  if (!isExecutable(file))
    throw new VcapError('ffmpeg_missing', `Expected an executable file for ${what} but received ${file}`)
  return path.resolve(file)
}

function isExecutable(file: string): boolean {
  if (!fs.statSync(file, { throwIfNoEntry: false })?.isFile()) return false
  try {
    fs.accessSync(file, fs.constants.X_OK)
    return true
  } catch {
    return false // accessSync has no other way to say no
  }
}

/** The optional dependency may be absent, and its download may have been blocked. */
function bundledFfmpeg(): string | undefined {
  if (!resolve(require, 'ffmpeg-static')) return undefined
  const file = require('ffmpeg-static') as string | null
  return file !== null && isExecutable(file) ? file : undefined
}

let nodeAvFound: boolean | undefined

/** Whether node-av is installed, with its binary for this platform. */
export function hasNodeAv(): boolean {
  return (nodeAvFound ??= findNodeAv())
}

function findNodeAv(): boolean {
  const lib = resolve(require, 'node-av/lib')
  return (
    lib !== undefined && resolve(createRequire(lib), `@seydx/node-av-${process.platform}-${process.arch}`) !== undefined
  )
}

/** Where a package's file is; undefined where it is not installed. */
function resolve(from: NodeJS.Require, name: string): string | undefined {
  try {
    return from.resolve(name)
  } catch (error) {
    // An old version may be there without this part.
    if (['MODULE_NOT_FOUND', 'ERR_PACKAGE_PATH_NOT_EXPORTED'].includes((error as NodeJS.ErrnoException).code ?? ''))
      return undefined
    throw error
  }
}
