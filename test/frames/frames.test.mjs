import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import sharp from 'sharp'
import { findFfmpeg, findVideoTools } from '../../dist/frames/tools.js'
import { extractFrames } from '../../dist/index.js'
import { countingClip, ffmpeg, hasEncoder, readCount, temporaryFolder } from '../helpers/media.mjs'

const folder = temporaryFolder()
const at = (name) => path.join(folder, name)
const h264 = ['-c:v', 'libx264', '-preset', 'veryfast', '-pix_fmt', 'yuv420p', '-g', '30']

const command = findFfmpeg().path

/** By FFmpeg's libraries and by its command: both must say the same. */
async function extract(file, options) {
  const [ours, other] = await Promise.allSettled([
    extractFrames(file, options),
    extractFrames(file, { ffmpeg: command, ...options })
  ])
  if (ours.status !== other.status || ours.reason?.code !== other.reason?.code)
    assert.fail(`${file}: ${ours.reason ?? 'frames'} by node-av, ${other.reason ?? 'frames'} by ffmpeg`)
  if (ours.status === 'rejected') throw ours.reason
  const shape = ({ index, time, width, height }) => ({ index, time: Math.round(time * 1000), width, height })
  assert.deepEqual(ours.value.map(shape), other.value.map(shape), file)
  for (const [i, { data }] of ours.value.entries()) {
    const difference =
      data.reduce((sum, value, place) => sum + Math.abs(value - other.value[i].data[place]), 0) / data.length
    assert.ok(difference < 1, `${file}: frame ${i} differs by ${difference} of 255`)
  }
  return ours.value
}

test('there are two ways to read videos', () => {
  assert.equal(findVideoTools().nodeAv, true)
  assert.deepEqual(findVideoTools(command), { ffmpeg: command, nodeAv: false })
})

/** Frames of `file` are exactly those at int(p · length); more than three lie from the first to the last. */
async function assertExact(file, length, options = {}) {
  for (const [numFrames, points, span] of [
    [1, [0.5], length],
    [2, [0.25, 0.75], length],
    [3, [0.1, 0.5, 0.9], length],
    [5, [0, 0.25, 0.5, 0.75, 1], length - 1]
  ]) {
    const frames = await extract(file, { numFrames, ...options })
    const wanted = points.map((p) => Math.trunc(p * span))
    assert.deepEqual(
      frames.map((f) => f.index),
      wanted
    )
    assert.deepEqual(frames.map(readCount), wanted, `${path.basename(file)}, ${numFrames} frames`)
    for (const f of frames) assert.equal(f.data.length, f.width * f.height * 3)
  }
}

const fails = (file, code, options) =>
  assert.rejects(extract(file, options), (error) => {
    assert.equal(error.name, 'VcapError')
    assert.equal(error.code, code, error.message)
    return true
  })

const codecs = {
  'h264.mp4': h264,
  'bframes.mp4': [...h264, '-bf', '5', '-b_strategy', '0', '-g', '250'],
  'faststart.mp4': [...h264, '-movflags', '+faststart'],
  'fragmented.mp4': [...h264, '-movflags', '+frag_keyframe+empty_moov'],
  'h264.mkv': h264,
  'h264.mov': h264,
  'h264.flv': h264,
  'h264.ts': h264,
  'h264.h264': h264,
  'hevc.mkv': ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=none'],
  'hevc10.mp4': [
    '-c:v',
    'libx265',
    '-preset',
    'ultrafast',
    '-pix_fmt',
    'yuv420p10le',
    '-x265-params',
    'log-level=none'
  ],
  'vp8.webm': ['-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '8', '-b:v', '1M'],
  'vp8-altref.webm': ['-c:v', 'libvpx', '-auto-alt-ref', '1', '-lag-in-frames', '16', '-cpu-used', '5', '-b:v', '1M'],
  'vp9.webm': ['-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8', '-b:v', '1M'],
  'vp9-altref.webm': [
    '-c:v',
    'libvpx-vp9',
    '-auto-alt-ref',
    '1',
    '-lag-in-frames',
    '16',
    '-cpu-used',
    '5',
    '-b:v',
    '1M'
  ],
  'av1.mp4': ['-c:v', 'libsvtav1', '-preset', '12'],
  'mpeg4.avi': ['-c:v', 'mpeg4', '-q:v', '3', '-bf', '2'],
  'mpeg4.mov': ['-c:v', 'mpeg4', '-q:v', '3'],
  'mpeg2.mpg': ['-c:v', 'mpeg2video', '-q:v', '3', '-bf', '2', '-g', '15'],
  'mpeg2.ts': ['-c:v', 'mpeg2video', '-q:v', '3', '-bf', '2', '-g', '15'],
  'mjpeg.avi': ['-c:v', 'mjpeg', '-q:v', '3', '-pix_fmt', 'yuvj420p'],
  'mjpeg.mjpeg': ['-c:v', 'mjpeg', '-q:v', '3', '-pix_fmt', 'yuvj420p'],
  'prores.mov': ['-c:v', 'prores'],
  'animated.gif': ['-c:v', 'gif'],
  'animated.png': ['-c:v', 'apng', '-f', 'apng'],
  'raw.y4m': ['-f', 'yuv4mpegpipe', '-pix_fmt', 'yuv420p']
}

for (const [name, args] of Object.entries(codecs)) {
  const encoder = args[args.indexOf('-c:v') + 1]
  test(`exact frames: ${name}`, {
    skip: args.includes('-c:v') && !hasEncoder(encoder) && `no ${encoder}`
  }, async () => {
    countingClip(at(name), args)
    await assertExact(at(name), 100)
  })
}

test('exact frames: animated webp', async () => {
  countingClip(at('for-webp.gif'), ['-c:v', 'gif'], { count: 20 })
  await sharp(at('for-webp.gif'), { animated: true }).webp().toFile(at('animated.webp'))
  await assertExact(at('animated.webp'), 20)
})

test('exact frames: variable frame rate', async () => {
  const select = ['-vf', "select='lt(n,40)+not(mod(n,7))',setpts='PTS+2/TB*gt(N,30)'", '-vsync', 'vfr']
  countingClip(at('vfr.mkv'), [...select, ...h264], { count: 100 })
  const kept = [...Array(100).keys()].filter((n) => n < 40 || n % 7 === 0)
  for (const numFrames of [1, 2, 3, 7]) {
    const frames = await extract(at('vfr.mkv'), { numFrames })
    assert.deepEqual(
      frames.map(readCount),
      frames.map((f) => kept[f.index])
    )
    assert.ok(frames.every((f, i) => i === 0 || f.time > frames[i - 1].time))
  }
})

test('exact frames: edit list, nonzero start, audio longer than video', async () => {
  countingClip(at('whole.mp4'), [...h264, '-bf', '2'])
  ffmpeg('-ss', '1.1', '-i', at('whole.mp4'), '-c', 'copy', at('edited.mp4'))
  const [first] = await extract(at('edited.mp4'), { numFrames: 64 })
  const start = readCount(first) - first.index
  for (const f of await extract(at('edited.mp4'), { numFrames: 3 })) assert.equal(readCount(f), f.index + start)
  assert.ok(start >= 27 && start <= 29, `starts at ${start}`)
  ffmpeg('-i', at('whole.mp4'), '-c', 'copy', '-output_ts_offset', '300', at('late.ts'))
  await assertExact(at('late.ts'), 100)
  ffmpeg(
    '-itsoffset',
    '1.3',
    '-i',
    at('whole.mp4'),
    '-f',
    'lavfi',
    '-i',
    'sine=d=20',
    '-map',
    '0:v',
    '-map',
    '1:a',
    '-c:v',
    'copy',
    '-c:a',
    'aac',
    at('audio.mp4')
  )
  await assertExact(at('audio.mp4'), 100)
})

test('exact frames: long gaps between keyframes and many frames', async () => {
  countingClip(at('long.mp4'), ['-c:v', 'libx264', '-preset', 'ultrafast', '-g', '1000', '-pix_fmt', 'yuv420p'], {
    count: 1000,
    width: 160,
    height: 90,
    fps: 29.97
  })
  await assertExact(at('long.mp4'), 1000)
  const frames = await extract(at('long.mp4'), { numFrames: 64 })
  assert.deepEqual(
    frames.map(readCount),
    frames.map((f) => f.index)
  )
})

test('one and two frames where three are wanted', async () => {
  for (const count of [1, 2]) {
    countingClip(at(`${count}.mp4`), h264, { count })
    const frames = await extract(at(`${count}.mp4`), { numFrames: 3 })
    assert.deepEqual(
      frames.map(readCount),
      [0.1, 0.5, 0.9].map((p) => Math.trunc(p * count))
    )
  }
})

test('rotation metadata turns the frames', async () => {
  countingClip(at('upright.mp4'), h264, { width: 320, height: 120, count: 10 })
  const version = Number(/version (\d+)/.exec(execFileSync('ffmpeg', ['-version'], { encoding: 'utf8' }))?.[1])
  if (version >= 6) ffmpeg('-display_rotation', '90', '-i', at('upright.mp4'), '-c', 'copy', at('turned.mp4'))
  else ffmpeg('-i', at('upright.mp4'), '-c', 'copy', '-metadata:s:v:0', 'rotate=90', at('turned.mp4'))
  const [frame] = await extract(at('turned.mp4'), { numFrames: 1 })
  assert.deepEqual([frame.width, frame.height], [120, 320])
})

test('non-square pixels stay as they are coded; odd and extreme sizes', async () => {
  for (const [w, h, extra] of [
    [320, 240, ['-aspect', '16:9']],
    [321, 241, ['-pix_fmt', 'yuv444p']],
    [1, 1, ['-pix_fmt', 'yuv444p']],
    [4096, 64, []]
  ]) {
    const file = at(`${w}x${h}.mkv`)
    countingClip(file, ['-c:v', 'ffv1', ...extra], { width: w, height: h, count: 5 })
    const [frame] = await extract(file, { numFrames: 1 })
    assert.deepEqual([frame.width, frame.height], [w, h])
  }
})

test('names that mean something to a shell or to ffmpeg', async () => {
  const names = [
    'a b.mp4',
    `quo'te".mp4`,
    'new\nline.mp4',
    '-y.mp4',
    '%03d.mp4',
    'ünïcødé 影片.mp4',
    '[x]*?.mp4',
    'http:x.mp4',
    `${'n'.repeat(251)}.mp4`,
    'concat:a|b.mp4'
  ]
  countingClip(at('plain.mp4'), h264, { count: 10 })
  for (const name of names) {
    fs.copyFileSync(at('plain.mp4'), at(name))
    assert.deepEqual((await extract(at(name))).map(readCount), [1, 5, 9], name)
  }
  const before = process.cwd()
  process.chdir(folder)
  try {
    assert.deepEqual((await extract('-y.mp4')).map(readCount), [1, 5, 9])
  } finally {
    process.chdir(before)
  }
})

test('several video streams: the first that is not cover art', async () => {
  countingClip(at('two-a.mp4'), h264, { count: 10 })
  ffmpeg(
    '-f',
    'lavfi',
    '-i',
    'color=white:s=64x64:d=1',
    '-i',
    at('two-a.mp4'),
    '-map',
    '1',
    '-map',
    '0',
    ...h264,
    at('two.mkv')
  )
  assert.deepEqual((await extract(at('two.mkv'))).map(readCount), [1, 5, 9])
  ffmpeg('-f', 'lavfi', '-i', 'color=white:s=64x64', '-frames:v', '1', at('cover.jpg'))
  ffmpeg(
    '-i',
    at('cover.jpg'),
    '-i',
    at('two-a.mp4'),
    '-map',
    '0',
    '-map',
    '1',
    '-c',
    'copy',
    '-disposition:v:0',
    'attached_pic',
    at('covered.mp4')
  )
  assert.deepEqual((await extract(at('covered.mp4'))).map(readCount), [1, 5, 9])
})

test('resolution changes in mid-stream', async () => {
  countingClip(at('small.ts'), h264, { count: 50 })
  countingClip(at('large.ts'), h264, { count: 50, width: 640, height: 480 })
  fs.writeFileSync(at('change.ts'), Buffer.concat([fs.readFileSync(at('small.ts')), fs.readFileSync(at('large.ts'))]))
  const sizes = (frames) => frames.map(({ width, height, data }) => [width, height, data.length / 3 / width / height])
  assert.deepEqual(sizes(await extractFrames(at('change.ts'), { numFrames: 2 })), [
    [320, 240, 1],
    [640, 480, 1]
  ])
  // The command counts frames anew with each size, and finds the first size alone.
  assert.equal((await extractFrames(at('change.ts'), { numFrames: 2, ffmpeg: command })).length, 2)
})

test('damage in the middle', async () => {
  countingClip(at('sound.mkv'), h264, { count: 200 })
  const bytes = fs.readFileSync(at('sound.mkv'))
  bytes.fill(0x5a, Math.floor(bytes.length * 0.4), Math.floor(bytes.length * 0.5))
  fs.writeFileSync(at('damaged.mkv'), bytes)
  assert.equal((await extract(at('damaged.mkv'))).length, 3)
})

test('what is not a video', async () => {
  fs.writeFileSync(at('zero.mp4'), '')
  fs.writeFileSync(at('text.mp4'), 'not a video at all\n'.repeat(50))
  fs.writeFileSync(
    at('subtitles.mp4'),
    '1\n00:00:00,000 --> 00:00:01,000\nhello\n\n2\n00:00:01,000 --> 00:00:02,000\nthere\n'
  )
  fs.mkdirSync(at('directory.mp4'))
  execFileSync('mkfifo', [at('fifo.mp4')])
  ffmpeg('-f', 'lavfi', '-i', 'sine=d=1', at('audio.m4a'))
  ffmpeg(
    '-f',
    'lavfi',
    '-i',
    'sine=d=1',
    '-f',
    'lavfi',
    '-i',
    'color=red:s=64x64:d=0.04',
    '-map',
    '0',
    '-map',
    '1',
    '-c:v',
    'mjpeg',
    '-pix_fmt',
    'yuvj420p',
    '-disposition:v',
    'attached_pic',
    at('cover.mp3')
  )
  await fails(at('zero.mp4'), 'unreadable')
  await fails(at('text.mp4'), 'unreadable')
  await fails(at('subtitles.mp4'), 'unreadable')
  await fails(at('directory.mp4'), 'unreadable')
  await fails(at('fifo.mp4'), 'unreadable')
  await fails(at('none.mp4'), 'missing')
  await fails(path.join(at('text.mp4'), 'inside.mp4'), 'missing')
  await fails('nul\0.mp4', 'missing')
  await fails('', 'missing')
  await fails(at('audio.m4a'), 'no_frames')
  await fails(at('cover.mp3'), 'no_frames')
})

test('playlists and scripts are not followed', async () => {
  countingClip(at('secret.ts'), h264, { count: 10 })
  const scripts = {
    'list.m3u8': `#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.ts\n#EXT-X-ENDLIST\n`,
    'list.ffconcat': `ffconcat version 1.0\nfile secret.ts\n`,
    'list.mp4': `ffconcat version 1.0\nfile secret.ts\n`,
    'list.avi': `#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://${at('secret.ts')}\n#EXT-X-ENDLIST\n`,
    'session.sdp':
      'v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n'
  }
  for (const [name, content] of Object.entries(scripts)) {
    fs.writeFileSync(at(name), content)
    await fails(at(name), 'unreadable')
  }
})

test('images: one frame whatever is asked for', async () => {
  const picture = { create: { width: 40, height: 20, channels: 3, background: '#3264c8' } }
  await sharp(picture).jpeg({ quality: 95 }).toFile(at('i.jpg'))
  await sharp(picture).png().toFile(at('i.png'))
  await sharp(picture).png({ palette: true }).toFile(at('palette.png'))
  await sharp(picture).webp({ lossless: true }).toFile(at('i.webp'))
  await sharp(picture).tiff().toFile(at('i.tiff'))
  await sharp(picture).gif().toFile(at('i.gif'))
  await sharp(picture).avif({ lossless: true }).toFile(at('i.avif'))
  await sharp(picture).toColourspace('cmyk').jpeg({ quality: 95 }).toFile(at('cmyk.jpg'))
  await sharp(picture).toColourspace('rgb16').png().toFile(at('16.png'))
  ffmpeg('-i', at('i.png'), '-pix_fmt', 'bgr24', at('i.bmp'))
  fs.copyFileSync(at('i.jpg'), at('jpeg-named.mp4'))
  fs.copyFileSync(at('i.png'), at('%d[page=1].png'))
  for (const name of [
    'i.jpg',
    'i.png',
    'palette.png',
    'i.webp',
    'i.tiff',
    'i.gif',
    'i.avif',
    'cmyk.jpg',
    '16.png',
    'i.bmp',
    'jpeg-named.mp4',
    '%d[page=1].png'
  ]) {
    const frames = await extract(at(name), { numFrames: 3 })
    assert.equal(new Set(frames.map((f) => f.index)).size, 1, name)
    assert.equal(frames.length, 1, name)
    assert.deepEqual([frames[0].width, frames[0].height, frames[0].index], [40, 20, 0], name)
    const tolerance = name === 'cmyk.jpg' ? 60 : 6
    for (const [i, value] of [0x32, 0x64, 0xc8].entries()) {
      assert.ok(Math.abs(frames[0].data[i] - value) <= tolerance, `${name}: ${frames[0].data.slice(0, 3)}`)
    }
  }
})

test('images: orientation, alpha, gray, damage', async () => {
  await sharp({ create: { width: 40, height: 20, channels: 3, background: 'red' } })
    .withMetadata({ orientation: 6 })
    .jpeg()
    .toFile(at('turned.jpg'))
  const [turned] = await extract(at('turned.jpg'))
  assert.deepEqual([turned.width, turned.height], [20, 40])
  await sharp({ create: { width: 4, height: 4, channels: 4, background: { r: 200, g: 100, b: 50, alpha: 0 } } })
    .png()
    .toFile(at('clear.png'))
  assert.deepEqual(
    [...(await extract(at('clear.png')))[0].data.slice(0, 3)],
    [200, 100, 50],
    'alpha is dropped, not blended'
  )
  await sharp({ create: { width: 4, height: 4, channels: 3, background: { r: 90, g: 90, b: 90 } } })
    .toColourspace('b-w')
    .png()
    .toFile(at('gray.png'))
  assert.deepEqual([...(await extract(at('gray.png')))[0].data.slice(0, 3)], [90, 90, 90])
  const noise = Buffer.from(Array.from({ length: 200 * 200 * 3 }, (_, i) => (i * 7919) % 251))
  const jpeg = await sharp(noise, { raw: { width: 200, height: 200, channels: 3 } })
    .jpeg()
    .toBuffer()
  fs.writeFileSync(at('half.jpg'), jpeg.subarray(0, jpeg.length / 2))
  await fails(at('half.jpg'), 'unreadable')
})

test('resize scales the short side down and never up', async () => {
  countingClip(at('720p.mp4'), h264, { width: 1280, height: 720, count: 5 })
  const size = async (resize) =>
    (await extract(at('720p.mp4'), { numFrames: 1, resize })).map((f) => [f.width, f.height, f.data.length])
  assert.deepEqual(await size(336), [[597, 336, 597 * 336 * 3]])
  assert.deepEqual(await size(1000), [[1777, 1000, 1777 * 1000 * 3]])
  assert.deepEqual(await size(1280), [[1280, 720, 1280 * 720 * 3]])
})

test('a deadline and an abort end the decoder', async () => {
  ffmpeg('-f', 'lavfi', '-i', 'testsrc=s=1280x720:r=30:d=30', ...h264, '-g', '9999', at('slow.mp4'))
  await fails(at('slow.mp4'), 'unreadable', { decodeTimeout: 0.05 })
  const controller = new AbortController()
  setTimeout(() => controller.abort(), 30)
  await fails(at('slow.mp4'), 'aborted', { signal: controller.signal })
  await fails(at('slow.mp4'), 'aborted', { signal: AbortSignal.abort() })
})

test('a hanging ffmpeg is killed at the deadline', async () => {
  fs.writeFileSync(at('hang'), '#!/bin/sh\nexec sleep 60\n', { mode: 0o755 })
  countingClip(at('fine.mp4'), h264, { count: 5 })
  const before = Date.now()
  await fails(at('fine.mp4'), 'unreadable', { ffmpeg: at('hang'), decodeTimeout: 0.3 })
  assert.ok(Date.now() - before < 5000)
})

test('options are checked with the value and its type in the message', async () => {
  await assert.rejects(extractFrames('x.mp4', { numFrames: -1 }), {
    code: 'usage',
    message: 'Expected integer between 1 and 64 for numFrames but received -1 of type number'
  })
  await assert.rejects(extractFrames('x.mp4', { frames: 3 }), {
    code: 'usage',
    message: /^Expected one of numFrames, fps, resize, .* but received frames$/
  })
  await assert.rejects(extractFrames('x.mp4', { ffmpeg: '/no/such/ffmpeg' }), { code: 'ffmpeg_missing' })
})
