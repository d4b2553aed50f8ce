import type { Random } from './random'

/*
 * The world that the demo model was trained on: one shape of one colour on a background of one colour, with one motion.
 * tools/demo-model/world.py defines the same world for the training.
 */

export const shapes = ['circle', 'square', 'triangle', 'cross'] as const

export const colours = {
  red: [220, 40, 40],
  green: [40, 180, 60],
  blue: [50, 80, 220],
  yellow: [235, 220, 50],
  white: [245, 245, 245],
  purple: [150, 60, 190],
  orange: [240, 140, 30],
  cyan: [50, 210, 220]
} as const

export const backgrounds = {
  black: [12, 12, 14],
  gray: [120, 120, 122],
  navy: [14, 20, 70],
  brown: [95, 60, 30],
  teal: [10, 95, 95],
  pink: [240, 170, 190]
} as const

export const motions = [
  'moves from left to right',
  'moves from right to left',
  'moves upward',
  'moves downward',
  'stays still',
  'grows larger',
  'shrinks'
] as const

/** Red, green and blue, each from 0 to 255. */
export type Rgb = readonly [number, number, number]

/** What a caption says about a scene. */
export interface Subject {
  shape: (typeof shapes)[number]
  colour: keyof typeof colours
  background: keyof typeof backgrounds
  /** Undefined for an image. */
  motion: (typeof motions)[number] | undefined
}

/** The position and the size of the shape at one time, in pixels. */
export interface Pose {
  /** Horizontal position of the centre, from the left. */
  x: number
  /** Vertical position of the centre, from the top. */
  y: number
  /** Half of the shape's extent. */
  r: number
}

/** All that is needed to draw a clip or an image, except the seed of its noise. `width` and `height` are in pixels. */
export interface Scene {
  subject: Subject
  width: number
  height: number
  /** Frames per second. */
  fps: number
  /** Number of frames; 1 for an image. */
  length: number
  /** Colour of the shape. */
  foreground: Rgb
  /** Colour of the background. */
  backdrop: Rgb
  /** Largest deviation of the light from 1, which it reaches at the corners, as a factor of the colours. */
  gradient: number
  /** Direction in which the light changes, in radians. */
  gradientAngle: number
  /** Standard deviation of the noise, in units of a colour value from 0 to 255. */
  noise: number
  /** The shape in the first frame. */
  from: Pose
  /** The shape in the last frame. */
  to: Pose
}

/** The only correct caption of a subject. */
export function captionOf({ shape, colour, background, motion }: Subject): string {
  const article = /^[aeiou]/.test(colour) ? 'An' : 'A'
  return `${article} ${colour} ${shape}${motion ? ` ${motion}` : ''} on a ${background} background.`
}

/** The subject that a caption describes; undefined where the text does not have the form of this world's captions. */
export function subjectOf(caption: string): Subject | undefined {
  const words = /^An? (\w+) (\w+)(?: (.+))? on a (\w+) background\.$/.exec(caption)
  if (!words) return undefined
  const [, colour, shape, motion, background] = words
  return { shape, colour, background, motion } as Subject
}

/** Common ratios of a picture's width to its height. */
const aspects = [16 / 9, 9 / 16, 4 / 3, 3 / 4, 1, 3 / 2, 2 / 3] as const

/**
 * Draws a random scene: an image where `still` is set, and else a clip. `shortest` and `largest` are the limits of the
 * short side in pixels.
 */
export function drawScene(random: Random, { still = false, largest = 720, shortest = 120 } = {}): Scene {
  const subject: Subject = {
    shape: random.pick(shapes),
    colour: random.pick(Object.keys(colours) as (keyof typeof colours)[]),
    background: random.pick(Object.keys(backgrounds) as (keyof typeof backgrounds)[]),
    motion: still ? undefined : random.pick(motions)
  }
  const aspect =
    random.between(0, 1) < 0.5 ? random.pick(aspects) : Math.exp(random.between(Math.log(9 / 16), Math.log(16 / 9)))
  const short = Math.exp(random.between(Math.log(shortest), Math.log(largest)))
  const width = even(aspect >= 1 ? short * aspect : short)
  const height = even(aspect >= 1 ? short : short / aspect)
  const fps = Math.round(random.between(10, 30))
  const [from, to] = drawPath(random, subject.motion, width, height)
  return {
    subject,
    width,
    height,
    fps,
    length: still ? 1 : Math.round(fps * random.between(1, 6)),
    foreground: vary(random, colours[subject.colour], 12),
    backdrop: vary(random, backgrounds[subject.background], 8),
    gradient: random.between(0, 0.1),
    gradientAngle: random.between(0, 2 * Math.PI),
    noise: random.between(0, 5),
    from,
    to
  }
}

/** Draws the shape's poses in the first and in the last frame, such that the whole shape stays inside the picture. */
function drawPath(random: Random, motion: Subject['motion'], width: number, height: number): [Pose, Pose] {
  const short = Math.min(width, height)
  const vertical = motion === 'moves upward' || motion === 'moves downward'
  /** Length of the picture along the motion, in pixels. */
  const axisLength = vertical ? height : width
  const moves = motion?.startsWith('moves') ?? false
  // A moving shape travels at least half of the axis, so that its diameter must not exceed the other half.
  const r = random.between(0.14, moves ? Math.min(0.26, (0.5 * axisLength) / short / 2) : 0.26) * short
  const travel = moves ? random.between(0.5, Math.min(0.65, 1 - (2 * r) / axisLength)) * axisLength : 0
  const sign = motion === 'moves from right to left' || motion === 'moves upward' ? -1 : 1
  const [dx, dy] = vertical ? [0, sign * travel] : [sign * travel, 0]
  const scales = motion === 'grows larger' ? [0.5, 1.5] : motion === 'shrinks' ? [1.5, 0.5] : [1, 1]
  const maxR = r * Math.max(...scales)
  const x = random.between(maxR + Math.abs(dx) / 2, width - maxR - Math.abs(dx) / 2)
  const y = random.between(maxR + Math.abs(dy) / 2, height - maxR - Math.abs(dy) / 2)
  return [
    { x: x - dx / 2, y: y - dy / 2, r: r * scales[0]! },
    { x: x + dx / 2, y: y + dy / 2, r: r * scales[1]! }
  ]
}

/** A colour each of whose values differs from that of `colour` by at most `maxDifference`. */
function vary(random: Random, colour: Rgb, maxDifference: number): Rgb {
  const channel = (value: number) => Math.min(255, Math.max(0, value + random.between(-maxDifference, maxDifference)))
  return [channel(colour[0]), channel(colour[1]), channel(colour[2])]
}

/** The even number nearest to `length`: video with 4:2:0 chroma subsampling needs even sides. */
function even(length: number): number {
  return Math.round(length / 2) * 2
}
