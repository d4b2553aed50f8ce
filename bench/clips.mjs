/**
 * Clips to decode: a moving picture with film grain, encoded as H.264 in the way that cameras and video sites do.
 * Each is rendered once, into the cache.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, renameSync } from 'node:fs'
import { findFfmpeg } from '../dist/frames/tools.js'
import { inCache } from './cache.mjs'

export const framesPerSecond = 30

/** The file of one clip; clips of other seeds show other places. */
export function clip({ width, height, seconds, seed = 0 }) {
  const file = inCache('clips', `${width}x${height}-${seconds}s-${seed}.mp4`)
  if (existsSync(file)) return file
  const [x, y] = [-0.743643887 + seed * 1e-4, -0.131825904 - seed * 1e-4]
  const partial = inCache('clips', `partial-${process.pid}.mp4`)
  const { status, stderr } = spawnSync(
    findFfmpeg(undefined).path,
    [
      '-hide_banner',
      '-loglevel',
      'error',
      '-y',
      '-f',
      'lavfi',
      '-i',
      `mandelbrot=size=${width}x${height}:rate=${framesPerSecond}:start_x=${x}:start_y=${y}:maxiter=200`,
      '-t',
      String(seconds),
      '-vf',
      `noise=alls=6:allf=t:all_seed=${seed}`,
      '-c:v',
      'libx264',
      '-preset',
      'veryfast',
      '-crf',
      '23',
      '-pix_fmt',
      'yuv420p',
      partial
    ],
    { encoding: 'utf8' }
  )
  if (status !== 0) throw new Error(`ffmpeg could not render a clip: ${stderr}`)
  renameSync(partial, file)
  return file
}
