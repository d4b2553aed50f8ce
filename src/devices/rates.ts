import { VcapError } from '../errors'
import type { NativeDevice } from '../native/addon'

/** What a kind of GPU does at most, by its maker's figures. */
export interface GpuRates {
  name: string
  /** Bytes of memory. */
  memory: number
  /** Floating-point operations a second in half precision, without sparsity. */
  operations: number
  /** Bytes a second that it reads of its memory. */
  bandwidth: number
}

/** The kinds that are known, the likelier one of those with like memory first. */
const kinds: GpuRates[] = [
  { name: 'H100', memory: 80e9, operations: 989.5e12, bandwidth: 3.35e12 },
  { name: 'H200', memory: 141e9, operations: 989.5e12, bandwidth: 4.8e12 },
  { name: 'A100', memory: 80e9, operations: 312e12, bandwidth: 2.04e12 },
  { name: 'L40S', memory: 48e9, operations: 362e12, bandwidth: 0.864e12 },
  { name: 'A100-40', memory: 40e9, operations: 312e12, bandwidth: 1.56e12 },
  { name: 'RTX5090', memory: 32e9, operations: 210e12, bandwidth: 1.79e12 },
  { name: 'RTX4090', memory: 24e9, operations: 165e12, bandwidth: 1.01e12 },
  { name: 'RTX3090', memory: 24e9, operations: 71e12, bandwidth: 0.936e12 },
  { name: 'L4', memory: 24e9, operations: 121e12, bandwidth: 0.3e12 },
  { name: 'T4', memory: 16e9, operations: 65e12, bandwidth: 0.32e12 }
]

/** Devices as they are assumed: `8x80GB`, `4x24GiB`, `8xH100`. Throws `usage`. */
export function assumeDevices(list: string[]): NativeDevice[] {
  const devices = list.flatMap((text) => {
    const [, count, what = ''] = /^\s*(\d+)\s*x\s*([\w.]+)\s*$/.exec(text) ?? []
    const size = /^(\d+(?:\.\d+)?)(GB|GiB)$/i.exec(what)
    const kind = kinds.find(({ name }) => name.toLowerCase() === what.toLowerCase())
    if (!size && !kind) {
      throw new VcapError(
        'usage',
        `Expected a memory such as 80GB or 80GiB, or one of ${kinds.map(({ name }) => name).join(', ')}, for the ` +
          `devices to assume but received ${text}`
      )
    }
    const bytes = size ? Number(size[1]) * (/i/i.test(size[2]!) ? 2 ** 30 : 1e9) : kind!.memory
    return Array.from({ length: Number(count) }, () => ({ description: kind?.name ?? what, bytes }))
  })
  return devices.map(({ description, bytes }, number) => ({
    name: `GPU${number}`,
    description,
    type: 'gpu',
    memoryFree: bytes,
    memoryTotal: bytes
  }))
}

/** What such a GPU does: by its name, else as one of like memory. Undefined for CPUs and what lies behind RPC. */
export function ratesOf({ type, description, memoryTotal }: NativeDevice): GpuRates | undefined {
  if (type !== 'gpu' || description === 'RPC server') return undefined
  const plain = (text: string) => text.toLowerCase().replaceAll(/[\s-]/g, '')
  const named = kinds.filter(({ name }) => plain(description).includes(plain(name)))
  // A longer name says more: L40S before L4.
  const byName = named.sort((a, b) => b.name.length - a.name.length)[0]
  const distance = ({ memory }: GpuRates) => Math.abs(Math.log(memoryTotal / memory))
  return byName ?? [...kinds].sort((a, b) => distance(a) - distance(b))[0]
}
