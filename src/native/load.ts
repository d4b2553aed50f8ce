import path from 'node:path'
import nodeGypBuild from 'node-gyp-build'
import { VcapError } from '../errors'
import { packageRoot } from '../package'
import type { Addon } from './addon'

let addon: Addon | undefined

/** The addon, loaded once a thread. Throws `addon_missing` with every place looked and the remedy. */
export function loadAddon(): Addon {
  if (!addon) {
    const loaded = load()
    addon = loaded
    process.on('exit', () => loaded.shutdown())
  }
  return addon
}

function load(): Addon {
  // libgomp reads this when it is loaded, with the addon. Its threads would spin at their barriers for
  // milliseconds; on a busy machine (our own decoders!) that slows decoding tenfold. A thousand turns, then sleep.
  process.env.GOMP_SPINCOUNT ??= '1000'
  try {
    return nodeGypBuild(packageRoot) as Addon
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    const target = `${process.platform}-${process.arch}`
    throw new VcapError(
      'addon_missing',
      [
        `The native addon could not be loaded for ${target}, Node ${process.versions.node}.`,
        'Looked in:',
        `  ${path.join(packageRoot, 'build', 'Release')}`,
        `  ${path.join(packageRoot, 'build', 'Debug')}`,
        `  ${path.join(packageRoot, 'prebuilds', target)}`,
        `  ${path.join(path.dirname(process.execPath), 'prebuilds', target)}`,
        `Reason: ${reason.split('\n')[0]}`,
        'Remedy: in a clone run `npm run setup`; an installed package needs a version that carries prebuilds for ' +
          'this platform.'
      ].join('\n'),
      { cause }
    )
  }
}
