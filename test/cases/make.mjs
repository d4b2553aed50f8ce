/** What makers of files share: ffmpeg beside others, and changes of a file's bytes. */
import { execFile } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'

const execute = promisify(execFile)

/** Frames of each clip, where a case says nothing else. */
export const frameCount = 10

/** `frames` frames, 25 a second, as the input of an ffmpeg command. Noise keeps encoders from dropping any. */
export const moving = (frames = frameCount, size = '64x48') => [
  '-f',
  'lavfi',
  '-i',
  `testsrc2=s=${size}:r=25:d=${frames / 25},noise=alls=40:allf=t`
]
export const tone = (seconds) => ['-f', 'lavfi', '-i', `sine=r=44100:d=${seconds}`]
export const x264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-g', '5']

/** Runs ffmpeg with `args`, the last of which is the output. */
export async function ffmpeg(...args) {
  const output = args.pop()
  // By its name ffmpeg chooses the container, which not every name says.
  const isChosen = args.lastIndexOf('-f') > args.lastIndexOf('-i')
  if (!/\.\w+$/.test(output) && !isChosen) args.push('-f', 'mp4')
  await execute('ffmpeg', ['-v', 'error', '-nostdin', '-y', ...args, `file:${output}`])
}

/** Clips that were made, by how: many cases change one and the same. */
const clips = new Map()

/** A maker: the moving picture through ffmpeg with these arguments. */
export const clip =
  (args, { frames, size, before = [] } = {}) =>
  async (file) => {
    const command = [...moving(frames, size), ...before, ...args]
    const key = JSON.stringify([command, path.extname(file)])
    if (!clips.has(key))
      clips.set(
        key,
        ffmpeg(...command, file).then(() => fs.readFileSync(file))
      )
    fs.writeFileSync(file, await clips.get(key))
  }

/** A maker: what `make` makes, its bytes changed by `change`, which may give others. */
export const changed = (make, change) => async (file) => {
  await make(file)
  const bytes = fs.readFileSync(file)
  fs.writeFileSync(file, change(bytes) ?? bytes)
}

/** A maker: a file that ends at this share of its bytes from the first `mark` on. */
export const cut = (make, part, mark) =>
  changed(make, (bytes) => {
    const start = mark === undefined ? 0 : bytes.indexOf(mark)
    if (start < 0) throw new Error(`there is no ${mark}`)
    return bytes.subarray(0, start + Math.floor((bytes.length - start) * part))
  })

/** A maker: a file with these bytes, or with this text. */
export const holding = (contents) => (file) => fs.writeFileSync(file, contents)
