/**
 * Where a video's frames are sought and where counted, and that both give those with index int(p · length). A frame
 * shows its number as bars, so that the truth is in the picture.
 */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import { sampledIndices } from '../../dist/frames/points.js'
import { sampleFrames } from '../../dist/frames/sample.js'
import { findFfmpeg, findVideoTools } from '../../dist/frames/tools.js'
import { root } from '../helpers/cli.mjs'
import { countingClip, ffmpeg, readCount, temporaryFolder } from '../helpers/media.mjs'
import { fieldCodedStream } from '../helpers/paff.mjs'

const folder = temporaryFolder()
const at = (name) => path.join(folder, name)
const given = (name) => path.join(root, 'test', 'fixtures', 'media', name)
const tools = { libraries: findVideoTools(), command: findVideoTools(findFfmpeg().path) }

const small = { width: 160, height: 96 }
const h264 = ['-c:v', 'libx264', '-preset', 'veryfast', '-pix_fmt', 'yuv420p', '-g', '20']
const hevc = ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=none:keyint=20:min-keyint=20']
const mpeg4 = ['-c:v', 'mpeg4', '-q:v', '3', '-g', '20', '-bf', '2']
const mpeg2 = ['-c:v', 'mpeg2video', '-q:v', '3', '-g', '20', '-bf', '2']
const clip = (name, args, count = 60, options = {}) => countingClip(at(name), args, { ...small, count, ...options })
const range = (from, to) => Array.from({ length: to - from }, (_, i) => from + i)

/**
 * By both readers: as many frames as `shown` has numbers, those numbers, and sought unless `counted` names a reason;
 * null where that depends on the frames asked for.
 */
async function assertFrames(file, shown, counted) {
  for (const [reader, tool] of Object.entries(tools)) {
    for (const numFrames of [2, 3, 8]) {
      const label = `${path.basename(file)} by the ${reader}, ${numFrames} frames`
      const sampled = await sampleFrames(file, { numFrames, decodeTimeout: 60 }, 2, tool)
      assert.equal(sampled.length, shown.length, `${label}: length`)
      const wanted = sampledIndices(shown.length, { numFrames })
      assert.deepEqual(
        sampled.frames.map(({ index }) => index),
        wanted
      )
      assert.deepEqual(
        sampled.frames.map(readCount),
        wanted.map((index) => shown[index]),
        `${label}: pictures`
      )
      // Which reason is met first depends on the frames.
      if (counted !== null && numFrames > 3) assert.equal(Boolean(sampled.counted), Boolean(counted), label)
      else if (counted !== null) assert.equal(sampled.counted, counted, `${label}: ${sampled.counted ?? 'sought'}`)
    }
  }
}

/** The numbers that a clip of 60 frames has to show that was cut before its second key frame. */
async function lastFrames(file) {
  const { length } = await sampleFrames(file, { numFrames: 1, decodeTimeout: 60 }, 2, tools.libraries)
  assert.ok(length >= 36 && length <= 44, `${path.basename(file)}: ${length} frames`)
  return range(60 - length, 60)
}

test('codec headers that change in mid-stream are counted', async () => {
  await assertFrames(given('fl-ab.flv'), range(0, 120), 'decoder-settings')
  await assertFrames(given('sd-short.mp4'), range(0, 150), 'decoder-settings')
  clip('a.flv', h264, 40)
  clip('b.flv', [...h264, '-profile:v', 'baseline', '-qp', '20'], 40)
  fs.writeFileSync(at('ab.flv'), joinFlv(fs.readFileSync(at('a.flv')), fs.readFileSync(at('b.flv')), 2000))
  await assertFrames(at('ab.flv'), [...range(0, 40), ...range(0, 40)], 'decoder-settings')
})

test('codec headers that come with each key frame are sought', async () => {
  clip('a.ts', h264, 40)
  clip('b.ts', [...h264, '-profile:v', 'baseline', '-output_ts_offset', '2'], 40)
  fs.writeFileSync(at('ab.ts'), Buffer.concat([fs.readFileSync(at('a.ts')), fs.readFileSync(at('b.ts'))]))
  await assertFrames(at('ab.ts'), [...range(0, 40), ...range(0, 40)])
  await assertFrames(at('b.flv'), range(0, 40))
})

test('a palette that the first packet alone carries is counted, one in each key frame is not', async () => {
  clip('pal8.avi', ['-c:v', 'rawvideo', '-pix_fmt', 'pal8'], 30)
  await assertFrames(at('pal8.avi'), range(0, 30), 'decoder-settings')
  clip('zmbv.avi', ['-c:v', 'zmbv', '-pix_fmt', 'pal8', '-g', '10'], 30)
  await assertFrames(at('zmbv.avi'), range(0, 30))
  clip('raw.avi', ['-c:v', 'rawvideo', '-pix_fmt', 'bgr24'], 30)
  await assertFrames(at('raw.avi'), range(0, 30))
})

test('key frames that are none are counted', async () => {
  await assertFrames(given('mp4-m4v-nostss.mp4'), range(0, 60), null)
  for (const [name, args] of [
    ['h264.mp4', [...h264, '-bf', '0', '-sc_threshold', '0']],
    ['mpeg4.mp4', mpeg4]
  ]) {
    const bytes = fs.readFileSync(clip(name, args))
    bytes.write('free', bytes.indexOf('stss'), 'latin1')
    fs.writeFileSync(at(`false-keys-${name}`), bytes)
    // FFmpeg looks itself for the key frames of H.264 where the container has no list of them.
    await assertFrames(at(`false-keys-${name}`), range(0, 60), name === 'h264.mp4' ? null : 'no-intra-frame')
    await assertFrames(at(name), range(0, 60))
  }
  clip('intra.mp4', [...h264, '-g', '1'])
  await assertFrames(at('intra.mp4'), range(0, 60))
})

test('equal times and times that go back are counted, later ones are not', async () => {
  await assertFrames(given('p-burst.mkv'), range(0, 60), 'unordered-times')
  clip('even.mkv', h264)
  ffmpeg('-i', at('even.mkv'), '-c', 'copy', '-bsf:v', 'setts=ts=floor(N/5)*200', at('pairs.mkv'))
  await assertFrames(at('pairs.mkv'), range(0, 60), 'unordered-times')
  fs.writeFileSync(
    at('twice.ts'),
    Buffer.concat([fs.readFileSync(clip('once.ts', h264)), fs.readFileSync(at('once.ts'))])
  )
  await assertFrames(at('twice.ts'), [...range(0, 60), ...range(0, 60)], 'unordered-times')
  clip('overlap.ts', [...h264, '-output_ts_offset', '1.01'])
  fs.writeFileSync(at('back.ts'), Buffer.concat([fs.readFileSync(at('once.ts')), fs.readFileSync(at('overlap.ts'))]))
  await assertFrames(at('back.ts'), [...range(0, 60), ...range(0, 60)], 'unordered-times')
  clip('gap.ts', [...h264, '-output_ts_offset', '100'])
  fs.writeFileSync(at('forth.ts'), Buffer.concat([fs.readFileSync(at('once.ts')), fs.readFileSync(at('gap.ts'))]))
  await assertFrames(at('forth.ts'), [...range(0, 60), ...range(0, 60)])
})

test('transport and program streams are sought by their key frames, with sound as well', async () => {
  const sound = ['-f', 'lavfi', '-i', 'sine=d=3', '-map', '0:v', '-map', '1:a', '-c:v', 'copy', '-c:a', 'mp2']
  for (const [name, args] of Object.entries({ h264, hevc, mpeg4, mpeg2 })) {
    clip(`${name}.ts`, args)
    await assertFrames(at(`${name}.ts`), range(0, 60))
    ffmpeg('-itsoffset', '0.3', '-i', at(`${name}.ts`), ...sound, at(`${name}-sound.ts`))
    await assertFrames(at(`${name}-sound.ts`), range(0, 60))
  }
  clip('mpeg2.mpg', mpeg2)
  // A program stream has times for some of its packets only.
  await assertFrames(at('mpeg2.mpg'), range(0, 60), 'no-times')
})

test('video that begins seconds after its sound', async () => {
  const sound = ['-f', 'lavfi', '-i', 'sine=d=10', '-map', '0:v', '-map', '1:a', '-c:v', 'copy', '-c:a', 'mp2']
  for (const [name, args, extension] of [
    ['h264', h264, 'ts'],
    ['mpeg2', mpeg2, 'ts'],
    ['mpeg2', mpeg2, 'mpg'],
    ['h264', h264, 'flv']
  ]) {
    clip(`${name}.mkv`, args)
    const file = at(`late-${name}.${extension}`)
    const codec = extension === 'flv' ? ['-c:a', 'mp3', '-ar', '44100'] : []
    ffmpeg('-itsoffset', '8', '-i', at(`${name}.mkv`), ...sound, ...codec, '-muxdelay', '0', file)
    await assertFrames(file, range(0, 60), extension === 'mpg' ? 'no-times' : undefined)
  }
})

test('fields that are coded and stored one by one are joined', async () => {
  for (const hasTiming of [true, false]) {
    fs.writeFileSync(at('fields.h264'), fieldCodedStream(60, { hasTiming }))
    await assertFrames(at('fields.h264'), range(0, 60), 'no-times')
    for (const extension of hasTiming ? ['ts', 'mkv', 'mp4'] : ['ts']) {
      ffmpeg('-r', '25', '-i', at('fields.h264'), '-c', 'copy', at(`fields.${extension}`))
      await assertFrames(at(`fields.${extension}`), range(0, 60))
    }
  }
  clip('interlaced.ts', [...h264, '-flags', '+ildct+ilme', '-x264-params', 'tff=1'])
  await assertFrames(at('interlaced.ts'), range(0, 60))
})

test('a stream that was cut begins with its first key frame', async () => {
  await assertFrames(given('cutin-h264.mpegts'), range(50, 150))
  for (const [name, args] of Object.entries({ h264, hevc, mpeg4, mpeg2 })) {
    clip(`whole-${name}.ts`, args)
    const bytes = fs.readFileSync(at(`whole-${name}.ts`))
    fs.writeFileSync(at(`cut-${name}.ts`), bytes.subarray(Math.floor(bytes.length / 188 / 6) * 188))
    await assertFrames(at(`cut-${name}.ts`), await lastFrames(at(`cut-${name}.ts`)))
  }
})

test('leading pictures that a stream begins with are counted', async () => {
  const open = [...hevc.slice(0, -1), 'log-level=none:keyint=20:min-keyint=20:open-gop=1:bframes=4:b-adapt=0']
  clip('open.mkv', open)
  await assertFrames(at('open.mkv'), range(0, 60))
  for (const [name, args] of Object.entries({ hevc: open, mpeg2 })) {
    const bytes = fs.readFileSync(clip(`open-${name}.ts`, args))
    fs.writeFileSync(at(`leading-${name}.ts`), fromSecondKeyFrame(bytes))
    await assertFrames(at(`leading-${name}.ts`), await lastFrames(at(`leading-${name}.ts`)), 'leading-frames')
  }
})

test('empty packets', async () => {
  clip('huffyuv.avi', ['-c:v', 'huffyuv'], 20)
  fs.writeFileSync(at('null-frames.avi'), emptyPackets(fs.readFileSync(at('huffyuv.avi')), [5, 12]))
  await assertFrames(
    at('null-frames.avi'),
    range(0, 20).filter((n) => ![5, 12].includes(n))
  )
  await assertFrames(at('huffyuv.avi'), range(0, 20))
})

test('digital video as a bare stream', async () => {
  clip('ntsc.dv', ['-c:v', 'dvvideo', '-pix_fmt', 'yuv411p'], 30, { width: 720, height: 480, fps: '30000/1001' })
  await assertFrames(at('ntsc.dv'), range(0, 30))
  clip('pal.dv', ['-c:v', 'dvvideo'], 30, { width: 720, height: 576 })
  await assertFrames(at('pal.dv'), range(0, 30))
})

test('every colour matrix, by the libraries as by the command', async () => {
  for (const matrix of range(0, 18)) {
    const file = at(`matrix-${matrix}.mkv`)
    const bars = ['-f', 'lavfi', '-i', 'testsrc2=s=160x96:d=0.2', '-c:v', 'libx264', '-pix_fmt', 'yuv420p']
    ffmpeg(...bars, '-bsf:v', `h264_metadata=matrix_coefficients=${matrix}`, file)
    const settings = { numFrames: 1, decodeTimeout: 60 }
    const [ours, theirs] = await Promise.all(
      [tools.libraries, tools.command].map((tool) => sampleFrames(file, settings, 1, tool))
    )
    assert.ok(Buffer.from(ours.frames[0].data).equals(theirs.frames[0].data), `matrix ${matrix}`)
  }
  await assertFrames(given('c-matrix-10.mp4'), range(0, 20))
})

/** The tags of two FLV files, those of the second one later by `shift` milliseconds. */
function joinFlv(first, second, shift) {
  const later = Buffer.from(second)
  for (let tag = 13; tag < later.length; tag += later.readUIntBE(tag + 1, 3) + 15) {
    later.writeUIntBE(later.readUIntBE(tag + 4, 3) + shift, tag + 4, 3)
  }
  return Buffer.concat([first, later.subarray(13)])
}

/** A transport stream's two tables, and its packets from the second key frame on. */
function fromSecondKeyFrame(ts) {
  const tables = ts.subarray(188, 3 * 188)
  const isKeyFrame = (at) => (ts[at + 1] & 0x40) !== 0 && (ts[at + 3] & 0x20) !== 0 && (ts[at + 5] & 0x40) !== 0
  const places = range(0, ts.length / 188).map((packet) => packet * 188)
  return Buffer.concat([tables, ts.subarray(places.filter(isKeyFrame)[1])])
}

/** An AVI file some of whose video chunks have no data. */
function emptyPackets(avi, places) {
  let chunk = avi.indexOf('movi') + 4
  for (let place = 0; avi.toString('latin1', chunk, chunk + 4) === '00dc'; place++) {
    const size = avi.readUInt32LE(chunk + 4)
    if (places.includes(place)) {
      avi.writeUInt32LE(0, chunk + 4)
      avi.write('JUNK', chunk + 8, 'latin1')
      avi.writeUInt32LE(size - 8, chunk + 12)
      avi.writeUInt32LE(0, avi.indexOf('idx1') + 8 + place * 16 + 12)
    }
    chunk += 8 + size + (size % 2)
  }
  return avi
}
