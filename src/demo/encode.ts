import { VcapError } from '../errors'
import { loadSharp } from '../sharp'
import type { ClipEncoder, ClipFormat } from './clip-encoder'
import { CommandEncoder } from './command-encoder'
import { SceneRenderer } from './draw'
import { LibavEncoder } from './libav-encoder'
import type { Scene } from './world'

const clipFormats: ClipFormat[] = [
  { extension: 'mp4', encoder: 'libx264', options: { preset: 'ultrafast', crf: '22' } },
  { extension: 'webm', encoder: 'libvpx-vp9', options: { deadline: 'realtime', 'cpu-used': '8', b: '0', crf: '32' } },
  {
    extension: 'mkv',
    encoder: 'libx265',
    options: { preset: 'ultrafast', crf: '24', 'x265-params': 'log-level=none' }
  },
  { extension: 'mov', encoder: 'mpeg4', options: { qmin: '4', qmax: '4' } }
]

/** Extensions of the image formats in which images are written. */
export const imageFormats = ['jpg', 'png', 'webp'] as const

/** FFmpeg's command at a path, or, without one, its libraries by node-av. Rejects with `ffmpeg_missing`. */
export async function openClipEncoder(ffmpeg: string | undefined): Promise<ClipEncoder> {
  if (ffmpeg !== undefined) return new CommandEncoder(ffmpeg)
  try {
    return await LibavEncoder.open()
  } catch (cause) {
    throw new VcapError('ffmpeg_missing', `node-av does not load: ${(cause as Error).message}`, { cause })
  }
}

/** The clip formats that an encoder can write. Throws `ffmpeg_missing` where it has no codec for any. */
export function availableFormats(encoder: ClipEncoder): ClipFormat[] {
  const formats = clipFormats.filter((format) => encoder.has(format.encoder))
  if (formats.length === 0)
    throw new VcapError(
      'ffmpeg_missing',
      `${encoder.name} has none of the encoders ${clipFormats.map(({ encoder }) => encoder).join(', ')}`
    )
  return formats
}

/** Renders a scene and encodes it into `file`. Rejects with `write_failed`, `ffmpeg_missing` or `aborted`. */
export async function writeClip(
  file: string,
  scene: Scene,
  seed: number,
  format: ClipFormat,
  encoder: ClipEncoder,
  signal?: AbortSignal
): Promise<void> {
  const { width, height, fps, length } = scene
  const renderer = new SceneRenderer(scene, seed)
  async function* frames() {
    for (let i = 0; i < length; i++) yield renderer.frame(i).data
  }
  await encoder.write(file, { frames: frames(), width, height, fps }, format, signal)
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
