import { chooseGpus } from './devices/choose'
import { findDevices } from './devices/find'
import { memoryBudget, type MemoryBudget } from './devices/memory'
import { findModel } from './models'
import type { NativeDevice, NativeModelFacts, NativePrompt } from './native/addon'
import { loadAddon } from './native/load'
import { parsePlanOptions, type PlanOptions } from './options'
import { buildPrompt } from './prompts'

/** What rows whose frames have one size cost. */
export interface PlannedFrames {
  /** Of each frame, in pixels. */
  width: number
  height: number
  /** Frames a row. */
  frames: number
  /** Tiles that the vision tower takes for one row. */
  tiles: number
  /** Image tokens of one row. */
  imageTokens: number
  /** Positions a row needs with prompt and answer. */
  positions: number
  /** Rows of this kind whose keys and values fit beside the weights at once. */
  sequences: number
}

/** What a model needs on certain devices. */
export interface Plan {
  model: NativeModelFacts
  devices: NativeDevice[]
  /** Positions of each caption. */
  contextPerSequence: number
  memory: MemoryBudget
  /** Frame sizes and numbers that fit the context. */
  frames: PlannedFrames[]
  /** The prompt as the model gets it, where one was asked for. */
  prompt?: NativePrompt
}

/** Tokens of a long question: the reference's own has about so many. */
const promptTokens = 400
const sizes = [
  [1280, 720],
  [720, 1280],
  [640, 480],
  [597, 336]
] as const

/**
 * What a model needs on the devices asked for, from its files' headers: nothing is loaded.
 * Throws `usage`, `model_not_found`, `model_invalid`, `model_mismatch`, `device_unavailable`,
 * `engine_lost`.
 */
export async function plan(options?: PlanOptions): Promise<Plan> {
  const settings = parsePlanOptions(options)
  const files = findModel(settings.model, settings.mmproj)
  const addon = loadAddon()
  const model = addon.inspect(files.model, files.mmproj, settings.chatTemplate)
  const { local, servers } = await findDevices(settings.rpc, undefined)
  const chosen = [...chooseGpus(addon.build, settings.gpus, local), ...servers.flatMap(({ devices: remote }) => remote)]
  const devices = chosen.length > 0 ? chosen : local.filter(({ type }) => type === 'cpu')
  const memory = memoryBudget(model, devices, settings.kvType)
  const contextPerSequence = settings.contextPerSequence || model.contextTrained
  const room = contextPerSequence - promptTokens - settings.maxTokens

  const frames: PlannedFrames[] = []
  for (const [width, height] of sizes) {
    for (const count of [1, 3]) {
      const pictures = Array.from({ length: count }, () => ({ width, height }))
      const layouts = addon.fit(files.mmproj, pictures, settings.anyres, room)
      const sum = (key: 'tiles' | 'tokens') => layouts.reduce((total, layout) => total + layout[key], 0)
      const imageTokens = sum('tokens')
      if (imageTokens > room) continue
      const positions = imageTokens + promptTokens + settings.maxTokens
      const sequences = Math.floor(memory.left / (positions * memory.kvPerPosition))
      frames.push({ width, height, frames: count, tiles: sum('tiles'), imageTokens, positions, sequences })
    }
  }
  if (settings.prompt === undefined) return { model, devices, contextPerSequence, memory, frames }
  const question = buildPrompt(settings.prompt, 1, undefined)
  const prompt = addon.promptTokens(files.model, files.mmproj, settings.chatTemplate, question)
  return { model, devices, contextPerSequence, memory, frames, prompt }
}
