import { VcapError } from '../errors'
import type { NativeBuild, NativeDevice } from '../native/addon'
import { cudaAdvice } from '../native/cuda-advice'
import { loadedAddon } from '../native/load'

/**
 * The GPUs asked for, of the devices of this machine: `0-7`, `0,2,4-5`, `all`, `none`; all that are there when
 * undefined. One that cannot compute here, such as an old card for the screen, is left out where another can, unless it
 * is named. Throws `usage`, `device_unavailable`.
 */
export function chooseGpus(build: NativeBuild, gpus: string | undefined, local: NativeDevice[]): NativeDevice[] {
  const there = local.filter(({ type }) => type === 'gpu')
  const wanted = gpus === undefined ? undefined : parseGpus(gpus)
  if (wanted === 'all' && there.length === 0) throw noGpu(build, local, 'all')
  if (wanted === undefined || wanted === 'all') {
    const able = there.filter(({ problem }) => problem === undefined)
    return (able.length > 0 ? able : there).map(requireAble)
  }
  return wanted.map((number) => {
    const found = there[number]
    if (!found) throw noGpu(build, local, String(number))
    return requireAble(found)
  })
}

function requireAble(device: NativeDevice): NativeDevice {
  if (device.problem !== undefined) throw new VcapError('device_unavailable', device.problem)
  return device
}

/** Numbers of a list such as `0,2,4-5`, each once, in order; `none` is the empty list. */
export function parseGpus(list: string): number[] | 'all' {
  if (list === 'all') return 'all'
  if (list === 'none') return []
  const numbers = list.split(',').flatMap((part) => {
    const range = /^\s*(\d{1,3})(?:-(\d{1,3}))?\s*$/.exec(part)
    const first = Number(range?.[1])
    const last = Number(range?.[2] ?? range?.[1])
    if (!range || last < first) {
      throw new VcapError(
        'usage',
        `Expected a list such as 0-7 or 0,2,4-5, all or none for gpus but received ${JSON.stringify(list)}`
      )
    }
    return Array.from({ length: last - first + 1 }, (_, i) => first + i)
  })
  return [...new Set(numbers)]
}

function noGpu(build: NativeBuild, devices: NativeDevice[], asked: string): VcapError {
  const there = devices.map((device) => `${device.name} (${device.description})`).join(', ')
  return new VcapError('device_unavailable', `GPU ${asked} was asked for; the devices here are ${there}${hint(build)}`)
}

/** Why there are not more GPUs, as far as the addon decides it. */
function hint({ backends, whyNoCudaGpu }: NativeBuild): string {
  if (process.platform === 'darwin') return '. macOS offers no GPU to Metal here, as in most virtual machines'
  if (!backends.includes('CUDA')) return `. This build has no CUDA. ${cudaAdvice(loadedAddon())}`
  return whyNoCudaGpu === '' ? '' : `; built with CUDA, ${whyNoCudaGpu}`
}
