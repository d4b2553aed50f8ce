import type sharpModule from 'sharp'
import { VcapError } from './errors'

type Sharp = typeof sharpModule

let loaded: Sharp | undefined

/**
 * The package sharp, loaded when the first image asks for it: its binary is an optional dependency, and all that is no
 * image goes without. Throws `unreadable`.
 */
export function loadSharp(): Sharp {
  loaded ??= load()
  return loaded
}

function load(): Sharp {
  try {
    const sharp = require('sharp') as Sharp
    // sharp takes one thread for an image, since the engine needs the cores. It keeps no cache, since each image is
    // decoded once.
    sharp.concurrency(1)
    sharp.cache(false)
    return sharp
  } catch (cause) {
    const [reason] = (cause as Error).message.split('\n')
    throw new VcapError(
      'unreadable',
      `Images cannot be read here, since the package sharp does not load (${reason}): ` +
        `npm install --include=optional --os=${process.platform} --cpu=${process.arch} sharp`,
      { cause }
    )
  }
}
