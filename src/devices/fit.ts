import type { NativeBuild, NativeDevice } from '../native/addon'
import { fittingSequences, maxTrainedContext, memoryBudget, modelNeeds, type ModelSizes } from './memory'
import { chooseDeviceSets, describeSets, type FoundDevices } from './sets'

/** How a model fits the devices there are, as a run that asks for nothing else takes them. */
export interface Fit {
  /** Devices of a replica. */
  tpSize: number
  /** Replicas. */
  dpSize: number
  /** Captions at once in each replica, each with the whole context that the model was trained on; 0: not one. */
  sequences: number
  /** Bytes of memory that are missing for one caption; 0 where it fits. */
  missing: number
  /** GPUs like the first one that would hold the model and one caption; left out for the CPU. */
  gpusNeeded?: number
}

/** Keys and values that a run keeps where nobody says how. */
const kvType = 'f16'
/** GPUs of a machine, beyond which no more are counted. */
const mostGpus = 64

/** Throws `device_unavailable`. */
export function fitModel(sizes: ModelSizes, build: NativeBuild, found: FoundDevices): Fit {
  const needs = modelNeeds(sizes, { kvType, contextPerSequence: 0 })
  const sets = chooseDeviceSets(build, found, { splitMode: 'layer' }, needs)
  const { replica, tpSize, replicas } = describeSets(sets, found)
  const positions = Math.min(sizes.contextTrained, maxTrainedContext)
  const missing = missingBytes(sizes, replica, replicas)
  const sequences = missing > 0 ? 0 : fittingSequences(memoryBudget(sizes, replica, kvType, { replicas }), positions)
  const first = replica[0]
  return {
    ...{ tpSize, dpSize: sets.length, sequences, missing },
    ...(first && first.type !== 'cpu' && { gpusNeeded: gpusLike(first, sizes) })
  }
}

/** Bytes that one caption of the whole context lacks. A device that does not say how much it has is trusted. */
function missingBytes(sizes: ModelSizes, devices: NativeDevice[], replicas = 1): number {
  if (devices.some(({ memoryTotal }) => memoryTotal === 0)) return 0
  const caption = Math.min(sizes.contextTrained, maxTrainedContext) * sizes.kvBytesPerPosition
  const { left } = memoryBudget(sizes, devices, kvType, { replicas })
  if (left > 0) return Math.max(0, caption - left)
  // What is left is no less than nothing: without the weights it says how much there is of all.
  const empty = { ...sizes, modelBytes: 0, mmprojBytes: 0 }
  return sizes.modelBytes + sizes.mmprojBytes + caption - memoryBudget(empty, devices, kvType).left
}

function gpusLike(gpu: NativeDevice, sizes: ModelSizes): number {
  for (let count = 1; count < mostGpus; count++) {
    if (missingBytes(sizes, Array<NativeDevice>(count).fill(gpu)) === 0) return count
  }
  return mostGpus
}
