import fs from 'node:fs'
import os from 'node:os'
import { packageFile } from '../package'
import type { Origin, PassedOver } from './addon-place'
import { levelName, type CpuLevel } from './cpu-level'
import { libcHere } from './library-file'
import { findPackage, installCommand, platformPackages } from './platform-packages'
import { buildHere } from './remedies'

/*
 * Places that have no addon for this machine: why, and what to do.
 */

/** A system as people are told it: `linux-x64 with musl`. */
const told = (platform: string, arch: string, libc: string | undefined) =>
  `${platform}-${arch}${libc === undefined ? '' : ` with ${libc}`}`

/** A clone has what builds an addon; an installed package gets its addon from another package. */
const isClone = () => fs.existsSync(packageFile('scripts', 'setup.mjs'))

export function noLocalBuild(): PassedOver {
  const target = `${process.platform}-${process.arch}`
  const folder = process.env.VCAP_NATIVE_PREBUILD || packageFile()
  const reason = `none in build/Release, build/Debug and prebuilds/${target} of ${folder}`
  return { origin: 'local build', reason, absent: true, ...(isClone() ? { remedy: '`npm run setup`' } : {}) }
}

/** npm leaves a package out without a word where it should not, and node_modules are carried to other machines. */
export function notInstalled(origin: Origin): PassedOver {
  const others = platformPackages.filter(({ name, cuda }) => name !== origin && !cuda && isInstalled(name))
  const reason = 'not installed'
  if (isClone()) return { origin, reason, absent: true }
  const [other] = others
  if (other)
    return {
      origin,
      reason: `${reason}; here is ${other.name}, for ${told(other.platform, other.arch, other.libc)}`,
      remedy: `node_modules came from another system: install anew on this one, or \`${installCommand(origin)}\``
    }
  return {
    origin,
    reason,
    remedy:
      `\`${installCommand(origin)}\`. npm leaves it out after --omit=optional, by a package-lock.json that was ` +
      'written on another platform, and where its registry does not have it'
  }
}

function isInstalled(name: string): boolean {
  try {
    return findPackage(name) !== undefined
  } catch {
    return true
  }
}

/** No package is for this platform. */
export function noPackage(): PassedOver {
  const known = platformPackages.filter(({ cuda }) => !cuda)
  const all = known.map(({ platform, arch, libc }) => told(platform, arch, libc)).join(', ')
  const here = told(process.platform, process.arch, libcHere())
  return { origin: '@vcap-native/…', reason: `there is none for ${here}, only for ${all}`, remedy: otherPlatform() }
}

function otherPlatform(): string {
  const build = buildHere('local build')
  const { platform, arch } = process
  if (platform === 'win32') return 'run it in WSL, which is Linux'
  if (platform === 'darwin' && os.cpus().some(({ model }) => model.includes('Apple')))
    return `this is Node for ${arch} on an Apple processor (Rosetta): install Node for arm64`
  return libcHere() === 'musl' ? `take a system with glibc (a container of Debian serves), or ${build}` : build
}

/** A processor below every variant of a package. */
export function tooOldCpu(here: CpuLevel, needed: CpuLevel, origin: Origin): Pick<PassedOver, 'reason' | 'remedy'> {
  return {
    reason: `this CPU has ${levelName(here)}, and at least ${levelName(needed)} is needed (${features[needed]})`,
    remedy:
      "a virtual machine may hide what its host's CPU has: give it the host's model (qemu: -cpu host). " +
      `Else ${buildHere(origin)}`
  }
}

/** What tells a level from the one below, and since when processors have it. */
const features: Record<CpuLevel, string> = {
  1: 'every x86-64',
  2: 'SSE4.2 and POPCNT: Intel since 2009, AMD since 2011',
  3: 'AVX2 and FMA: Intel since 2013, AMD since 2015',
  4: 'AVX-512'
}
