import type { NativeModelFacts } from '../native/addon'
import type { GpuRates } from './rates'

/** What one row asks of a model. */
export interface RowWork {
  /** Tiles for the vision tower. */
  tiles: number
  /** Positions of images and question. */
  prompt: number
  /** Tokens of the answer. */
  answer: number
}

/** Rows a second, and what takes the time. */
export interface Speed {
  videosPerSecond: number
  /** The step that takes most of it. */
  limit: 'vision' | 'prefill' | 'decode'
  /** Share of each step. */
  shares: { vision: number; prefill: number; decode: number }
}

/** Parts of what a GPU does at most that are reached: guesses, for weights as they are and for quantised ones. */
const reached = {
  plain: { operations: 0.45, bandwidth: 0.6 },
  quantised: { operations: 0.2, bandwidth: 0.5 }
}

/** Operations of the language model over `positions` more, after `before`: products with weights, and attention. */
function languageOperations(facts: NativeModelFacts, before: number, positions: number): number {
  const outside = 2 * facts.vocabulary * facts.embeddingWidth // token embeddings and output head
  const inside = facts.parameters - outside
  const seen = positions * before + (positions * positions) / 2
  return 2 * inside * positions + 4 * facts.layers * facts.embeddingWidth * seen
}

/**
 * Rows a second of `replicas` times `devices` GPUs with so many captions at once, by arithmetic: tower and prefill are
 * bound by operations, decode by reading weights, keys and values once a step for all captions. `share`: the parts of
 * a GPU's rates that are reached; guesses where left out.
 */
export function estimateSpeed(
  facts: NativeModelFacts,
  kvPerPosition: number,
  { tiles, prompt, answer }: RowWork,
  { rates, devices, replicas, sequences }: { rates: GpuRates; devices: number; replicas: number; sequences: number },
  share = facts.modelBytes / facts.parameters < 1.9 ? reached.quantised : reached.plain
): Speed {
  const operations = devices * rates.operations * share.operations
  const vision = (tiles * facts.vision.tileOperations) / operations
  const prefill = languageOperations(facts, 0, prompt) / operations
  const step = facts.modelBytes + sequences * (prompt + answer / 2) * kvPerPosition
  const decode = (answer / sequences) * (step / (devices * rates.bandwidth * share.bandwidth))
  const seconds = vision + prefill + decode
  const shares = { vision: vision / seconds, prefill: prefill / seconds, decode: decode / seconds }
  const limit = (['vision', 'prefill', 'decode'] as const).reduce((a, b) => (shares[b] > shares[a] ? b : a))
  return { videosPerSecond: replicas / seconds, limit, shares }
}
