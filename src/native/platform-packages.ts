import fs from 'node:fs'
import path from 'node:path'
import { packageVersion } from '../package'
import { libcHere } from './library-file'
import platforms from './platforms.json'

/** The packages that bring an addon: each is for one system and has the version of this package. */
interface PlatformPackage {
  name: `@vcap-native/${string}`
  platform: NodeJS.Platform
  arch: NodeJS.Architecture
  libc?: 'glibc' | 'musl'
  /** Installed by those who want it: it is large, and of no use without an NVIDIA GPU. */
  cuda?: true
}

/** Those of `platforms.json`, which the packages are made by as well. */
export const platformPackages = platforms.map(({ name, ...about }) => ({
  name: `@vcap-native/${name}`,
  ...about
})) as PlatformPackage[]

/** A package's place in node_modules, and the version that lies there. */
export interface InstalledPackage {
  folder: string
  version: string
}

/** Those for this system, that with CUDA first. */
export function packagesForHere(): PlatformPackage[] {
  const here = platformPackages.filter(({ platform, arch }) => platform === process.platform && arch === process.arch)
  return here.length === 0 ? [] : here.filter(({ libc }) => libc === libcHere())
}

/**
 * Where a package lies, as `require` of this one finds it; undefined: it is not installed. Throws where it cannot be
 * told what lies there.
 */
export function findPackage(name: string): InstalledPackage | undefined {
  let manifest: string
  try {
    manifest = require.resolve(`${name}/package.json`)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND') return undefined
    throw error
  }
  const { version } = JSON.parse(fs.readFileSync(manifest, 'utf8')) as { version: string }
  return { folder: path.dirname(manifest), version }
}

/** How to have a package of this version. */
export const installCommand = (name: string) => `npm install ${name}@${packageVersion}`
