import { chooseDevices } from './devices'
import { VcapError } from './errors'
import { fitTiles } from './fit'
import { memoryBudget, type MemoryBudget } from './memory'
import { findModel } from './models'
import type { NativeDevice, NativeModelFacts, NativeTileLayout } from './native/addon'
import { loadAddon } from './native/load'
import { parsePlanOptions, type PlanOptions } from './options'

/** What one frame size costs. */
export interface PlannedFrames {
  width: number
  height: number
  frames: number
  /** Tiles the vision tower takes for one row. */
  tiles: number
  imageTokens: number
  /** Positions a row needs with prompt and answer. */
  positions: number
  /** Rows of this kind whose keys and values fit beside the weights at once. */
  sequences: number
}

export interface Plan {
  model: NativeModelFacts
  devices: NativeDevice[]
  contextPerSequence: number
  memory: MemoryBudget
  frames: PlannedFrames[]
}

/** A long question in tokens: the reference's own is about that. */
const promptTokens = 400
const sizes = [
  [1280, 720],
  [720, 1280],
  [640, 480],
  [597, 336]
] as const

/**
 * What a model needs on the devices asked for, from its files' headers: nothing is loaded.
 * Throws `usage`, `model_not_found`, `model_invalid`, `model_mismatch`, `device_unavailable`.
 */
export function plan(options?: PlanOptions): Plan {
  const settings = parsePlanOptions(options)
  const files = findModel(settings.model, settings.mmproj)
  const addon = loadAddon()
  const model = addon.inspect(files.model, files.mmproj, settings.chatTemplate)
  const { devices } = chooseDevices(addon, settings.gpus, settings.rpc)
  const memory = memoryBudget(model, devices, settings.kvType)
  const contextPerSequence = settings.contextPerSequence || model.contextTrained
  const budget = { promptTokens, maxTokens: settings.maxTokens }

  const frames = sizes
    .flatMap(([width, height]) =>
      [1, 3].map((count) => {
        const images = Array.from({ length: count }, () => ({ width, height }))
        let layout: NativeTileLayout
        try {
          const maxTiles = fitTiles(addon, { ...model, contextPerSequence }, settings.anyres, images, budget)
          layout = addon.tileLayout(model.vision, width, height, maxTiles)
        } catch (error) {
          if (error instanceof VcapError && error.code === 'context_overflow') return undefined
          throw error
        }
        const imageTokens = layout.tokens * count
        const positions = imageTokens + promptTokens + settings.maxTokens
        return {
          width,
          height,
          frames: count,
          tiles: layout.tiles * count,
          imageTokens,
          positions,
          sequences: Math.floor(memory.left / (positions * memory.kvPerPosition))
        }
      })
    )
    .filter((row) => row !== undefined)
  return { model, devices, contextPerSequence, memory, frames }
}
