import type { Random } from './random'

/*
 * The world that the demo model was trained on: one plain shape on a plain background,
 * moving in one way. tools/demo-model/world.py is its other half.
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

export type Rgb = readonly [number, number, number]

export interface Subject {
  shape: (typeof shapes)[number]
  colour: keyof typeof colours
  background: keyof typeof backgrounds
  /** Undefined in a still image. */
  motion: (typeof motions)[number] | undefined
}

/** Where the shape is at one moment: centre and half-extent, in pixels. */
export interface Pose {
  x: number
  y: number
  r: number
}

/** All that is needed to draw a clip or an image. Lengths in pixels. */
export interface Scene {
  subject: Subject
  width: number
  height: number
  fps: number
  /** Frames; 1 for an image. */
  length: number
  foreground: Rgb
  backdrop: Rgb
  /** Share by which the light changes over the frame, and the direction it changes in, in radians. */
  gradient: number
  gradientAngle: number
  /** Standard deviation of the noise, of 255. */
  noise: number
  from: Pose
  to: Pose
}

/** The one right caption. */
export function captionOf({ shape, colour, background, motion }: Subject): string {
  const article = /^[aeiou]/.test(colour) ? 'An' : 'A'
  return `${article} ${colour} ${shape}${motion ? ` ${motion}` : ''} on a ${background} background.`
}

/** The subject that a caption names; undefined where it is no caption of this world. */
export function subjectOf(caption: string): Subject | undefined {
  const words = /^An? (\w+) (\w+)(?: (.+))? on a (\w+) background\.$/.exec(caption)
  if (!words) return undefined
  const [, colour, shape, motion, background] = words
  return { shape, colour, background, motion } as Subject
}

const aspects = [16 / 9, 9 / 16, 4 / 3, 3 / 4, 1, 3 / 2, 2 / 3] as const

/** A scene at random; `still`: an image. `largest` bounds the short side. */
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

/** Start and end of the shape's way; all of it stays inside the frame. */
function drawPath(random: Random, motion: Subject['motion'], width: number, height: number): [Pose, Pose] {
  const short = Math.min(width, height)
  const upright = motion === 'moves upward' || motion === 'moves downward'
  const along = upright ? height : width
  const moves = motion?.startsWith('moves') ?? false
  // Half of the axis has to be left for the way: on a square frame that bounds the shape.
  const r = random.between(0.14, moves ? Math.min(0.26, (0.5 * along) / short / 2) : 0.26) * short
  const travel = moves ? random.between(0.5, Math.min(0.65, 1 - (2 * r) / along)) * along : 0
  const sign = motion === 'moves from right to left' || motion === 'moves upward' ? -1 : 1
  const [dx, dy] = upright ? [0, sign * travel] : [sign * travel, 0]
  const scales = motion === 'grows larger' ? [0.5, 1.5] : motion === 'shrinks' ? [1.5, 0.5] : [1, 1]
  const widest = r * Math.max(...scales)
  const x = random.between(widest + Math.abs(dx) / 2, width - widest - Math.abs(dx) / 2)
  const y = random.between(widest + Math.abs(dy) / 2, height - widest - Math.abs(dy) / 2)
  return [
    { x: x - dx / 2, y: y - dy / 2, r: r * scales[0]! },
    { x: x + dx / 2, y: y + dy / 2, r: r * scales[1]! }
  ]
}

function vary(random: Random, colour: Rgb, by: number): Rgb {
  const channel = (value: number) => Math.min(255, Math.max(0, value + random.between(-by, by)))
  return [channel(colour[0]), channel(colour[1]), channel(colour[2])]
}

/** Codecs with halved chroma want even sides. */
function even(length: number): number {
  return Math.round(length / 2) * 2
}
