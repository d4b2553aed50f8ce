import { spawnSync } from 'node:child_process'
import { VcapError } from '../errors'
import { runFfmpeg } from '../frames/ffmpeg'
import { failureReason } from '../frames/ffmpeg-index'
import { loadSharp } from '../sharp'
import { SceneRenderer } from './draw'
import type { Scene } from './world'

/** A container format and a codec in which clips are written. */
export interface ClipFormat {
  /** Extension of the file's name, which selects the container. */
  extension: string
  /** FFmpeg's name of the encoder. */
  encoder: string
  /** Arguments of ffmpeg for this encoder and container. */
  args: string[]
}

const clipFormats: ClipFormat[] = [
  {
    extension: 'mp4',
    encoder: 'libx264',
    args: ['-preset', 'ultrafast', '-crf', '22', '-pix_fmt', 'yuv420p', '-movflags', '+faststart']
  },
  {
    extension: 'webm',
    encoder: 'libvpx-vp9',
    args: ['-deadline', 'realtime', '-cpu-used', '8', '-b:v', '0', '-crf', '32', '-pix_fmt', 'yuv420p']
  },
  {
    extension: 'mkv',
    encoder: 'libx265',
    args: ['-preset', 'ultrafast', '-crf', '24', '-pix_fmt', 'yuv420p', '-x265-params', 'log-level=none']
  },
  { extension: 'mov', encoder: 'mpeg4', args: ['-q:v', '4', '-pix_fmt', 'yuv420p'] }
]

/** Milliseconds after which encoding one clip is given up. */
const encodeTimeoutMs = 600_000

/** Extensions of the image formats in which images are written. */
export const imageFormats = ['jpg', 'png', 'webp'] as const

/** The clip formats for which the ffmpeg at this path has the encoder. Throws `ffmpeg_missing` where it has none. */
export function availableFormats(ffmpeg: string): ClipFormat[] {
  const { stdout } = spawnSync(ffmpeg, ['-hide_banner', '-encoders'], { encoding: 'utf8' })
  const encoders = new Set((stdout ?? '').split('\n').map((line) => line.trim().split(/\s+/)[1]))
  const formats = clipFormats.filter(({ encoder }) => encoders.has(encoder))
  if (formats.length === 0)
    throw new VcapError(
      'ffmpeg_missing',
      `ffmpeg at ${ffmpeg} has none of the encoders ${clipFormats.map(({ encoder }) => encoder).join(', ')}`
    )
  return formats
}

/**
 * Renders a scene and encodes it into `file`. `ffmpeg` is the path of the command. Rejects with `write_failed`,
 * `ffmpeg_missing` or `aborted`.
 */
export async function writeClip(
  file: string,
  scene: Scene,
  seed: number,
  format: ClipFormat,
  ffmpeg: string,
  signal?: AbortSignal
): Promise<void> {
  const { width, height, fps, length } = scene
  const renderer = new SceneRenderer(scene, seed)
  async function* frames() {
    for (let i = 0; i < length; i++) yield renderer.frame(i).data
  }
  const input = ['-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s', `${width}x${height}`, '-r', String(fps), '-i', 'pipe:0']
  const outcome = await runFfmpeg(
    ['-loglevel', 'error', '-y', ...input, '-c:v', format.encoder, ...format.args, `file:${file}`],
    { ffmpeg, deadline: performance.now() + encodeTimeoutMs, signal },
    { input: frames(), outputs: [] }
  )
  if (outcome.status !== 0)
    throw new VcapError('write_failed', `${file} could not be encoded: ${failureReason(outcome)}`)
}

/** Renders the first frame of a scene into `file`, whose extension selects the format. Rejects with sharp's errors. */
export async function writeImage(file: string, scene: Scene, seed: number): Promise<void> {
  const { data, width, height } = new SceneRenderer(scene, seed).frame(0)
  await loadSharp()(data, { raw: { width, height, channels: 3 } })
    // `force: false`: these options apply only where the extension selects their format.
    .jpeg({ quality: 88, force: false })
    .webp({ quality: 85, force: false })
    .toFile(file)
}
