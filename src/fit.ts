import { VcapError } from './errors'
import type { Addon, NativeVision } from './native/addon'

interface Size {
  width: number
  height: number
}

/** What the images have to fit. */
interface Context {
  contextPerSequence: number
  vision: NativeVision
}

/** What beside the images needs room in the context, in tokens. */
interface Budget {
  promptTokens: number
  maxTokens: number
}

/** More tiles than any grid has; the addon takes a 32-bit number. */
const everyTile = 0x7fffffff

/**
 * How many tiles the grid of each image may have. `auto`: the most detail whose tokens fit
 * the context with prompt and answer, the same bound for all images. Throws
 * `context_overflow` with the numbers where even the least asked for does not fit.
 */
export function fitTiles(
  addon: Addon,
  info: Context,
  anyres: 'auto' | 'full' | 'off',
  images: Size[],
  budget: Budget
): number {
  const room = info.contextPerSequence - budget.promptTokens - budget.maxTokens
  const tokens = (maxTiles: number) =>
    images.reduce((sum, { width, height }) => sum + addon.tileLayout(info.vision, width, height, maxTiles).tokens, 0)
  const bounds = anyres === 'off' ? [0] : anyres === 'full' ? [everyTile] : [...gridSizes(info), 0]
  const fitting = bounds.find((bound) => tokens(bound) <= room)
  if (fitting !== undefined) return fitting
  const least = tokens(bounds.at(-1)!)
  throw new VcapError(
    'context_overflow',
    `${images.length} image${images.length === 1 ? '' : 's'} need ${least} tokens, the prompt ${budget.promptTokens} and the answer ${budget.maxTokens}: ` +
      `${least + budget.promptTokens + budget.maxTokens} of ${info.contextPerSequence} positions`
  )
}

/** Numbers of tiles that a grid of this model can have, the most first. */
function gridSizes({ vision: { pinpoints, tileSize } }: Context): number[] {
  const sizes = pinpoints.map(([width, height]) => Math.floor(width / tileSize) * Math.floor(height / tileSize))
  return [...new Set(sizes)].sort((a, b) => b - a)
}
