import { VcapError } from './errors'
import type { NativeBuild, NativeDevice } from './native/addon'

export interface ChosenDevices {
  /** ggml's names; none: the CPU. */
  names: string[]
  devices: NativeDevice[]
}

/**
 * The devices asked for, of those that there are: local GPUs by number, then RPC servers; the CPU where there are none.
 * `gpus` as in `0-7`, `0,2,4-5`, `all`, `none`; all that are there when undefined.
 * Throws `usage`, `device_unavailable`.
 */
export function chooseDevices(build: NativeBuild, gpus: string | undefined, found: NativeDevice[]): ChosenDevices {
  const wanted = gpus === undefined ? undefined : parseGpus(gpus)
  const devices = found.map(limitToContainer)
  const isRemote = (device: NativeDevice) => device.name.startsWith('RPC')
  const local = devices.filter((device) => device.type === 'gpu' && !isRemote(device))
  const remote = devices.filter(isRemote)
  if (wanted === 'all' && local.length === 0) throw noGpu(build, devices, 'all')
  const chosen = [
    ...(wanted === undefined || wanted === 'all' ? local : wanted.map((number) => local[number] ?? refuse(number))),
    ...remote
  ]
  return {
    names: chosen.map(({ name }) => name),
    devices: chosen.length > 0 ? chosen : devices.filter(({ type }) => type === 'cpu')
  }

  function refuse(number: number): never {
    throw noGpu(build, devices, String(number))
  }
}

/** A container's limit, where it is less than the memory that the machine has: beyond it the kernel ends processes. */
function limitToContainer(device: NativeDevice): NativeDevice {
  const limit = process.constrainedMemory()
  if (device.type !== 'cpu' || !limit || limit >= device.memoryTotal) return device
  return { ...device, memoryTotal: limit, memoryFree: Math.min(device.memoryFree, limit) }
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
  if (!backends.includes('CUDA'))
    return '. This build has no CUDA: in a clone build it with `VCAP_CUDA=1 npm run build:native`'
  return whyNoCudaGpu === '' ? '' : `; built with CUDA, ${whyNoCudaGpu}`
}
