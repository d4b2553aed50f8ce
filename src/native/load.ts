import { VcapError } from '../errors'
import { nodeTooOld } from '../package'
import type { Addon } from './addon'
import type { AddonPlace, PassedOver } from './addon-place'
import { addonPlaces } from './addon-places'
import { libcHere, reportedGlibc } from './library-file'
import { openLibrary } from './open-library'
import { remedyFor } from './remedies'

/** An addon, where it came from, and the places before it whose addons were not taken. */
export interface LoadedAddon {
  addon: Addon
  place: AddonPlace
  passedOver: PassedOver[]
}

let loaded: LoadedAddon | undefined

/** The addon, loaded once a thread. Throws `addon_missing`: every place, why its addon does not load, what helps. */
export function loadAddon(): Addon {
  return loadedAddon().addon
}

/** The same, with where it came from. */
export function loadedAddon(): LoadedAddon {
  if (!loaded) {
    const { addon, ...from } = load()
    loaded = { addon, ...from }
    process.on('exit', () => addon.shutdown())
  }
  return loaded
}

function load(): LoadedAddon {
  const tooOld = nodeTooOld()
  if (tooOld) throw new VcapError('addon_missing', tooOld)
  // libgomp reads this when it is loaded, with the addon. Its threads would spin at their barriers for
  // milliseconds; on a busy machine (our own decoders!) that slows decoding tenfold. A thousand turns, then sleep.
  process.env.GOMP_SPINCOUNT ??= '1000'
  const passedOver: PassedOver[] = []
  for (const place of addonPlaces()) {
    const found = 'reason' in place ? place : open(place)
    if ('addon' in found) return { ...found, passedOver }
    passedOver.push(found)
  }
  throw new VcapError('addon_missing', tellNone(passedOver))
}

function open(place: AddonPlace): Omit<LoadedAddon, 'passedOver'> | PassedOver {
  const opened = openLibrary<Addon>(place.file)
  if ('exports' in opened) return { addon: opened.exports, place }
  const { reason } = opened
  return { origin: place.origin, file: place.file, reason, remedy: remedyFor(reason, place.origin) }
}

/** One block of lines: what is missing, what was tried and why not, and each remedy once. */
function tellNone(passedOver: PassedOver[]): string {
  const libc = libcHere() === 'glibc' ? `, glibc ${reportedGlibc() ?? 'of unknown version'}` : ''
  const musl = libcHere() === 'musl' ? ', musl' : ''
  const remedies = [...new Set(passedOver.flatMap(({ remedy }) => remedy ?? []))]
  return [
    `No native addon loads here (${process.platform}-${process.arch}${libc}${musl}, Node ${process.versions.node})`,
    'Tried:',
    ...passedOver.map((place) => `  ${tellPassedOver(place)}`),
    ...(remedies.length === 1 ? [`Remedy: ${remedies[0]}`] : ['Remedies:', ...remedies.map((text) => `  ${text}`)])
  ].join('\n')
}

/** A place and why its addon was not taken, in a line. */
export function tellPassedOver({ origin, file, reason }: PassedOver): string {
  return `${origin}: ${file === undefined ? '' : `${file}: `}${reason}`
}

/** What people should know who installed an addon that was not taken: another serves, perhaps without their GPUs. */
export function addonWarnings(): string[] {
  const { place, passedOver } = loadedAddon()
  return passedOver
    .filter(({ absent }) => !absent)
    .map((other) => `${tellPassedOver(other)}. ${place.origin} is used instead. Remedy: ${other.remedy}`)
}
