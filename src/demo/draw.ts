import type { Picture } from '../picture'
import { Random } from './random'
import type { Pose, Scene, Subject } from './world'

/** Draws the frames of a scene. The same frames drawn in the same order with the same seed have the same pixels. */
export class SceneRenderer {
  readonly #scene: Scene
  /** The light on each pixel as a factor of its colour. */
  readonly #light: Float32Array
  /** The lit background as RGB. */
  readonly #background: Uint8ClampedArray
  /** Random differences of a colour value, of which each frame takes a run from a random start. */
  readonly #noise: Int8Array
  readonly #random: Random

  constructor(scene: Scene, seed: number) {
    this.#scene = scene
    this.#random = new Random(seed)
    this.#light = lightMap(scene)
    this.#background = new Uint8ClampedArray(this.#light.length * 3)
    for (let i = 0; i < this.#light.length; i++) {
      for (let c = 0; c < 3; c++) this.#background[i * 3 + c] = scene.backdrop[c]! * this.#light[i]!
    }
    this.#noise = noiseTable(this.#random, scene.noise)
  }

  /** Draws the frame with this index, from 0. */
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
    const coverageAt = coverage[subject.shape]
    const [left, right] = [Math.max(0, Math.floor(x - r - 1)), Math.min(width - 1, Math.ceil(x + r + 1))]
    const [top, bottom] = [Math.max(0, Math.floor(y - r - 1)), Math.min(height - 1, Math.ceil(y + r + 1))]
    for (let pixelY = top; pixelY <= bottom; pixelY++) {
      for (let pixelX = left; pixelX <= right; pixelX++) {
        const covered = coverageAt(pixelX + 0.5 - x, pixelY + 0.5 - y, r)
        if (covered <= 0) continue
        const pixel = pixelY * width + pixelX
        for (let c = 0; c < 3; c++)
          data[pixel * 3 + c] = mix(data[pixel * 3 + c]!, foreground[c]! * this.#light[pixel]!, covered)
      }
    }
  }

  #addNoise(data: Uint8ClampedArray): void {
    if (this.#scene.noise < 0.5) return
    const noise = this.#noise
    const mask = noise.length - 1
    let offset = Math.floor(this.#random.between(0, noise.length))
    for (let i = 0; i < data.length; i++) {
      data[i] = data[i]! + noise[offset]!
      offset = (offset + 1) & mask
    }
  }
}

/**
 * By shape, the part of a pixel that the shape covers, from 0 to 1. `dx` and `dy` lead from the shape's centre to the
 * pixel's centre and `r` is the shape's half-extent, all in pixels. Edges are antialiased over one pixel.
 */
const coverage: Record<Subject['shape'], (dx: number, dy: number, r: number) => number> = {
  circle: (dx, dy, r) => edgeCoverage(r - Math.hypot(dx, dy)),
  square: (dx, dy, r) => boxCoverage(dx, dy, r, r),
  triangle: (dx, dy, r) => Math.min(edgeCoverage(r - dy), edgeCoverage((dy + r - 2 * Math.abs(dx)) / Math.sqrt(5))),
  cross: (dx, dy, r) => Math.max(boxCoverage(dx, dy, r, r / 3), boxCoverage(dx, dy, r / 3, r))
}

function boxCoverage(dx: number, dy: number, halfWidth: number, halfHeight: number): number {
  return edgeCoverage(halfWidth - Math.abs(dx)) * edgeCoverage(halfHeight - Math.abs(dy))
}

/** The part of a pixel inside an edge. `distance` leads inwards from the edge to the pixel's centre, in pixels. */
function edgeCoverage(distance: number): number {
  return Math.min(1, Math.max(0, distance + 0.5))
}

/** Interpolates linearly from `a` at t = 0 to `b` at t = 1. */
function mix(a: number, b: number, t: number): number {
  return a + (b - a) * t
}

/** The light on each pixel as a factor: it changes linearly over the frame from 1 - gradient to 1 + gradient. */
function lightMap({ width, height, gradient, gradientAngle }: Scene): Float32Array {
  const light = new Float32Array(width * height)
  const [gx, gy] = [Math.cos(gradientAngle) * gradient, Math.sin(gradientAngle) * gradient]
  // At the corners `gx` and `gy` add up: the scale makes the largest sum there equal to `gradient`.
  const scale = gradient / (Math.abs(gx) + Math.abs(gy) || 1)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      light[y * width + x] = 1 + scale * (gx * ((2 * x) / width - 1) + gy * ((2 * y) / height - 1))
    }
  }
  return light
}

/**
 * Random numbers with the given standard deviation. They are sums of three uniform ones and so have roughly a normal
 * distribution. The table's length is a power of two, so that an offset into it wraps around with a mask.
 */
function noiseTable(random: Random, deviation: number): Int8Array {
  return Int8Array.from({ length: 1 << 16 }, () =>
    Math.round((random.between(-1, 1) + random.between(-1, 1) + random.between(-1, 1)) * deviation)
  )
}
