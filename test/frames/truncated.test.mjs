/** Files that have less than their containers promise: refused, or captioned as far as they go and marked. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import test, { after } from 'node:test'
import sharp from 'sharp'
import { Decoder } from '../../dist/frames/decoder.js'
import { findFfmpeg } from '../../dist/frames/tools.js'
import { parseFrameOptions } from '../../dist/options/index.js'
import { readRows, run } from '../helpers/cli.mjs'
import { countingClip, ffmpeg, readCount, temporaryFolder } from '../helpers/media.mjs'

const folder = temporaryFolder()
const at = (name) => path.join(folder, name)
const command = findFfmpeg(undefined).path
const decoder = new Decoder(2)
after(() => decoder.close())
const sample = (file, options) => decoder.sample(file, parseFrameOptions(options))
const byBoth = [{}, { ffmpeg: command }]

const h264 = ['-c:v', 'libx264', '-preset', 'veryfast', '-pix_fmt', 'yuv420p', '-g', '10', '-bf', '2']
const longerSound = { before: ['-f', 'lavfi', '-i', 'sine=d=7'] }
/** Files are cut at this share of their media data, where nothing else is said. */
const half = 0.5
const containers = [
  ['index-first.mp4', [...h264, '-movflags', '+faststart']],
  ['longer-sound.mp4', [...h264, '-c:a', 'aac', '-movflags', '+faststart'], longerSound, 0.2],
  ['fragments.mp4', [...h264, '-movflags', 'frag_keyframe+empty_moov+default_base_moof']],
  ['index-first.mov', ['-c:v', 'mjpeg', '-movflags', '+faststart']],
  ['clip.mkv', h264],
  ['sound.mkv', [...h264, '-c:a', 'aac', '-shortest'], longerSound],
  ['clip.webm', ['-c:v', 'libvpx', '-deadline', 'realtime', '-g', '10']],
  ['clip.avi', ['-c:v', 'mpeg4', '-g', '10']],
  ['clip.flv', ['-c:v', 'flv', '-g', '10']],
  ['clip.wmv', ['-c:v', 'wmv2', '-g', '10']]
]

const message = /^truncated: (\d+ of 83 frames|it ends at \d\.\d s of \d\.\d s|it breaks off after \d+ frames)$/

/** A copy of `file` that ends at this share of its media data, or is filled up with zeros from there on. */
function spoil(file, part, how) {
  const bytes = fs.readFileSync(file)
  const data = Math.max(0, bytes.indexOf('mdat'), bytes.indexOf('movi'))
  const end = data + Math.floor((bytes.length - data) * part)
  const name = path.join(folder, `${how}-${part}-${path.basename(file)}`)
  fs.writeFileSync(name, how === 'cut' ? bytes.subarray(0, end) : bytes.fill(0, end))
  return name
}

for (const [name, args, more, part = half] of containers) {
  test(`less than it promises: ${name}`, async () => {
    const file = countingClip(at(name), args, { count: 83, width: 160, height: 96, ...more })
    for (const options of byBoth) assert.deepEqual((await sample(file, options)).length, 83, 'the whole file is sound')
    for (const how of ['cut', 'zeros']) {
      const spoiled = spoil(file, part, how)
      for (const options of byBoth) {
        await assert.rejects(sample(spoiled, options), { code: 'unreadable', message })
        const { frames, length, partial } = await sample(spoiled, { ...options, allowPartial: true })
        assert.equal(partial, true)
        assert.ok(length < 75, `${length} frames are left`)
        const early = frames.slice(0, 2)
        assert.deepEqual(
          early.map(readCount),
          early.map(({ index }) => index)
        )
      }
    }
  })
}

test('what is no truncation: an end without an index, a live recording, padding, a tail of black', async () => {
  const sound = []
  const make = (name, args, more) => {
    const file = countingClip(at(name), args, { count: 83, width: 160, height: 96, ...more })
    sound.push(file)
    return file
  }
  // Only the cues, which stand behind the last frame, are missing.
  const mkv = make('no-cues.mkv', h264)
  fs.truncateSync(mkv, fs.readFileSync(mkv).lastIndexOf(Buffer.from('1c53bb6b', 'hex')))
  make('live.mkv', [...h264, '-live', '1', '-f', 'matroska'])
  fs.appendFileSync(
    make('padded.mp4', h264),
    Buffer.concat([Buffer.from([0, 0, 16, 0]), Buffer.from('free'), Buffer.alloc(4088)])
  )
  make('sound-after.mp4', [...h264, '-c:a', 'aac'], longerSound)
  for (const file of sound) {
    for (const options of byBoth) assert.equal((await sample(file, options)).length, 83, file)
  }
  ffmpeg('-f', 'lavfi', '-i', 'color=black:s=64x48:d=2', '-c:v', 'rawvideo', '-pix_fmt', 'bgr24', at('black.avi'))
  ffmpeg('-f', 'lavfi', '-i', 'color=black:s=64x48:d=2', '-c:v', 'rawvideo', '-pix_fmt', 'rgb24', at('black.mov'))
  for (const name of ['black.avi', 'black.mov']) assert.equal((await sample(at(name))).length, 50, name)
})

test('a file without its index says so', async () => {
  const file = spoil(countingClip(at('index-last.mp4'), h264, { count: 20 }), 0.6, 'cut')
  for (const options of byBoth)
    await assert.rejects(sample(file, options), { message: /its index \(moov\) is missing/ })
  const bytes = fs.readFileSync(at('index-first.mp4'))
  fs.writeFileSync(at('header-only.mp4'), bytes.subarray(0, bytes.indexOf('mdat') + 8))
  for (const options of byBoth) {
    await assert.rejects(sample(at('header-only.mp4'), options), { message: 'truncated: 0 of 83 frames' })
  }
})

test('images', async () => {
  const noise = { create: { width: 90, height: 60, channels: 3, noise: { type: 'gaussian', mean: 128, sigma: 40 } } }
  const formats = ['jpeg', 'png', 'webp', 'gif', 'avif']
  for (const format of formats) {
    const file = at(`image.${format}`)
    await sharp(noise).toFormat(format).toFile(file)
    await sample(file)
    for (const how of ['cut', 'zeros']) {
      for (const part of [0.4, 0.9]) await assert.rejects(sample(spoil(file, part, how)), { code: 'unreadable' })
    }
  }
  const { partial, length } = await sample(spoil(at('image.jpeg'), 0.6, 'cut'), { allowPartial: true })
  assert.deepEqual([partial, length], [true, 1])
})

test('a run marks what it captions nonetheless', async () => {
  const file = spoil(at('index-first.mp4'), 0.5, 'cut')
  fs.writeFileSync(at('in.csv'), `path\n${file}\n${at('index-first.mp4')}\n`)
  await run(at('in.csv'), at('out.csv'), '--allow-partial')
  const rows = readRows(at('out.csv'))
  assert.deepEqual(
    rows.map(({ partial }) => partial),
    ['true', '']
  )
  assert.notEqual(rows[0].num_frames, '83')
})
