/** What a file is, without its frames: as frames that are decoded show it, and as ffprobe tells it. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import test, { after } from 'node:test'
import sharp from 'sharp'
import { Decoder } from '../../dist/frames/decoder.js'
import { frameRate } from '../../dist/frames/frame-rate.js'
import { findFfmpeg } from '../../dist/frames/tools.js'
import { parseFrameOptions } from '../../dist/options/index.js'
import { aperture, rotation, writeHeic } from '../helpers/heic.mjs'
import { countingClip, ffmpeg, hasEncoder, temporaryFolder } from '../helpers/media.mjs'

const folder = temporaryFolder()
const at = (name) => path.join(folder, name)
const decoder = new Decoder(2)
after(() => decoder.close())
const byBoth = [{}, { ffmpeg: findFfmpeg(undefined).path }]

/** What both readers say, which is the same, and what is so of the frames that are decoded. */
async function probe(file, { frames = true, ...more } = {}) {
  const [ours, other] = await Promise.all(
    byBoth.map((options) => decoder.probe(file, parseFrameOptions({ ...options, ...more })))
  )
  assert.deepEqual(ours, other, file)
  if (frames) {
    const sampled = await decoder.sample(file, parseFrameOptions({ numFrames: 1, ...more }))
    const [{ width, height }] = sampled.frames
    assert.deepEqual([ours.length, ours.width, ours.height], [sampled.length, width, height], file)
  }
  return ours
}

const fails = (file, code, message) =>
  Promise.all(
    byBoth.map((options) =>
      assert.rejects(decoder.probe(file, parseFrameOptions(options)), (error) => {
        assert.equal(error.code, code, error.message)
        assert.match(error.message, message)
        return true
      })
    )
  )

/** ffprobe's words: frames a second, seconds. */
function asked(file) {
  const entries = 'stream=width,height,avg_frame_rate,duration:format=duration'
  const args = ['-v', 'error', '-select_streams', 'V:0', '-show_entries', entries, '-of', 'json', file]
  const { streams, format } = JSON.parse(execFileSync('ffprobe', args, { encoding: 'utf8' }))
  const [{ width, height, avg_frame_rate: rate, duration }] = streams
  const [frames, seconds] = rate.split('/').map(Number)
  return { width, height, fps: frames / seconds, duration: Number(duration ?? format.duration) }
}

const h264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-g', '20']
const mpeg4 = ['-c:v', 'mpeg4', '-q:v', '5']
const clips = {
  'h264.mp4': { args: [...h264, '-bf', '2'], fps: '30000/1001' },
  'fragmented.mp4': { args: [...h264, '-movflags', '+frag_keyframe+empty_moov'], fps: '24' },
  'h264.mov': { args: h264, fps: '24000/1001' },
  'h264.mkv': { args: [...h264, '-bf', '2'], fps: '30000/1001' },
  'fast.mkv': { args: h264, fps: '60000/1001' },
  'odd.mkv': { args: h264, fps: '17' },
  'vp9.webm': {
    args: ['-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8', '-b:v', '1M'],
    fps: '24000/1001'
  },
  'mpeg4.avi': { args: mpeg4, fps: '25' },
  'bframes.avi': { args: [...mpeg4, '-bf', '2'], fps: '24' },
  'h264.ts': { args: [...h264, '-bf', '2'], fps: '30000/1001' },
  'bluray.m2ts': { args: h264, fps: '50' },
  'mpeg2.mpg': { args: ['-c:v', 'mpeg2video', '-q:v', '5', '-bf', '2'], fps: '25' },
  'h264.flv': { args: h264, fps: '15' },
  'wmv2.wmv': { args: ['-c:v', 'wmv2', '-q:v', '5'], fps: '20' },
  'animated.gif': { args: ['-c:v', 'gif'], fps: '10' }
}

for (const [name, { args, fps }] of Object.entries(clips)) {
  test(`as ffprobe tells it: ${name}`, async () => {
    countingClip(at(name), args, { count: 47, fps })
    const facts = await probe(at(name))
    const told = asked(at(name))
    assert.deepEqual([facts.length, facts.width, facts.height], [47, told.width, told.height])
    assert.ok(Math.abs(facts.fps / told.fps - 1) < 1e-4, `${facts.fps} frames/s, not ${told.fps}`)
    const [frames, seconds = 1] = fps.split('/').map(Number)
    assert.ok(Math.abs(facts.fps / (frames / seconds) - 1) < 1e-8, `${facts.fps} frames/s, not ${fps}`)
    if (name.endsWith('.mpg')) return // ffprobe guesses how long it lasts
    const lasts = facts.length / facts.fps
    assert.ok(Math.abs(lasts - told.duration) <= 1.1 / facts.fps, `${lasts} s, not ${told.duration}`)
  })
}

test('frames turned by the container are measured upright', async () => {
  countingClip(at('wide.mp4'), h264, { count: 12 })
  for (const degrees of [90, 180, 270]) {
    const file = at(`turned-${degrees}.mp4`)
    ffmpeg('-i', at('wide.mp4'), '-c', 'copy', '-metadata:s:v', `rotate=${degrees}`, file)
    const { width, height } = await probe(file)
    assert.deepEqual([width, height], degrees === 180 ? [320, 240] : [240, 320])
  }
})

test('sound that lasts longer, and cover art, are not the video', async () => {
  ffmpeg('-f', 'lavfi', '-i', 'color=red:s=64x64', '-frames:v', '1', at('cover.png'))
  const sound = ['-f', 'lavfi', '-i', 'sine=d=9', '-i', at('cover.png')]
  const maps = ['-map', '1:a', '-map', '2:v', '-map', '0:v', '-c:v:0', 'png', '-disposition:v:0', 'attached_pic']
  const args = [...maps, '-c:v:1', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-c:a', 'aac']
  countingClip(at('sound.mp4'), args, { count: 25, before: sound })
  assert.deepEqual(await probe(at('sound.mp4')), { length: 25, width: 320, height: 240, fps: 25 })
})

test('a bare stream has frames and no times', async () => {
  countingClip(at('bare.h264'), h264, { count: 12 })
  assert.deepEqual(await probe(at('bare.h264')), { length: 12, width: 320, height: 240, fps: undefined })
})

test('a last frame that stays, and a single one, are shown for their time', async () => {
  countingClip(at('slides.gif'), ['-c:v', 'gif', '-final_delay', '300'], { count: 3, fps: 1 })
  const { fps } = await probe(at('slides.gif'))
  assert.ok(Math.abs(fps - 3 / 5) < 1e-9, `${fps}`)
  countingClip(at('single.mp4'), h264, { count: 1, fps: 4 })
  assert.equal((await probe(at('single.mp4'))).fps, 4)
})

test('still images have one frame and no rate', async () => {
  const picture = sharp({ create: { width: 60, height: 40, channels: 3, background: 'teal' } })
  const still = { length: 1, width: 60, height: 40, fps: undefined }
  for (const ending of ['jpg', 'jpeg', 'png', 'tif', 'tiff', 'webp', 'avif', 'gif']) {
    await picture.clone().toFile(at(`still.${ending}`))
    assert.deepEqual(await probe(at(`still.${ending}`)), still, ending)
  }
  for (const ending of ['bmp', 'ppm', 'pgm']) {
    ffmpeg('-i', at('still.png'), at(`still.${ending}`))
    assert.deepEqual(await probe(at(`still.${ending}`)), still, ending)
  }
  for (const ending of ['jpg', 'webp', 'tif', 'png']) {
    await picture
      .clone()
      .withMetadata({ orientation: 6 })
      .toFile(at(`turned.${ending}`))
    assert.deepEqual(await probe(at(`turned.${ending}`)), { ...still, width: 40, height: 60 }, ending)
  }
})

test('animations by sharp and by FFmpeg', async () => {
  countingClip(at('for-webp.gif'), ['-c:v', 'gif'], { count: 20, fps: 10 })
  await sharp(at('for-webp.gif'), { animated: true }).webp().toFile(at('animated.webp'))
  countingClip(at('animated.png'), ['-c:v', 'apng', '-f', 'apng'], { count: 20, fps: 10 })
  for (const name of ['animated.webp', 'animated.png']) {
    const { fps, ...facts } = await probe(at(name))
    assert.deepEqual(facts, { length: 20, width: 320, height: 240 })
    assert.ok(Math.abs(fps - 10) < 1e-9, `${fps}`)
  }
})

test('HEIC by its boxes', { skip: !hasEncoder('libx265') && 'there is no encoder' }, async () => {
  const pixels = Buffer.alloc(256 * 128 * 3, 90)
  const grid = { tile: 128, columns: 2, rows: 1 }
  const kinds = {
    plain: {},
    turned: { properties: [rotation(1)] },
    cropped: { shown: [200, 100] },
    apart: { properties: [aperture(100, 60, 256, 128), rotation(3)] }
  }
  for (const [name, options] of Object.entries(kinds)) {
    await probe(writeHeic(at(`${name}.heic`), pixels, { ...grid, ...options }))
  }
  await probe(writeHeic(at('single.heic'), pixels.subarray(0, 128 * 128 * 3), { tile: 128, columns: 1, rows: 1 }))
})

test('what is no whole video or image says why', async () => {
  countingClip(at('whole.mp4'), [...h264, '-movflags', '+faststart'], { count: 60 })
  const bytes = fs.readFileSync(at('whole.mp4'))
  fs.writeFileSync(at('cut.mp4'), bytes.subarray(0, bytes.length * 0.6))
  await fails(at('cut.mp4'), 'unreadable', /truncated: \d+ of 60 frames/)
  const partial = await probe(at('cut.mp4'), { allowPartial: true })
  assert.ok(partial.partial && partial.length > 10 && partial.length < 60)
  fs.writeFileSync(at('text.mp4'), 'no video at all')
  await fails(at('text.mp4'), 'unreadable', /./)
  fs.writeFileSync(at('list.mp4'), '#EXTM3U\n/etc/passwd\n')
  await fails(at('list.mp4'), 'unreadable', /playlist/)
  fs.writeFileSync(at('empty.png'), '')
  await fails(at('empty.png'), 'unreadable', /0 bytes/)
  ffmpeg('-f', 'lavfi', '-i', 'sine=d=1', at('sound.mkv'))
  await fails(at('sound.mkv'), 'no_frames', /no video stream/)
  await fails(at('nowhere.mp4'), 'missing', /No such file/)
})

test('the cases agree with what is known of them', async () => {
  const cases = path.join(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), '..', 'fixtures')
  const lengths = {
    'c-matrix-10.mp4': 20,
    'cutin-h264.mpegts': 100,
    'fl-ab.flv': 120,
    'mp4-m4v-nostss.mp4': 60,
    'p-burst.mkv': 60,
    'sd-short.mp4': 150,
    'seq.avif': 6
  }
  for (const [name, length] of Object.entries(lengths)) {
    assert.equal((await probe(path.join(cases, 'media', name))).length, length, name)
  }
})

test('rates by times that were rounded, repeat or go back', () => {
  const near = (given, expected) => {
    const rate = frameRate(given)
    assert.ok(Math.abs(rate - expected) < 1e-7, `${rate}, not ${expected}`)
  }
  const rounded = (count, fps, unit) => Array.from({ length: count }, (_, i) => Math.round(i / fps / unit) * unit)
  for (const fps of [24000 / 1001, 25, 30000 / 1001, 50, 60000 / 1001, 13]) {
    for (const unit of [1e-3, 1 / 90000]) {
      for (const count of [40, 100, 3000])
        near({ times: rounded(count, fps, unit), unit, lastDuration: undefined }, fps)
    }
  }
  near({ times: [0, 0, 0, 3, 3, 3], unit: 1, lastDuration: 1 }, 6 / 4) // in bursts: from first to last
  near({ times: [0, 1, 2, 3, 0, 1, 2, 3], unit: 1, lastDuration: 1 }, 1) // joined
  near({ times: [0, NaN, 2, 4], unit: 1, lastDuration: undefined }, 0.5)
  near({ times: [7], unit: 1, lastDuration: 5 }, 0.2)
  for (const times of [[], [NaN], [7], [3, 3]]) {
    assert.equal(frameRate({ times, unit: 1, lastDuration: undefined }), undefined)
  }
})
