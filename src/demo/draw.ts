import type { Picture } from '../picture'
import { Random } from './random'
import type { Pose, Scene, Subject } from './world'

/** Draws the frames of a scene one after the other. `data` of a frame is good until the next is drawn. */
export class SceneRenderer {
  readonly #scene: Scene
  /** Light on each pixel, and the background under it. */
  readonly #light: Float32Array
  readonly #background: Uint8ClampedArray
  readonly #noise: Int8Array
  readonly #random: Random

  constructor(scene: Scene, seed: number) {
    this.#scene = scene
    this.#random = new Random(seed)
    this.#light = lightOf(scene)
    this.#background = new Uint8ClampedArray(this.#light.length * 3)
    for (let i = 0; i < this.#light.length; i++) {
      for (let c = 0; c < 3; c++) this.#background[i * 3 + c] = scene.backdrop[c]! * this.#light[i]!
    }
    this.#noise = noiseTable(this.#random, scene.noise)
  }

  frame(index: number): Picture {
    const { width, height, from, to, length } = this.#scene
    const t = length > 1 ? index / (length - 1) : 0
    const data = new Uint8ClampedArray(this.#background)
    this.#paint(data, { x: mix(from.x, to.x, t), y: mix(from.y, to.y, t), r: mix(from.r, to.r, t) })
    this.#addNoise(data)
    return { data: new Uint8Array(data.buffer), width, height }
  }

  #paint(data: Uint8ClampedArray, { x, y, r }: Pose): void {
    const { width, height, foreground, subject } = this.#scene
    const covers = coverage[subject.shape]
    const [left, right] = [Math.max(0, Math.floor(x - r - 1)), Math.min(width - 1, Math.ceil(x + r + 1))]
    const [top, bottom] = [Math.max(0, Math.floor(y - r - 1)), Math.min(height - 1, Math.ceil(y + r + 1))]
    for (let row = top; row <= bottom; row++) {
      for (let col = left; col <= right; col++) {
        const share = covers(col + 0.5 - x, row + 0.5 - y, r)
        if (share <= 0) continue
        const pixel = row * width + col
        for (let c = 0; c < 3; c++)
          data[pixel * 3 + c] = mix(data[pixel * 3 + c]!, foreground[c]! * this.#light[pixel]!, share)
      }
    }
  }

  #addNoise(data: Uint8ClampedArray): void {
    if (this.#scene.noise < 0.5) return
    const noise = this.#noise
    const mask = noise.length - 1
    let place = Math.floor(this.#random.between(0, noise.length))
    for (let i = 0; i < data.length; i++) {
      data[i] = data[i]! + noise[place]!
      place = (place + 1) & mask
    }
  }
}

/** Share of a pixel that the shape covers, `dx`, `dy` from its centre: antialiased edges a pixel wide. */
const coverage: Record<Subject['shape'], (dx: number, dy: number, r: number) => number> = {
  circle: (dx, dy, r) => within(r - Math.hypot(dx, dy)),
  square: (dx, dy, r) => box(dx, dy, r, r),
  triangle: (dx, dy, r) => Math.min(within(r - dy), within((dy + r - 2 * Math.abs(dx)) / Math.sqrt(5))),
  cross: (dx, dy, r) => Math.max(box(dx, dy, r, r / 3), box(dx, dy, r / 3, r))
}

function box(dx: number, dy: number, halfWidth: number, halfHeight: number): number {
  return within(halfWidth - Math.abs(dx)) * within(halfHeight - Math.abs(dy))
}

/** From the distance inside an edge, in pixels, to coverage. */
function within(distance: number): number {
  return Math.min(1, Math.max(0, distance + 0.5))
}

function mix(a: number, b: number, t: number): number {
  return a + (b - a) * t
}

function lightOf({ width, height, gradient, gradientAngle }: Scene): Float32Array {
  const light = new Float32Array(width * height)
  const [gx, gy] = [Math.cos(gradientAngle) * gradient, Math.sin(gradientAngle) * gradient]
  const most = Math.abs(gx) + Math.abs(gy) || 1
  const scale = gradient / most // the corners reach ± gradient
  for (let row = 0; row < height; row++) {
    for (let col = 0; col < width; col++) {
      light[row * width + col] = 1 + scale * (gx * ((2 * col) / width - 1) + gy * ((2 * row) / height - 1))
    }
  }
  return light
}

/** Roughly normal (a sum of three uniforms); a power of two long, so that wrapping is a mask. */
function noiseTable(random: Random, deviation: number): Int8Array {
  return Int8Array.from({ length: 1 << 16 }, () =>
    Math.round((random.between(-1, 1) + random.between(-1, 1) + random.between(-1, 1)) * deviation)
  )
}
