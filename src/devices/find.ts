import { VcapError } from '../errors'
import type { NativeDevice } from '../native/addon'
import { loadAddon } from '../native/load'
import { probeRpcServers } from '../native/rpc-probe'
import type { DeviceSet, FoundDevices } from './sets'

/**
 * The devices of this machine and those of ggml RPC servers, `host:port`. The servers are asked and left alone again.
 * Rejects with `device_unavailable`, `aborted`.
 */
export async function findDevices(rpc: string[], signal: AbortSignal | undefined): Promise<FoundDevices> {
  const addon = loadAddon()
  // A build without RPC says so when it is asked for them.
  const local = addon.devices(addon.build.rpcProtocol ? [] : rpc).map(limitToContainer)
  const servers = addon.build.rpcProtocol
    ? await probeRpcServers([...new Set(rpc)], addon.build.rpcProtocol, signal)
    : []
  return { local, servers }
}

/**
 * The devices of a set by the names that they have in the process of these `devices`: none are the CPU. Throws
 * `device_unavailable` where one is not there (any more): the CPU is no stand-in for it.
 */
export function namedDevices(set: DeviceSet, devices: NativeDevice[]): { names: string[]; devices: NativeDevice[] } {
  const local = set.devices.map((name) => devices.find((device) => device.name === name) ?? missing(name, devices))
  const chosen = [...local, ...devices.filter(isRemote)]
  return {
    names: chosen.map(({ name }) => name),
    devices: chosen.length > 0 ? chosen : devices.filter(({ type }) => type === 'cpu').map(limitToContainer)
  }
}

function missing(name: string, devices: NativeDevice[]): never {
  const there = devices.map((device) => device.name).join(', ')
  throw new VcapError('device_unavailable', `There is no device ${name} here (any more); there are: ${there}`)
}

/** ggml numbers the devices of all servers, in the order in which it connects to them. */
const isRemote = ({ name }: NativeDevice) => name.startsWith('RPC')

/** A container's limit, where it is less than the memory that the machine has: beyond it the kernel ends processes. */
function limitToContainer(device: NativeDevice): NativeDevice {
  const limit = process.constrainedMemory()
  if (device.type !== 'cpu' || !limit || limit >= device.memoryTotal) return device
  return { ...device, memoryTotal: limit, memoryFree: Math.min(device.memoryFree, limit) }
}
