import { execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

/** A folder of its own for one test file, removed when the process ends. */
export function temporaryFolder() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vcap-test-'))
  process.on('exit', () => fs.rmSync(folder, { recursive: true, force: true }))
  return folder
}

export function ffmpeg(...args) {
  execFileSync('ffmpeg', ['-v', 'error', '-nostdin', '-y', ...args], { stdio: ['ignore', 'ignore', 'inherit'] })
}

export function hasEncoder(name) {
  return spawnSync('ffmpeg', ['-hide_banner', '-h', `encoder=${name}`], { encoding: 'utf8' }).stdout.startsWith(
    'Encoder'
  )
}

const bits = 10

/** Raw RGB frames, each of which carries its index as ten black or white bars. */
export function countingFrames(count, width, height) {
  const frames = Buffer.alloc(count * width * height * 3)
  for (let frame = 0; frame < count; frame++) {
    const row = Buffer.alloc(width * 3)
    for (let x = 0; x < width; x++) row.fill((frame >> Math.floor((x * bits) / width)) & 1 ? 235 : 20, x * 3, x * 3 + 3)
    for (let y = 0; y < height; y++) row.copy(frames, (frame * height + y) * width * 3)
  }
  return frames
}

/** Encodes `count` counting frames to `file`; `args` go before the file's name. */
export function countingClip(file, args, { count = 100, width = 320, height = 240, fps = 25, before = [] } = {}) {
  const raw = `${file}.rgb`
  fs.writeFileSync(raw, countingFrames(count, width, height))
  ffmpeg(
    '-f',
    'rawvideo',
    '-pix_fmt',
    'rgb24',
    '-s',
    `${width}x${height}`,
    '-r',
    String(fps),
    '-i',
    raw,
    ...before,
    ...args,
    `file:${file}`
  )
  fs.rmSync(raw)
  return file
}

/** The index that a counting frame carries. */
export function readCount({ data, width, height }) {
  let count = 0
  for (let bit = 0; bit < bits; bit++) {
    const x = Math.floor(((bit + 0.5) * width) / bits)
    const y = Math.floor(height / 4)
    if (data[(y * width + x) * 3 + 1] > 128) count |= 1 << bit
  }
  return count
}
