import type { DeviceSet } from '../devices/sets'

/** ggml's name of a GPU under CUDA, by its place among those that the process sees. */
const cudaName = /^CUDA(\d+)$/

/**
 * What has a process see no GPUs but those of its set, and the set as that process numbers them. A process that sees
 * others as well holds hundreds of megabytes on each of them, as soon as it asks what memory they have.
 */
export function ownGpus(set: DeviceSet, env: NodeJS.ProcessEnv): { set: DeviceSet; env: NodeJS.ProcessEnv } {
  const places = set.devices.map((name) => cudaName.exec(name)?.[1])
  const seen = env.CUDA_VISIBLE_DEVICES?.split(',').map((each) => each.trim())
  const own = places.map((place) => (seen && place !== undefined ? seen[Number(place)] : place))
  if (own.includes(undefined)) return { set, env } // other kinds of GPU among them
  const devices = own.map((_, place) => `CUDA${place}`)
  return { set: { ...set, devices }, env: { ...env, CUDA_VISIBLE_DEVICES: own.join(',') } }
}
