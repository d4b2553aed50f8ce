import fs from 'node:fs'
import path from 'node:path'
import { VcapError } from './errors'

interface Manifest {
  name: string
  version: string
  engines: { node: string }
}

/** The package's own folder, in a clone and in node_modules alike. */
const folder = path.join(__dirname, '..')
const manifest = readManifest()

export const packageVersion = manifest?.version ?? 'bundled'

/**
 * Path of a file or folder of this package. Throws `addon_missing` where this code was bundled into another file and so
 * has lost the files it needs.
 */
export function packageFile(...names: string[]): string {
  if (manifest) return path.join(folder, ...names)
  throw new VcapError(
    'addon_missing',
    `vcap-native was bundled into ${__filename}, away from its addon, its models and the programs that it starts: ` +
      'mark it as external (esbuild --external:vcap-native; docs/running.md has other bundlers) and install it beside'
  )
}

/** Why this package does not run on a version of Node; undefined where it does. */
export function nodeTooOld(version = process.versions.node): string | undefined {
  const needed = manifest?.engines.node.replace('>=', '') ?? '0'
  const [have, least] = [version, needed].map((text) => text.split('.').map(Number))
  const differs = least!.findIndex((part, i) => part !== have![i])
  if (differs < 0 || have![differs]! > least![differs]!) return undefined
  return `Node ${needed} or newer is needed; this is ${version}`
}

/** Undefined where there is none of this package, which is in a bundle. */
function readManifest(): Manifest | undefined {
  try {
    const found = JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8')) as Manifest
    return found.name === 'vcap-native' ? found : undefined
  } catch {
    return undefined
  }
}
