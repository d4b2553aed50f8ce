import { VcapError } from '../errors'
import type { NativeDevice, NativeLoadOptions, NativeModelFacts } from '../native/addon'
import type { ModelNeeds } from './sets'

/** What a model leaves of its devices' memory to keys and values, in bytes. */
export interface MemoryBudget {
  /** Weights of the language model and the projector. */
  weights: number
  /** Memory of all devices that is left for keys and values. */
  left: number
  /** Keys and values of one position of one caption. */
  kvPerPosition: number
}

/** What a model's files say of the memory that it takes. */
export type ModelSizes = Pick<NativeModelFacts, 'modelBytes' | 'mmprojBytes' | 'kvBytesPerPosition' | 'contextTrained'>

type KvType = NativeLoadOptions['kvType']

/** The most positions that a caption gets where a header decides: a damaged one may state billions. The engine's. */
export const maxTrainedContext = 1 << 20

/** Share of a device's memory that can be used. */
const usable = 0.94
/** Bytes beside weights, keys and values: activations, graphs, and a GPU's driver. */
const buffers = { gpu: 2e9, cpu: 1e9 }
/** Bytes of a kept key or value over those of half precision: ggml's Q8_0 holds 32 numbers in 34 bytes. */
const kvScale: Record<KvType, number> = { f32: 2, f16: 1, q8_0: 34 / 64 }
/** llama.cpp rounds the positions of a sequence up to a multiple of this number. */
const contextStep = 256
/** Captions at once that are chosen where nobody says how many: more gain little. */
const maxSequences = 16

/** Bytes of a device that weights, keys and values may take, where so many models share it. */
function usableBytes({ type, memoryTotal }: NativeDevice, models = 1): number {
  return Math.max(0, memoryTotal * usable - models * (type === 'cpu' ? buffers.cpu : buffers.gpu))
}

/**
 * Over all `devices` together. A device that does not say how much it has counts for nothing. Where `replicas` share
 * them, each has its part; language models mapped from one file are there once, all else for each.
 */
export function memoryBudget(
  { modelBytes, mmprojBytes, kvBytesPerPosition }: Omit<ModelSizes, 'contextTrained'>,
  devices: NativeDevice[],
  kvType: KvType,
  { replicas = 1, mmap = true }: { replicas?: number; mmap?: boolean } = {}
): MemoryBudget {
  const weights = modelBytes + mmprojBytes
  const total = devices.reduce((sum, device) => sum + usableBytes(device, replicas), 0)
  const shared = mmap ? modelBytes : 0
  const left = Math.max(0, (total - shared) / replicas - (weights - shared))
  return { weights, left, kvPerPosition: kvBytesPerPosition * kvScale[kvType] }
}

/** What a model asks of devices, with so many captions at once of so many positions; undefined: what is chosen. */
export function modelNeeds(
  facts: ModelSizes,
  {
    kvType,
    contextPerSequence,
    sequences
  }: { kvType: KvType; contextPerSequence: number; sequences?: number | undefined }
): ModelNeeds {
  const positions = contextPerSequence || Math.min(facts.contextTrained, maxTrainedContext)
  return {
    fits: (devices) => {
      const { left, kvPerPosition } = memoryBudget(facts, devices, kvType)
      const needed = (sequences ?? maxSequences) * roundUp(positions) * kvPerPosition
      return needed <= left || devices.some(({ memoryTotal }) => memoryTotal === 0)
    },
    room: (device, isFirst) => Math.max(0, usableBytes(device) - (isFirst ? facts.mmprojBytes : 0))
  }
}

/** Positions that llama.cpp keeps for a sequence of so many. */
const roundUp = (positions: number) => Math.ceil(positions / contextStep) * contextStep

/**
 * Throws `out_of_memory`, with what would fit, where the keys and values of so many sequences of so many positions do
 * not fit beside the weights: the system would find out by ending a process. A device that does not say how much memory
 * it has is trusted.
 */
export function requireMemory(
  { weights, left, kvPerPosition }: MemoryBudget,
  devices: NativeDevice[],
  sequences: number,
  contextPerSequence: number
): void {
  const needed = sequences * roundUp(contextPerSequence) * kvPerPosition
  if (needed <= left || devices.some(({ memoryTotal }) => memoryTotal === 0)) return
  const where = devices.map(({ name }) => name).join(', ')
  if (left === 0) {
    throw new VcapError(
      'out_of_memory',
      `The weights take ${gigabytes(weights)}, more than ${where} can hold. Take more devices or a smaller quantisation`
    )
  }
  const fitting = Math.floor(left / (contextPerSequence * kvPerPosition))
  const shorter = Math.floor(left / (sequences * kvPerPosition) / contextStep) * contextStep
  const remedies = [
    ...(fitting > 0 ? [`${fitting} at once`] : []),
    ...(shorter > 0 ? [`${shorter} positions each`] : [])
  ]
  throw new VcapError(
    'out_of_memory',
    `Keys and values of ${sequences} × ${contextPerSequence} positions (captions at once × context) need ` +
      `${gigabytes(needed)}, ` +
      `but ${gigabytes(left)} are left beside the weights on ${where}. ` +
      (remedies.length > 0 ? `What fits: ${remedies.join(', or ')}` : 'Take more devices or a smaller quantisation')
  )
}

const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`

/** As many sequences of so many positions as fit, up to 16; one, if it does not seem to fit: loading then says so. */
export function fittingSequences({ left, kvPerPosition }: MemoryBudget, contextPerSequence: number): number {
  return Math.max(1, Math.min(maxSequences, Math.floor(left / (contextPerSequence * kvPerPosition))))
}

/** Bytes of a process of Node with the addon and no model. */
const emptyProcess = 77e6
/** Rows of a batch, and numbers kept of each while it is computed, in widths of an embedding. */
const batch = { rows: 512, widths: 11.5 }

/**
 * Resident bytes of a process that has loaded a model on the CPU, with so many captions at once of so many positions:
 * Node, the weights, keys and values, and what a batch is computed in. Frames under way come on top.
 */
export function processBytes(
  { modelBytes, mmprojBytes, kvBytesPerPosition, embeddingWidth }: NativeModelFacts,
  kvType: KvType,
  sequences: number,
  contextPerSequence: number
): number {
  const kept = sequences * roundUp(contextPerSequence) * kvBytesPerPosition * kvScale[kvType]
  const computing = batch.rows * batch.widths * embeddingWidth * 4
  return emptyProcess + modelBytes + mmprojBytes + kept + computing
}
