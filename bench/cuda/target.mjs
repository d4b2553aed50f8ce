/** The devices that are checked, as --device names them. */
import { loadAddon } from '../../dist/native/load.js'

/** Thrown by a section that cannot run here, with the reason. */
export class Skip extends Error {}

/**
 * `{ settings, names, devices, kind }`: options of the library that choose the devices, ggml's names of them (none: the
 * CPU), and what kind they are: `gpu`, `rpc` or `cpu`. An RPC server takes one client at a time: each section is one.
 */
export function findTarget(device) {
  const addon = loadAddon()
  const remote = device.includes(':')
  const rpc = remote ? device.split(',') : []
  // The library connects to RPC servers by itself, from a process of its own.
  const settings = remote ? { gpus: 'none', rpc } : { gpus: device }
  const local = () => addon.devices([]).filter(({ name, type }) => type === 'gpu' && !name.startsWith('RPC'))
  if (remote) return { kind: 'rpc', settings, devices: () => addon.devices(rpc).filter(isRemote) }
  if (device === 'none') return { kind: 'cpu', settings, devices: () => addon.devices([]).filter(isCpu) }
  const gpus = local()
  if (gpus.length === 0) {
    const why = addon.build.backends.includes('CUDA') ? `built with CUDA, ${addon.build.whyNoCudaGpu}` : 'no CUDA'
    throw new Error(`There is no GPU here (${why}). To try the check itself: --device none --short`)
  }
  const chosen = device === 'all' ? gpus : gpus.filter((_, number) => numbers(device).includes(number))
  return { kind: 'gpu', settings, devices: () => chosen }
}

const isRemote = ({ name }) => name.startsWith('RPC')
const isCpu = ({ type }) => type === 'cpu'

function numbers(list) {
  return list.split(',').flatMap((part) => {
    const [first, last = first] = part.split('-').map(Number)
    return Array.from({ length: last - first + 1 }, (_, i) => first + i)
  })
}
