import fs from 'node:fs'
import path from 'node:path'
import nodeGypBuild from 'node-gyp-build'
import { packageFile, packageVersion } from '../package'
import { noLocalBuild, noPackage, notInstalled, tooOldCpu } from './absent-addon'
import type { AddonPlace, PassedOver } from './addon-place'
import { askCpuLevel, levelName } from './cpu-level'
import { findPackage, installCommand, packagesForHere } from './platform-packages'
import { getAgain, remedyFor } from './remedies'

/** All places where an addon may be, the first choice first; each is looked at when its turn comes. */
export function* addonPlaces(): Generator<AddonPlace | PassedOver> {
  const named = process.env.VCAP_ADDON
  if (named) {
    // Processes that are started from here take the same one, wherever they run.
    process.env.VCAP_ADDON = path.resolve(named)
    yield { origin: 'VCAP_ADDON', file: process.env.VCAP_ADDON }
    return
  }
  yield localBuild()
  const packages = packagesForHere()
  for (const { name, cuda } of packages) {
    const place = fromPackage(name)
    if (place) yield place
    else if (!cuda) yield notInstalled(name)
  }
  if (packages.length === 0) yield noPackage()
}

function localBuild(): AddonPlace | PassedOver {
  try {
    return { origin: 'local build', file: nodeGypBuild.resolve(packageFile()) }
  } catch {
    return noLocalBuild()
  }
}

/** The addon of a package for this processor; undefined: the package is not installed. */
function fromPackage(name: AddonPlace['origin']): AddonPlace | PassedOver | undefined {
  try {
    const found = findPackage(name)
    if (!found) return undefined
    if (found.version === packageVersion) return { origin: name, ...chooseVariant(name, found.folder) }
    const reason = `its version is ${found.version}, and this is vcap-native ${packageVersion}`
    return { origin: name, reason, remedy: `\`${installCommand(name)}\`` }
  } catch (error) {
    return {
      origin: name,
      reason: `its package.json cannot be read: ${(error as Error).message}`,
      remedy: getAgain(name)
    }
  }
}

/** Of the folders for levels the highest that this processor has; a package without such folders has one addon. */
function chooseVariant(
  origin: AddonPlace['origin'],
  folder: string
): Omit<AddonPlace, 'origin'> | Omit<PassedOver, 'origin'> {
  const levels = ([4, 3, 2] as const).filter((level) => fs.existsSync(path.join(folder, levelName(level))))
  const lowest = levels.at(-1)
  if (lowest === undefined) return { file: path.join(folder, 'vcap_native.node') }
  const file = path.join(folder, 'cpu-level.node')
  const here = askCpuLevel(file)
  if (typeof here === 'object') return { file, reason: here.reason, remedy: remedyFor(here.reason, origin) }
  const level = levels.find((each) => each <= here)
  if (level === undefined) return tooOldCpu(here, lowest, origin)
  return { file: path.join(folder, levelName(level), 'vcap_native.node'), variant: levelName(level) }
}
