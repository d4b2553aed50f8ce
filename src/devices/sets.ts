import { VcapError } from '../errors'
import type { NativeBuild, NativeDevice } from '../native/addon'
import type { RpcServer } from '../native/rpc-probe'
import { chooseGpus } from './choose'

/** The most devices that llama.cpp deals a model out to. */
const maxDevices = 16

/** Part of the largest device's room from which on a device counts as one like it: the same part for each is faster. */
const nearlyEqual = 0.95

/** The devices there are. */
export interface FoundDevices {
  /** Of this machine, the CPU among them. */
  local: NativeDevice[]
  /** Of the RPC servers asked, in their order. */
  servers: RpcServer[]
}

/** The devices of one replica, and how they share its model: plain data, which can be sent to its process. */
export interface DeviceSet {
  /** ggml's names of this machine's devices, such as CUDA0. Where there are none, and no `rpc`: the CPU. */
  devices: string[]
  /** ggml RPC servers, `host:port`, each with all devices that it offers: a server has one client at a time. */
  rpc: string[]
  /** Whole layers for each device, or a part of each tensor. */
  splitMode: 'layer' | 'tensor'
  /** How much each device gets, this machine's first, in any unit; left out for one device. */
  tensorSplit?: number[]
}

/** What is asked of the devices; what is left out is chosen. */
export interface SetWishes {
  /** `0-7`, `0,2,4-5`, `all`, `none`. */
  gpus?: string | undefined
  /** Devices a replica. */
  tpSize?: number | undefined
  /** Replicas. */
  dpSize?: number | undefined
  splitMode: 'layer' | 'tensor'
  tensorSplit?: number[] | undefined
}

/** What a model asks of the devices that hold it together. */
export interface ModelNeeds {
  /** Whether it fits them, with the captions at once that are wanted. */
  fits: (devices: NativeDevice[]) => boolean
  /** Bytes of a device's memory that its share of the model may take; `first`: that the vision tower is there too. */
  room: (device: NativeDevice, first: boolean) => number
}

/** A device, and the server that it is of. */
interface Member {
  device: NativeDevice
  endpoint?: string
}

/**
 * The devices of each replica: those asked for, in their order, a set after the other. Where nobody says how many a
 * replica has, it is the least number that the model fits, and as many replicas as that leaves devices for. Throws
 * `usage` where devices a replica times replicas are not the devices, `device_unavailable`.
 */
export function chooseDeviceSets(
  build: NativeBuild,
  found: FoundDevices,
  wishes: SetWishes,
  needs: ModelNeeds
): DeviceSet[] {
  const members: Member[] = [
    ...chooseGpus(build, wishes.gpus, found.local).map((device) => ({ device })),
    ...found.servers.flatMap(({ endpoint, devices }) => devices.map((device) => ({ device, endpoint })))
  ]
  if (members.length === 0) return cpuSets(wishes)
  const size = wishes.tpSize ?? chooseSize(members, wishes, needs)
  requireProduct(members, size, wishes.dpSize ?? Math.max(1, Math.floor(members.length / size)))
  const sets = groups(members, size)
  for (const endpoint of sharedServers(sets)) throw sharedServer(endpoint, found, size)
  requireSplit(wishes.tensorSplit, size)
  return sets.map((set) => toSet(set, wishes, needs))
}

/** The first replica's devices, their number, and how many replicas share the memory of its devices. */
export function describeSets(
  sets: DeviceSet[],
  found: FoundDevices
): { replica: NativeDevice[]; tpSize: number; replicas: number } {
  const [first] = sets
  const replica = first ? devicesOf(first, found) : []
  const isShared = replica.every(({ type }) => type === 'cpu')
  return { replica, tpSize: replica.length, replicas: isShared ? sets.length : 1 }
}

/** The devices of a set; the CPU where it has none. */
export function devicesOf({ devices, rpc }: DeviceSet, { local, servers }: FoundDevices): NativeDevice[] {
  const remote = servers.filter(({ endpoint }) => rpc.includes(endpoint)).flatMap((server) => server.devices)
  const chosen = [...devices.flatMap((name) => local.find((device) => device.name === name) ?? []), ...remote]
  return chosen.length > 0 ? chosen : local.filter(({ type }) => type === 'cpu')
}

/** So many times the CPU, whose cores replicas share out among themselves. */
function cpuSets({ tpSize = 1, dpSize = 1, splitMode, tensorSplit }: SetWishes): DeviceSet[] {
  if (tpSize !== 1) {
    throw new VcapError(
      'usage',
      `${tpSize} devices a replica (--tp-size) were asked for, but there is the CPU alone: --tp-size 1, or name ` +
        'devices with --gpus or --rpc'
    )
  }
  requireSplit(tensorSplit, 1)
  return Array.from({ length: dpSize }, () => ({ devices: [], rpc: [], splitMode }))
}

/** Devices a replica where nobody says so: the least that the model fits, of those that leave no device over. */
function chooseSize(members: Member[], { dpSize }: SetWishes, { fits }: ModelNeeds): number {
  const count = members.length
  if (dpSize !== undefined) return count % dpSize === 0 ? count / dpSize : Math.max(1, Math.floor(count / dpSize))
  const fitting = divisors(count).filter((size) => {
    const sets = groups(members, size)
    return sharedServers(sets).length === 0 && sets.every((set) => fits(set.map(({ device }) => device)))
  })
  return fitting[0] ?? count // loading it then says what does not fit
}

function requireProduct(members: Member[], size: number, replicas: number): void {
  const count = members.length
  if (size * replicas !== count) {
    const choices = divisors(count).map((tp) => `--tp-size ${tp} --dp-size ${count / tp}`)
    throw new VcapError(
      'usage',
      `${size} devices a replica (--tp-size) × ${replicas} replicas (--dp-size) are ${size * replicas} devices, but ` +
        `there are ${count}: ${members.map(({ device }) => device.name).join(', ')}. ` +
        `Choose ${choices.join(', or ')}, or other devices with --gpus and --rpc`
    )
  }
  if (size > maxDevices) {
    throw new VcapError(
      'usage',
      `llama.cpp deals a model out to ${maxDevices} devices at most, not ${size} (--tp-size)`
    )
  }
}

function requireSplit(split: number[] | undefined, size: number): void {
  if (split === undefined || split.length === size) return
  throw new VcapError(
    'usage',
    `Expected a number for each of the ${size} devices of a replica for tensorSplit (--tensor-split) but received ` +
      `${split.length}: ${split.join(',')}`
  )
}

/** Servers whose devices are in several sets. */
function sharedServers(sets: Member[][]): string[] {
  const endpoints = sets.flatMap((set) => [...new Set(set.map(({ endpoint }) => endpoint))])
  return endpoints.filter((endpoint, i) => endpoint !== undefined && endpoints.indexOf(endpoint) !== i) as string[]
}

function sharedServer(endpoint: string, { servers }: FoundDevices, size: number): VcapError {
  const offered = servers.find((server) => server.endpoint === endpoint)!.devices.length
  return new VcapError(
    'usage',
    `The RPC server at ${endpoint} offers ${offered} devices to one client at a time, which ${size} devices a ` +
      'replica (--tp-size) would part: start a server for each device, or choose another --tp-size'
  )
}

function toSet(members: Member[], { splitMode, tensorSplit }: SetWishes, { room }: ModelNeeds): DeviceSet {
  const devices = members.flatMap(({ device, endpoint }) => (endpoint === undefined ? [device.name] : []))
  const rpc = [...new Set(members.flatMap(({ endpoint }) => endpoint ?? []))]
  if (members.length === 1) return { devices, rpc, splitMode }
  // The tower is on the first device of this machine, and on the CPU where there is none.
  const rooms = members.map(({ device, endpoint }, i) => room(device, i === 0 && endpoint === undefined))
  return { devices, rpc, splitMode, tensorSplit: tensorSplit ?? toShares(rooms) }
}

/** Shares of devices by their room: 1 for the largest and those that are nearly as large, or all where one has none. */
function toShares(rooms: number[]): number[] {
  const largest = Math.max(...rooms)
  return rooms.map((room) => {
    const share = Math.round((room / largest) * 100) / 100
    return share < nearlyEqual && rooms.every((one) => one > 0) ? Math.max(share, 0.01) : 1
  })
}

function groups(members: Member[], size: number): Member[][] {
  return Array.from({ length: Math.ceil(members.length / size) }, (_, i) => members.slice(i * size, (i + 1) * size))
}

function divisors(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i + 1).filter((number) => count % number === 0)
}
