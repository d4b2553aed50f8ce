/** Kinds of images beyond the plain ones, and what is said of files that are none. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import test, { after } from 'node:test'
import sharp from 'sharp'
import { Decoder } from '../../dist/frames/decoder.js'
import { findFfmpeg } from '../../dist/frames/tools.js'
import { parseFrameOptions } from '../../dist/options/index.js'
import { aperture, mirror, rotation, writeHeic } from '../helpers/heic.mjs'
import { countingClip, ffmpeg, hasEncoder, temporaryFolder } from '../helpers/media.mjs'

const folder = temporaryFolder()
const at = (name) => path.join(folder, name)
const decoder = new Decoder(2)
after(() => decoder.close())
const byBoth = [{}, { ffmpeg: findFfmpeg(undefined).path }]
const sample = (file, options) => decoder.sample(file, parseFrameOptions(options))

/** A picture whose every place has a colour of its own, and smooth, so that coding it changes little. */
function gradient(width, height) {
  const picture = Buffer.alloc(width * height * 3)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      picture.set([(x * 255) / width, (y * 255) / height, 128 + 60 * Math.sin(x / 40)], (y * width + x) * 3)
    }
  }
  return picture
}

async function assertShows(file, expected, { width, height }) {
  for (const options of byBoth) {
    const { frames, length } = await sample(file, options)
    assert.deepEqual([length, frames.length], [1, 1])
    const [frame] = frames
    assert.deepEqual([frame.width, frame.height], [width, height], file)
    const difference = expected.reduce((sum, value, i) => sum + Math.abs(value - frame.data[i]), 0) / expected.length
    assert.ok(difference < 4, `${path.basename(file)} differs by ${difference} of 255`)
  }
}

test('HEIC: a grid of tiles is one picture, turned upright', {
  skip: !hasEncoder('libx265') && 'there is no encoder'
}, async () => {
  const grid = { tile: 128, columns: 3, rows: 2 }
  const picture = gradient(384, 256)
  const image = () => sharp(picture, { raw: { width: 384, height: 256, channels: 3 } })
  const shown = (pipeline) => pipeline.raw().toBuffer()
  const whole = { width: 384, height: 256 }
  const turned = { width: 256, height: 384 }
  await assertShows(writeHeic(at('plain.heic'), picture, grid), picture, whole)
  await assertShows(writeHeic(at('long.heic'), picture, { ...grid, isLong: true, brand: 'mif1' }), picture, whole)
  const quarter = writeHeic(at('quarter.heic'), picture, { ...grid, properties: [rotation(3)] })
  await assertShows(quarter, await shown(image().rotate(90)), turned)
  const both = writeHeic(at('both.heic'), picture, { ...grid, properties: [mirror(1), rotation(1)] })
  const mirrored = await shown(image().flop())
  await assertShows(both, await shown(sharp(mirrored, { raw: { ...whole, channels: 3 } }).rotate(270)), turned)
  const smaller = writeHeic(at('smaller.heic'), picture, { ...grid, shown: [300, 200] })
  const region = { left: 0, top: 0, width: 300, height: 200 }
  await assertShows(smaller, await shown(image().extract(region)), region)
  const clean = writeHeic(at('clean.heic'), picture, { ...grid, properties: [aperture(300, 200)] })
  await assertShows(clean, await shown(image().extract({ left: 42, top: 28, width: 300, height: 200 })), region)
  const single = writeHeic(at('single.heic'), gradient(128, 128), { tile: 128, columns: 1, rows: 1 })
  await assertShows(single, gradient(128, 128), { width: 128, height: 128 })
})

test('HEIC: more tiles than are decoded at once; files that are damaged or of another codec are refused', {
  skip: !hasEncoder('libx265') && 'there is no encoder'
}, async () => {
  const grid = { tile: 64, columns: 6, rows: 5 }
  const file = writeHeic(at('many.heic'), gradient(384, 320), grid)
  await assertShows(file, gradient(384, 320), { width: 384, height: 320 })
  const bytes = fs.readFileSync(file)
  const spoil = (name, change) => {
    const copy = Buffer.from(bytes)
    fs.writeFileSync(at(name), change(copy) ?? copy)
    return at(name)
  }
  const files = [
    spoil('cut.heic', (copy) => copy.subarray(0, copy.length * 0.7)),
    spoil('no-meta.heic', (copy) => copy.subarray(0, 200)),
    spoil('fewer.heic', (copy) => void copy.writeUInt16BE(29, copy.indexOf('dimg') + 6)),
    spoil('units.heic', (copy) => void copy.writeUInt16BE(0xffff, copy.lastIndexOf('hvcC') + 4 + 24)),
    spoil('circle.heic', (copy) => void copy.write('iden', copy.lastIndexOf('grid')))
  ]
  for (const name of files)
    for (const options of byBoth) await assert.rejects(sample(name, options), { code: 'unreadable' })
  const other = spoil('other.heic', (copy) => Buffer.from(copy.toString('latin1').replaceAll('hvc1', 'vvc1'), 'latin1'))
  await assert.rejects(sample(other), { message: /coded as vvc1, which is not read: convert it to JPEG or PNG/ })
})

test('AVIF: a still image with further ones beside it; a sequence is a video', async () => {
  const file = path.join(import.meta.dirname, '..', 'fixtures', 'media', 'seq.avif')
  for (const options of byBoth) assert.equal((await sample(file, options)).length, 6)
  const grid = at('still.avif')
  await sharp(gradient(90, 60), { raw: { width: 90, height: 60, channels: 3 } })
    .avif({ quality: 90 })
    .toFile(grid)
  await assertShows(grid, gradient(90, 60), { width: 90, height: 60 })
})

/** A PNG chunk, its checksum wrong where nobody looks at it. */
const chunk = (type, data) => {
  const size = Buffer.alloc(4)
  size.writeUInt32BE(data.length)
  return Buffer.concat([size, Buffer.from(type, 'latin1'), data, Buffer.alloc(4)])
}

test('PNG: animated where acTL stands before the image, however late', async () => {
  countingClip(at('anim.png'), ['-f', 'apng', '-plays', '0'], { count: 7, width: 64, height: 48 })
  const bytes = fs.readFileSync(at('anim.png'))
  const late = Buffer.concat([bytes.subarray(0, 33), chunk('prVt', Buffer.alloc(9000)), bytes.subarray(33)])
  fs.writeFileSync(at('late.png'), late)
  for (const options of byBoth) {
    assert.equal((await sample(at('anim.png'), options)).length, 7)
    assert.equal((await sample(at('late.png'), options)).length, 7)
  }
  await sharp(gradient(60, 40), { raw: { width: 60, height: 40, channels: 3 } })
    .png()
    .toFile(at('still.png'))
  const still = fs.readFileSync(at('still.png'))
  const mentions = Buffer.concat([still.subarray(0, 33), chunk('prVt', Buffer.from('acTL')), still.subarray(33)])
  fs.writeFileSync(at('mentions.png'), mentions)
  assert.equal((await sample(at('mentions.png'))).length, 1)
})

test('images that FFmpeg reads: PPM and its kin, JPEG 2000; BigTIFF by sharp', async () => {
  const picture = gradient(64, 48)
  const raw = ['-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s', '64x48', '-i', at('raw.rgb'), '-frames:v', '1']
  fs.writeFileSync(at('raw.rgb'), picture)
  for (const [name, args] of [
    ['a.ppm', []],
    ['a.pam', []],
    ['a.jp2', ['-c:v', 'jpeg2000', '-pix_fmt', 'rgb24', '-pred', '1']]
  ]) {
    ffmpeg(...raw, ...args, at(name))
    await assertShows(at(name), picture, { width: 64, height: 48 })
  }
  await sharp(picture, { raw: { width: 64, height: 48, channels: 3 } })
    .tiff({ bigtiff: true })
    .toFile(at('big.tiff'))
  await assertShows(at('big.tiff'), picture, { width: 64, height: 48 })
})

test('what is not read is named, with what can be done', async () => {
  const notFollowed = /not followed: name the media file itself/
  for (const [name, contents, message] of [
    ['a.m3u8', '#EXTM3U\n#EXTINF:1,\nhttp://localhost/a.ts\n', notFollowed],
    ['bom.m3u8', '\ufeff#EXTM3U\na.ts\n', notFollowed],
    ['a.pls', '[playlist]\nFile1=a.mp4\n', notFollowed],
    ['a.mpd', '<?xml version="1.0"?>\n<!-- one -->\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>', notFollowed],
    ['a.xspf', '<?xml version="1.0"?><playlist version="1"></playlist>', notFollowed],
    ['a.sdp', 'v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n', notFollowed],
    ['a.ffconcat', "ffconcat version 1.0\nfile 'a.mp4'\n", notFollowed],
    ['b.concat', "# clips\nfile 'a.mp4'\n", notFollowed],
    ['a.ffmeta', ';FFMETADATA1\ntitle=x\n', /metadata of ffmpeg/],
    ['a.svg', '<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', /an SVG drawing.*convert it to PNG/],
    ['comments.svg', `${'<!-- --> '.repeat(400)}<svg>`, /an SVG drawing/],
    ['no.svg', '<!---->'.repeat(580), /./],
    ['a.jxl', '\x00\x00\x00\x0cJXL \r\n', /a JPEG XL image, which is not read: convert it to PNG or JPEG/],
    ['a.jpg', '<!DOCTYPE html><html><body>404</body></html>', /an HTML page/],
    ['b.mp4', 'version https://git-lfs.github.com/spec/v1\n', /git lfs pull/]
  ]) {
    fs.writeFileSync(at(name), contents)
    for (const options of byBoth) await assert.rejects(sample(at(name), options), { code: 'unreadable', message })
  }
})

test('a path that is no path of this machine says so', async () => {
  for (const [name, message] of [
    ['s3://bucket/a.mp4', /s3:\/\/ is an address.*Download it first/],
    ['https://example.org/a.mp4', /https:\/\/ is an address/],
    ['file:///tmp/a.mp4', /leave out file:\/\//],
    ['C:\\clips\\a.mp4', /a path of Windows/],
    ['a.mp4', /^No such file$/]
  ]) {
    await assert.rejects(sample(name), { code: 'missing', message })
    await assert.rejects(sample(path.resolve('/data', name)), { code: 'missing', message })
  }
})
