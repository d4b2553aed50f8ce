/** Which frames of a video are sampled: the reference's points, and numpy's spread. */
import assert from 'node:assert/strict'
import path from 'node:path'
import test from 'node:test'
import { sampledIndices } from '../../dist/frames/points.js'
import { sampleFrames } from '../../dist/frames/sample.js'
import { findFfmpeg, findVideoTools } from '../../dist/frames/tools.js'
import { countingClip, readCount, temporaryFolder } from '../helpers/media.mjs'

test("up to three frames stand at Open-Sora's points", () => {
  assert.deepEqual(sampledIndices(100, { numFrames: 1 }), [50])
  assert.deepEqual(sampledIndices(100, { numFrames: 2 }), [25, 75])
  assert.deepEqual(sampledIndices(100, { numFrames: 3 }), [10, 50, 90])
  assert.deepEqual(sampledIndices(1, { numFrames: 3 }), [0, 0, 0])
})

test("more are numpy's linspace(0, length - 1, n, dtype=int)", () => {
  assert.deepEqual(sampledIndices(100, { numFrames: 4 }), [0, 33, 66, 99])
  assert.deepEqual(sampledIndices(100, { numFrames: 8 }), [0, 14, 28, 42, 56, 70, 84, 99])
  assert.deepEqual(sampledIndices(5, { numFrames: 8 }), [0, 0, 1, 1, 2, 2, 3, 4])
  assert.deepEqual(sampledIndices(1, { numFrames: 4 }), [0, 0, 0, 0])
  for (const length of [2, 7, 33, 1799, 54_321]) {
    for (const numFrames of [4, 16, 32, 64]) {
      const indices = sampledIndices(length, { numFrames })
      assert.deepEqual([indices.length, indices[0], indices.at(-1)], [numFrames, 0, length - 1])
    }
  }
})

test('so many a second, from the first frame on, and evenly where they would be too many', () => {
  assert.deepEqual(sampledIndices(100, { numFrames: 32, fps: 1 }, 25), [0, 25, 50, 75])
  assert.deepEqual(sampledIndices(100, { numFrames: 32, fps: 0.5 }, 29.97), [0, 60])
  assert.deepEqual(sampledIndices(100, { numFrames: 4, fps: 10 }, 25), [0, 33, 66, 99])
  assert.deepEqual(sampledIndices(100, { numFrames: 2, fps: 10 }, 25), [0, 99])
  assert.deepEqual(sampledIndices(100, { numFrames: 1, fps: 10 }, 25), [0])
  assert.deepEqual(sampledIndices(3, { numFrames: 32, fps: 1000 }, 25), [0, 1, 2])
  assert.deepEqual(sampledIndices(10, { numFrames: 32, fps: 10 }, 25), [0, 2, 4, 6, 8], 'two and a half are two')
  assert.deepEqual(sampledIndices(100, { numFrames: 4, fps: 1 }, undefined), [0, 33, 66, 99])
})

test('a clip gives them by both readers, sought and counted', async () => {
  const args = ['-c:v', 'libx264', '-preset', 'veryfast', '-pix_fmt', 'yuv420p', '-g', '20']
  const folder = temporaryFolder()
  const clip = (name) => countingClip(path.join(folder, name), args, { width: 160, height: 96, count: 60 })
  for (const [name, rate] of Object.entries({ 'a.mp4': 25, 'a.h264': undefined })) {
    const file = clip(name)
    for (const tools of [findVideoTools(), findVideoTools(findFfmpeg().path)]) {
      for (const points of [{ numFrames: 8 }, { numFrames: 32, fps: 2 }, { numFrames: 4, fps: 20 }]) {
        const sampled = await sampleFrames(file, { ...points, decodeTimeout: 60 }, 2, tools)
        const wanted = sampledIndices(60, points, rate)
        assert.deepEqual(sampled.frames.map(readCount), wanted, `${name} ${JSON.stringify(points)}`)
      }
    }
  }
})
