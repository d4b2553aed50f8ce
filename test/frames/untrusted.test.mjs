/** Media files of strangers: what they may cost, and what they never reach. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import test, { after, before } from 'node:test'
import crc32 from 'crc-32'
import sharp from 'sharp'
import { Decoder } from '../../dist/frames/decoder.js'
import { findFfmpeg } from '../../dist/frames/tools.js'
import { parseFrameOptions } from '../../dist/options/index.js'
import { readRows, root, run } from '../helpers/cli.mjs'
import { referringMovie } from '../helpers/hostile-media.mjs'
import { countingClip, ffmpeg, temporaryFolder } from '../helpers/media.mjs'

const folder = temporaryFolder()
const at = (name) => path.join(folder, name)
const decoder = new Decoder(1)
after(() => decoder.close())
const byBoth = [{}, { ffmpeg: findFfmpeg(undefined).path }]
const onLinux = { skip: process.platform !== 'linux' && 'the system has no limit for data' }

async function sample(file, options, by = decoder) {
  const { release, ...sampled } = await by.sample(file, parseFrameOptions(options))
  release()
  return sampled
}

function decoderPids(parent = process.pid) {
  return execFileSync('ps', ['-e', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' })
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, ppid, ...args]) => Number(ppid) === parent && args.join(' ').includes('decoder-main'))
    .map(([pid]) => Number(pid))
}

function script(name, body) {
  fs.writeFileSync(at(name), `#!/bin/sh\n${body}\n`, { mode: 0o755 })
  return at(name)
}

const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))

async function until(holds) {
  for (let i = 0; i < 200 && !holds(); i++) await wait(50)
  assert.ok(holds())
}

before(() => countingClip(at('fine.mp4'), ['-c:v', 'mpeg4'], { count: 10, width: 64, height: 48 }))

test('a file that takes more memory than it may costs its own row, by both readers', onLinux, async () => {
  const flat = { width: 14_000, height: 14_000, channels: 3, background: 'red' }
  await sharp({ create: flat, limitInputPixels: false }).png({ compressionLevel: 1 }).toFile(at('large.png'))
  ffmpeg('-f', 'lavfi', '-i', 'color=red:s=5120x5120:r=25:d=0.32', '-c:v', 'qtrle', at('large.mov'))
  const message =
    /^Decoding it takes more memory than a decoder may have: raise --decode-memory \(decodeMemory\), which is 0.5 GiB/
  for (const reader of byBoth) {
    const tight = { ...reader, decodeMemory: 0.5 }
    // Images do not depend on the reader of videos.
    const files = [['large.mov', 8], ...(reader === byBoth[0] ? [['large.png', 1]] : [])]
    for (const [name, numFrames] of files) {
      const earlier = decoderPids()
      await assert.rejects(sample(at(name), { ...tight, numFrames }), { code: 'unreadable', message }, name)
      assert.equal((await sample(at('fine.mp4'), tight)).length, 10)
      assert.ok(
        decoderPids().every((pid) => !earlier.includes(pid)),
        'by a fresh process'
      )
    }
  }
})

test('memory, images of memory, and the time that an ffmpeg works are limited', onLinux, async () => {
  const limits = (pid) => fs.readFileSync(`/proc/${pid}/limits`, 'utf8')
  for (const [decodeMemory, bytes] of [
    [4, 2 ** 32],
    [0.5, 2 ** 29],
    [0, 'unlimited']
  ]) {
    await sample(at('fine.mp4'), { decodeMemory })
    const lines = decoderPids().map(limits)
    assert.ok(
      lines.some((text) => new RegExp(`^Max data size +${bytes} +${bytes} `, 'm').test(text)),
      String(bytes)
    )
    if (decodeMemory > 0) assert.ok(lines.every((text) => /^Max core file size +0 +0 /m.test(text)))
  }
  const said = at('limits.txt')
  const telling = script('telling', `{ ulimit -d; ulimit -c; echo "$*"; } >> ${said}; exec ffmpeg "$@"`)
  await sample(at('fine.mp4'), { ffmpeg: telling, decodeMemory: 1, decodeTimeout: 30 })
  const [data, core, args] = fs.readFileSync(said, 'utf8').split('\n')
  assert.deepEqual([data, core], [String(2 ** 20), '0'])
  assert.match(args, / -timelimit \d+ /)
})

test('a decoder that is ended for want of memory is told as such', onLinux, async () => {
  await assert.rejects(sample(at('fine.mp4'), { ffmpeg: script('aborts', 'kill -ABRT $PPID'), decodeMemory: 2 }), {
    code: 'unreadable',
    message:
      /\(SIGABRT, twice, .*\)\. Where it was refused memory: raise --decode-memory \(decodeMemory\), which is 2 GiB/
  })
})

/** An owner that asks for frames, with `preloaded` in each of its processes. */
function owner(preloaded) {
  fs.writeFileSync(at('preloaded.cjs'), preloaded)
  const source = `require(${JSON.stringify(root)}).extractFrames(${JSON.stringify(at('fine.mp4'))})
    .then(() => console.log('frames'), ({ code, message }) => console.log(code + ': ' + message))`
  return spawn(process.execPath, ['-e', source], {
    env: { ...process.env, NODE_OPTIONS: `--require ${at('preloaded.cjs')}` },
    stdio: ['ignore', 'pipe', 'inherit']
  })
}

test('a decoder that hears nothing ends when its owner is killed', async () => {
  const killed = owner(`if (process.send) process.on('message', () => { for (;;); })`)
  await until(() => decoderPids(killed.pid).length > 0)
  await wait(500)
  const [pid] = decoderPids(killed.pid)
  killed.kill('SIGKILL')
  await until(() => !isAlive(pid))
})

function isAlive(pid) {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

test('a fault of ours that a file brings to light costs its own row', async () => {
  const media = JSON.stringify(path.join(root, 'dist', 'frames', 'media.js'))
  const faulty = owner(`if (process.send) require(${media}).identify = async () => null.kind`)
  assert.match(
    (await faulty.stdout.toArray()).join(''),
    /^unreadable: It is damaged in a way that is not foreseen \(Cannot read properties of null .*\): report the file\n$/
  )
})

/** `bytes` with other bytes at some places. */
const patched = (bytes, ...changes) => {
  const copy = Buffer.from(bytes)
  for (const [at, values] of changes) copy.set(values, at)
  return copy
}
const u32 = (value) => [value >>> 24, (value >> 16) & 255, (value >> 8) & 255, value & 255]

test('a size that is too large is refused before anything is decoded', async () => {
  const image = sharp({ create: { width: 64, height: 64, channels: 3, background: 'red' } })
  const png = await image.clone().png().toBuffer()
  const jpeg = await image.clone().jpeg().toBuffer()
  const gif = await image.clone().gif().toBuffer()
  const tiff = await image.clone().tiff({ compression: 'lzw' }).toBuffer()
  const avif = await image.clone().avif({ effort: 0 }).toBuffer()
  fs.writeFileSync(at('small.png'), png)
  for (const name of ['small.bmp', 'small.ppm', 'small.jp2']) ffmpeg('-i', at('small.png'), at(name))
  countingClip(at('small.avi'), ['-c:v', 'mjpeg', '-pix_fmt', 'yuvj420p'], { count: 3, width: 64, height: 64 })
  const written = (name) => fs.readFileSync(at(name))
  const wide = patched(png, [16, [...u32(60_000), ...u32(60_000)]])
  const checksum = u32(crc32.buf(wide.subarray(12, 29)))
  const frame = jpeg.indexOf(Buffer.from([0xff, 0xc0]))
  const extents = avif.indexOf('ispe')
  const side = [0xff, 0xff, 0xff, 0xff]
  const descriptor = gif.indexOf(Buffer.from([0x2c, 0, 0, 0, 0, 64, 0, 64, 0]))
  const film = written('small.avi')
  const headers = placesOf(film, Buffer.from([0xff, 0xc0, 0, 0x11, 8]))
  assert.ok(frame > 0 && descriptor > 0 && extents > 0 && headers.length === 3)
  const files = {
    'wide.png': patched(wide, [29, checksum]),
    'wide.jpg': patched(jpeg, [frame + 5, [0xff, 0x00, 0xff, 0x00]]),
    'wide.gif': patched(gif, [6, side], [descriptor + 5, side]),
    'wide.tiff': wideTiff(tiff),
    'wide.avif': patched(avif, [extents + 8, [...u32(60_000), ...u32(60_000)]]),
    'wide.bmp': patched(written('small.bmp'), [18, [0x60, 0xea, 0, 0, 0x60, 0xea, 0, 0]]),
    'wide.ppm': Buffer.from(`P6\n60000 60000\n255\n${'x'.repeat(5000)}`),
    'wide.jp2': wideJpeg2000(written('small.jp2')),
    'wide.y4m': Buffer.from(`YUV4MPEG2 W60000 H60000 F25:1 Ip C420\nFRAME\n${'x'.repeat(5000)}`),
    'wide.avi': patched(film, ...headers.map((start) => [start + 5, [0xff, 0x00, 0xff, 0x00]]))
  }
  for (const [name, bytes] of Object.entries(files)) fs.writeFileSync(at(name), bytes)
  const fresh = new Decoder(1)
  const earlier = decoderPids()
  for (const options of byBoth) {
    for (const name of Object.keys(files)) {
      const sampled = sample(at(name), options, fresh)
      await assert.rejects(
        sampled,
        (error) => {
          assert.ok(['unreadable', 'no_frames'].includes(error.code), `${name}: ${error}`)
          assert.doesNotMatch(error.message, /memory/, name)
          return true
        },
        name
      )
    }
  }
  const pids = decoderPids().filter((pid) => !earlier.includes(pid))
  assert.ok(pids.length > 0)
  for (const pid of process.platform === 'linux' ? pids : []) {
    const [, peak] = /^VmHWM:\s+(\d+) kB/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))
    assert.ok(Number(peak) < 250 * 1024, `${peak} kB in memory`)
  }
  fresh.close()
})

/** Where `part` stands in `bytes`. */
function placesOf(bytes, part) {
  const places = []
  for (let at = bytes.indexOf(part); at >= 0; at = bytes.indexOf(part, at + 1)) places.push(at)
  return places
}

/** A TIFF file whose ImageWidth and ImageLength are 60,000. */
function wideTiff(bytes) {
  const copy = Buffer.from(bytes)
  const start = copy.readUInt32LE(4)
  for (let i = 0; i < copy.readUInt16LE(start); i++) {
    const entry = start + 2 + i * 12
    if (![256, 257].includes(copy.readUInt16LE(entry))) continue
    copy.writeUInt16LE(4, entry + 2)
    copy.writeUInt32LE(60_000, entry + 8)
  }
  return copy
}

/** A JPEG 2000 file whose image header and SIZ marker say 60,000. */
function wideJpeg2000(bytes) {
  const side = [...u32(60_000), ...u32(60_000)]
  return patched(bytes, [bytes.indexOf('ihdr') + 4, side], [bytes.indexOf(Buffer.from([0xff, 0x51])) + 6, side])
}

test('nothing but the named file is opened: no address is called, no other file is read', async () => {
  let calls = 0
  const server = net.createServer((socket) => {
    calls++
    socket.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = `http://127.0.0.1:${server.address().port}`
  // The secret is a text, a picture and a film of one colour, which no other file here has.
  const secret = 'lapis-lazuli-7731'
  fs.writeFileSync(at('secret.txt'), secret)
  const colour = { create: { width: 64, height: 48, channels: 3, background: '#c8281e' } }
  await sharp(colour)
    .png()
    .withExif({ IFD0: { ImageDescription: secret } })
    .toFile(at('secret.png'))
  fs.writeFileSync(at('secret.rgb'), (await sharp(colour).raw().toBuffer()).toString('latin1').repeat(10), 'latin1')
  const raw = ['-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s', '64x48', '-i', at('secret.rgb')]
  ffmpeg(...raw, '-c:v', 'mpeg4', '-metadata', `title=${secret}`, at('secret.mp4'))
  ffmpeg(...raw, '-c:v', 'mpeg2video', at('secret.ts'))
  const inFolder = (name) => `file://${at(name)}`
  const svg = (href) =>
    `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="64" height="48">` +
    `<image width="64" height="48" xlink:href="${href}"/></svg>`
  const playlist = (name) => `#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n${name}\n#EXT-X-ENDLIST\n`
  const files = {
    'a.m3u8': playlist('secret.ts'),
    'b.m3u8': playlist(`${address}/a.ts`),
    'c.ts': playlist(inFolder('secret.ts')),
    'd.mp4': `\ufeff${playlist('secret.ts')}`,
    'e.m3u8': playlist(`concat:${at('secret.txt')}|${at('secret.ts')}`),
    'f.m3u8': `#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="${address}/key"\n#EXTINF:1,\nsecret.ts\n`,
    'g.mpd': `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>${address}/</BaseURL></MPD>`,
    'h.ffconcat': "ffconcat version 1.0\nfile 'secret.mp4'\n",
    'i.txt': `file '${at('secret.mp4')}'\n`,
    'j.sdp': `v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video ${server.address().port} RTP/AVP 96\n`,
    'k.svg': svg('secret.png'),
    'l.png': svg(inFolder('secret.png')),
    'm.jpg': `GIF8${svg(`${address}/a.png`)}`,
    'n.tiff': `II*\0${svg(inFolder('secret.png'))}`,
    'o.webp': `RIFF\x40\0\0\0WEBP${svg(inFolder('secret.png'))}`,
    'p.pls': `[playlist]\nFile1=${address}/a.mp4\n`,
    'q.asx': `<asx version="3"><entry><ref href="${address}/a.wmv"/></entry></asx>`,
    'r.ffmeta': `;FFMETADATA1\ntitle=${address}\n`,
    's.avs': `DirectShowSource("${at('secret.mp4')}")\n`,
    't.vpy': 'import vapoursynth\n',
    'u.imf': `<CompositionPlaylist xmlns="http://www.smpte-ra.org/schemas/2067-3/2016"></CompositionPlaylist>`,
    'v.mov': referringMovie(at('plain.mov'), at('secret.rgb')),
    'w.ram': `${address}/a.rm\n`,
    'x.strm': `${address}/a.mp4\n`
  }
  for (const [name, contents] of Object.entries(files)) fs.writeFileSync(at(name), contents, 'latin1')
  fs.copyFileSync(at('secret.png'), at('img001.png'))
  const names = [
    `${address}/a.mp4`,
    `concat:${at('secret.ts')}`,
    'concat:secret.ts|secret.ts',
    'subfile,,start,0,end,9999,,:secret.mp4',
    `data:video/mp4;base64,${secret}`,
    'file:secret.mp4',
    'crypto:secret.mp4',
    'async:cache:secret.mp4',
    'img%03d.png',
    'img*.png',
    'pipe:0',
    'fd:0',
    'lavfi:movie=secret.mp4',
    '-i',
    '@secret.txt'
  ]
  // What could be reached by FFmpeg alone is reached by it here, so that the checks below can fail.
  execFileSync('ffmpeg', ['-v', 'quiet', '-i', at('h.ffconcat'), '-f', 'null', '-'])
  const followed = ['-v', 'quiet', '-enable_drefs', '1', '-use_absolute_path', '1', '-i', at('v.mov'), '-frames:v', '1']
  const shown = execFileSync('ffmpeg', [...followed, '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-'])
  assert.deepEqual([...shown.subarray(0, 3)], [0xc8, 0x28, 0x1e], 'the film refers to the secret')
  spawn('ffmpeg', ['-v', 'quiet', '-protocol_whitelist', 'file,http,tcp', '-i', at('b.m3u8'), '-f', 'null', '-'])
  await until(() => calls > 0)
  await wait(300)
  calls = 0

  const rows = [...Object.keys(files), ...names]
  fs.writeFileSync(at('in.csv'), ['path', ...rows.map((name) => JSON.stringify(name)), 'fine.mp4', ''].join('\n'))
  for (const options of byBoth) {
    for (const name of Object.keys(files)) {
      const failure = await sample(at(name), options).catch((error) => error)
      assert.ok(failure instanceof Error, `${name} has frames`)
      assert.ok(!`${failure.stack} ${failure.cause}`.includes(secret), name)
    }
    const flags = options.ffmpeg ? ['--ffmpeg', options.ffmpeg] : []
    const ran = await run(at('in.csv'), at('out.csv'), '--json', '--restart', ...flags, { env: { VCAP_DEBUG: '1' } })
    assert.equal(ran.status, 3, ran.stderr)
    const output = readRows(at('out.csv'))
    assert.deepEqual(
      output.map(({ status }) => status),
      [
        ...Object.keys(files).map((name) => (name === 'v.mov' ? 'no_frames' : 'unreadable')),
        ...names.map(() => 'missing'),
        'ok'
      ]
    )
    const written = output.map(({ text, error }) => `${text}\n${error}`).join('\n') + ran.stdout
    const log = ran.stderr.replaceAll(JSON.stringify(names.find((name) => name.includes(secret))).slice(1, -1), '')
    assert.ok(!written.includes(secret) && !log.includes(secret))
  }
  await wait(200)
  assert.equal(calls, 0, 'the address was called')
  server.close()
})
