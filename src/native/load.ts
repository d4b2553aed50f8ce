import path from 'node:path'
import nodeGypBuild from 'node-gyp-build'
import { VcapError } from '../errors'
import { nodeTooOld, packageFile } from '../package'
import type { Addon } from './addon'

let addon: Addon | undefined

/** The addon, loaded once a thread. Throws `addon_missing` with every place looked, or why it does not load. */
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
  const file = findAddon()
  try {
    return require(file) as Addon
  } catch (cause) {
    const [reason = ''] = (cause instanceof Error ? cause.message : String(cause)).split('\n')
    const message = `The native addon ${file} does not load. Reason: ${reason}\nRemedy: ${remedy(reason)}`
    throw new VcapError('addon_missing', message, { cause })
  }
}

function findAddon(): string {
  const tooOld = nodeTooOld()
  if (tooOld) throw new VcapError('addon_missing', tooOld)
  const root = packageFile()
  try {
    return nodeGypBuild.resolve(root)
  } catch (cause) {
    const target = `${process.platform}-${process.arch}`
    throw new VcapError(
      'addon_missing',
      [
        `There is no native addon for ${target}, Node ${process.versions.node}.`,
        'Looked in:',
        `  ${path.join(root, 'build', 'Release')}`,
        `  ${path.join(root, 'build', 'Debug')}`,
        `  ${path.join(root, 'prebuilds', target)}`,
        `  ${path.join(path.dirname(process.execPath), 'prebuilds', target)}`,
        'Remedy: in a clone run `npm run setup`; an installed package needs a version that carries prebuilds for ' +
          'this platform'
      ].join('\n'),
      { cause }
    )
  }
}

/** Where one of CUDA's libraries comes from: NVIDIA's repository for the system's packages, or a wheel. */
function cudaLibrary(system: string, wheel: string, wheelOf12: string): string {
  return (
    `install ${system} of this CUDA version from NVIDIA's package repository, or pip install ${wheel} ` +
    `(for CUDA 12 ${wheelOf12}); where it is installed already, name its folder in LD_LIBRARY_PATH`
  )
}

/** Debian's packages of the libraries that the addon is linked to, and where else they come from. */
const libraryPackages: [library: RegExp, where: string][] = [
  [/^libgomp\.so/, 'install the package libgomp1 (apt install libgomp1), elsewhere libgomp'],
  [/^libstdc\+\+\.so/, 'install the package libstdc++6 (apt install libstdc++6), elsewhere libstdc++'],
  [/^libgcc_s\.so/, 'install the package libgcc-s1 (apt install libgcc-s1), elsewhere libgcc'],
  [/^libcudart\.so/, cudaLibrary('cuda-cudart', 'nvidia-cuda-runtime', 'nvidia-cuda-runtime-cu12')],
  [/^libcublas(Lt)?\.so/, cudaLibrary('libcublas', 'nvidia-cublas', 'nvidia-cublas-cu12')],
  [/^libnccl\.so/, cudaLibrary('libnccl2', 'nvidia-nccl-cu13', 'nvidia-nccl-cu12')]
]

/** What helps, for the dynamic linker's words. */
function remedy(reason: string): string {
  const library = /(\S+\.so\S*): cannot open shared object file/.exec(reason)?.[1]
  if (library !== undefined) {
    const where = libraryPackages.find(([name]) => name.test(library))?.[1] ?? `install the package that has ${library}`
    return `the library ${library} is missing on this system: ${where}`
  }
  const symbol = /version [`'](\S+)' not found/.exec(reason)?.[1]
  if (symbol !== undefined) {
    return (
      `the addon was built on a newer system than this one, which lacks ${symbol}: ` +
      'build it here, in a clone by `npm run setup`'
    )
  }
  return 'build it here, in a clone by `npm run setup`, or install the package again'
}
