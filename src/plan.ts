import { findDevices } from './devices/find'
import {
  fittingSequences,
  maxTrainedContext,
  memoryBudget,
  modelNeeds,
  processBytes,
  type MemoryBudget
} from './devices/memory'
import { contextOf } from './devices/context'
import { assumeDevices, ratesOf } from './devices/rates'
import { chooseDeviceSets, describeSets, devicesOf, type FoundDevices } from './devices/sets'
import { estimateSpeed, type Speed } from './devices/speed'
import { findModel } from './models/find'
import type { Detail, NativeDevice, NativeModelFacts, NativePooling, NativePrompt } from './native/addon'
import { loadAddon } from './native/load'
import { parsePlanOptions, type PlanOptions } from './options'
import { choosePooling } from './pooling'
import { choosePrompt } from './prompts/prompt-file'
import { buildPrompt } from './prompts/question'

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
  /** How the frames are pooled; left out where they are not. */
  framePool?: number
  /** Positions a row needs with prompt and answer. */
  positions: number
  /** Rows of this kind whose keys and values fit beside the weights at once, on one replica. */
  sequences: number
  /** The same over all replicas. */
  sequencesInAll: number
  /** Rows a second of all replicas, by arithmetic; undefined for the CPU and RPC servers. */
  speed?: Speed
}

/** What a model needs on certain devices. */
export interface Plan {
  model: NativeModelFacts
  devices: NativeDevice[]
  /** Devices of each replica, how many replicas, and captions at once in each: those asked for, or what is best. */
  tpSize: number
  dpSize: number
  sequences: number
  /** Positions of each caption. */
  contextPerSequence: number
  /** Of one replica's devices. */
  memory: MemoryBudget
  /** Bytes that the process of a replica takes on the CPU; undefined on other devices. */
  processBytes?: number
  /** Whose rates the speed is computed with, where it is. */
  ratesOf?: string
  /** Frame sizes and numbers that fit the context. */
  frames: PlannedFrames[]
  /** Ways to spend tokens on a video of the first size, whether they fit the context or not. */
  alternatives: PlannedFrames[]
  /** The prompt as the model gets it, where one was asked for. */
  prompt?: NativePrompt
}

/** Tokens of a long question: the reference's own has about so many. */
const promptTokens = 400
/** Tokens of a usual answer, where the speed is estimated. */
const answerTokens = 120
/** Frames of a row. */
const frameCounts = [1, 3]
/** Ways to spend tokens on a video, the most detail a frame first. */
const alternativeWays = [
  { frames: 3, detail: 'full', stride: 1 },
  { frames: 3, detail: 'off', stride: 1 },
  { frames: 8, detail: 'off', stride: 1 },
  { frames: 8, detail: 'off', stride: 2 },
  { frames: 16, detail: 'off', stride: 2 },
  { frames: 16, detail: 'off', stride: 3 },
  { frames: 32, detail: 'off', stride: 4 }
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
  const asked = contextOf(addon, files, model, {
    ...settings,
    numFrames: settings.numFrames ?? Math.max(...frameCounts),
    text: undefined
  })
  const found: FoundDevices = settings.assume
    ? { local: assumeDevices(settings.assume), servers: [] }
    : await findDevices(settings.rpc, undefined)
  const gpus = settings.assume ? undefined : settings.gpus
  const sets = chooseDeviceSets(
    addon.build,
    found,
    { ...settings, gpus },
    modelNeeds(model, { ...settings, contextPerSequence: asked })
  )
  const { replica, tpSize, replicas } = describeSets(sets, found)
  const memory = memoryBudget(model, replica, settings.kvType, { replicas })
  const contextPerSequence = asked || model.contextTrained
  const positions = asked || Math.min(model.contextTrained, maxTrainedContext)
  const sequences = settings.sequences ?? fittingSequences(memory, positions)
  const pooling = choosePooling(model.vision, settings)
  const rates = replica[0] && ratesOf(replica[0])
  // Streams of `auto` are as long as the rows need.
  const longest = settings.contextPerSequence === 'auto' ? model.contextTrained : contextPerSequence
  const room = longest - promptTokens - settings.maxTokens

  const planned = (size: string, count: number, detail: Detail, pool: NativePooling | undefined, bound = room) => {
    const [width = 0, height = 0] = size.split('x').map(Number)
    const pictures = Array.from({ length: count }, () => ({ width, height }))
    const layouts = addon.fit(files.mmproj, pictures, detail, bound, pool)
    const sum = (key: 'tiles' | 'tokens') => layouts.reduce((total, layout) => total + layout[key], 0)
    const imageTokens = sum('tokens')
    if (imageTokens > bound) return []
    const [tiles, framePool] = [sum('tiles'), layouts[0]?.framePool]
    const needed = imageTokens + promptTokens + settings.maxTokens
    const atOnce = Math.floor(memory.left / (needed * memory.kvPerPosition))
    const row = { tiles, prompt: imageTokens + promptTokens, answer: answerTokens }
    const doing = rates && { rates, devices: tpSize, replicas: sets.length, sequences: Math.min(sequences, atOnce) }
    const made: PlannedFrames = {
      ...{ width, height, frames: count, tiles, imageTokens, positions: needed },
      ...{ sequences: atOnce, sequencesInAll: atOnce * sets.length },
      ...(framePool !== undefined && { framePool }),
      ...(doing && atOnce > 0 && { speed: estimateSpeed(model, memory.kvPerPosition, row, doing) })
    }
    return [made]
  }
  const counts = settings.numFrames === undefined ? frameCounts : [settings.numFrames]
  const frames = settings.sizes.flatMap((size) =>
    counts.flatMap((count) => planned(size, count, settings.anyres, pooling))
  )
  const side = model.vision.tileSize / model.vision.patchSize
  const alternatives = settings.sizes.slice(0, 1).flatMap((size) =>
    alternativeWays.flatMap(({ frames, detail, stride }) => {
      if (stride > side) return []
      const pool: NativePooling | undefined =
        stride > 1 ? { ...(pooling ?? model.vision.pooling), stride, ifNeeded: false } : undefined
      return planned(size, frames, detail, pool, Infinity)
    })
  )
  const made: Plan = {
    ...{ model, devices: sets.flatMap((set) => devicesOf(set, found)), tpSize, dpSize: sets.length, sequences },
    ...{ contextPerSequence, memory, frames, alternatives },
    ...(rates && { ratesOf: rates.name }),
    ...(replica.every(({ type }) => type === 'cpu') && {
      processBytes: processBytes(model, settings.kvType, sequences, positions)
    })
  }
  if (replicas > 1) made.devices = replica // the CPU is one, whoever shares it
  if (settings.prompt === undefined && settings.promptFile === undefined) return made
  const { promptFile, prompt, presets } = settings
  const question = buildPrompt(promptFile === undefined ? { prompt, presets } : choosePrompt(promptFile, prompt), {
    images: 1
  })
  return { ...made, prompt: addon.promptTokens(files.model, files.mmproj, settings.chatTemplate, question) }
}
