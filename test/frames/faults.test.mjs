/**
 * Reads that fail: the right frames or `unreadable`, never another length or picture. VCAP_FAULT_PLACES says at how
 * many places of each file; `npm run faults` takes 50.
 */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import test, { after } from 'node:test'
import sharp from 'sharp'
import { Decoder } from '../../dist/frames/decoder.js'
import { findFfmpeg } from '../../dist/frames/tools.js'
import { parseFrameOptions } from '../../dist/options/index.js'
import { run } from '../helpers/cli.mjs'
import { cannotFail, preloadFaults } from '../helpers/faults.mjs'
import { countingClip, temporaryFolder } from '../helpers/media.mjs'

const placeCount = Number(process.env.VCAP_FAULT_PLACES ?? 2)
const everything = placeCount >= 50
const folder = temporaryFolder()
const at = (name) => path.join(folder, `faulty-${name}`)
const skip = cannotFail

const h264 = ['-c:v', 'libx264', '-preset', 'veryfast', '-pix_fmt', 'yuv420p', '-g', '10']
const clips = [
  ['index-first.mp4', [...h264, '-movflags', '+faststart']],
  ['clip.mkv', h264],
  ['clip.ts', h264],
  ['clip.avi', ['-c:v', 'mpeg4', '-g', '10']],
  ...(everything
    ? [
        ['index-last.mp4', h264],
        ['fragments.mp4', [...h264, '-movflags', 'frag_keyframe+empty_moov']],
        ['clip.webm', ['-c:v', 'libvpx', '-deadline', 'realtime', '-g', '10']],
        ['clip.flv', ['-c:v', 'flv', '-g', '10']],
        ['clip.ogv', ['-c:v', 'libtheora', '-g', '10']],
        ['clip.h264', h264]
      ]
    : [])
]

/** Sound files and their settings; made before any read fails. */
async function makeFiles() {
  const files = clips.map(([name, args]) => countingClip(at(name), args, { count: 83, width: 160, height: 96 }))
  const noise = { create: { width: 150, height: 100, channels: 3, noise: { type: 'gaussian', mean: 128, sigma: 40 } } }
  for (const format of ['jpeg', 'png', 'webp', ...(everything ? ['tiff', 'gif', 'avif'] : [])]) {
    const file = at(`picture.${format}`)
    await sharp(noise).toFormat(format).toFile(file)
    files.push(file)
  }
  return files
}

const files = skip ? [] : await makeFiles()
const faults = skip ? undefined : preloadFaults(folder)
const readers = [
  ['the libraries', {}],
  ['the command', { ffmpeg: findFfmpeg(undefined).path }]
]

const decoder = new Decoder(2)
after(() => decoder.close())
const sample = (file, options) => decoder.sample(file, parseFrameOptions({ decodeTimeout: 30, ...options }))

/** What is looked at of sampled frames. */
const digest = ({ length, frames }) => ({ length, frames: frames.map(({ index, data }) => [index, digestOf(data)]) })
const digestOf = (data) => data.reduce((sum, value, place) => (sum * 31 + value + place) % 1_000_003, 7)

const places = (file, count) => {
  const { size } = fs.statSync(file)
  return Array.from({ length: count }, (_, i) => Math.trunc((size * (i + 0.5)) / count))
}

for (const [reader, options] of readers) {
  for (const file of files) {
    test(`reads of ${path.basename(file)} that fail, by ${reader}`, { skip }, async () => {
      faults.pass()
      const sound = digest(await sample(file, options))
      const samePicture = async () => assert.deepEqual(digest(await sample(file, options)), sound)

      for (const place of places(file, placeCount)) {
        faults.fail('eio', place)
        await assert.rejects(
          sample(file, options),
          { code: 'unreadable', message: /failed twice: .*(i\/o|input\/output) error/i },
          place
        )
        faults.fail('once', place)
        await samePicture()
      }
      for (const place of places(file, everything ? placeCount : 1)) {
        faults.fail('eintr', place)
        await samePicture()
        faults.fail('kill', place)
        await assert.rejects(sample(file, options), { code: 'unreadable', message: /SIGKILL/ })
        faults.fail('killonce', place)
        await samePicture()
      }
      for (const bytes of everything ? [1000, 4096, 9999] : [4095]) {
        faults.fail('short', bytes)
        await samePicture()
      }
      faults.pass()
    })
  }
}

test('a table whose reading fails ends the run, and is no shorter table', { skip }, async () => {
  const table = at('table.csv')
  const rows = Array.from({ length: 20_000 }, (_, i) => `missing-${i}.mp4`)
  fs.writeFileSync(table, `path\n${rows.join('\n')}\n`)
  const output = path.join(folder, 'captions.csv')
  for (const place of places(table, placeCount)) {
    faults.fail('eio', place)
    const { status, stderr } = await run(table, output)
    assert.notEqual(status, 0)
    assert.notEqual(status, 3)
    assert.match(stderr, /EIO/)
    assert.ok(!fs.existsSync(output))
  }
  faults.pass()
})
