import { VcapError } from './errors'
import type { NativePooling, NativeVision } from './native/addon'
import type { PoolingSettings } from './options'

/**
 * How a video's frames are pooled: as the options say and, where they leave it open, as the model was trained.
 * Undefined where they never are; with `ifNeeded` where they are only if nothing else fits. Throws `usage` for what the
 * model cannot do.
 */
export function choosePooling(vision: NativeVision, settings: PoolingSettings): NativePooling | undefined {
  const { framePool, framePoolMode, framePoolPlace, frameNewline } = settings
  const stride = framePool ?? vision.pooling.stride
  if (framePool === 1) return undefined
  const side = vision.tileSize / vision.patchSize
  if (stride > side) {
    throw new VcapError('usage', `This model's frames have ${side} × ${side} patches, too few for a pool of ${stride}`)
  }
  if (frameNewline !== undefined && frameNewline !== 'no_token' && !vision.newline) {
    throw new VcapError('usage', `This model has no newline feature for ${frameNewline}: no_token is what it can do`)
  }
  return {
    stride,
    ...(stride === 1 && { ifNeeded: true }),
    mode: framePoolMode ?? vision.pooling.mode,
    place: framePoolPlace ?? vision.pooling.place,
    newline: frameNewline ?? vision.pooling.newline
  }
}
