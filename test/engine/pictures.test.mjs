/** Pictures on their way into the vision tower: laid out, cut into tiles, scaled, and handed over once. */
import assert from 'node:assert/strict'
import path from 'node:path'
import test from 'node:test'
import { loadCaptioner } from '../../dist/index.js'
import { loadAddon } from '../../dist/native/load.js'
import { llava34b, projector } from '../../tools/models/llava.mjs'
import { root } from '../helpers/cli.mjs'
import { ffmpeg, temporaryFolder } from '../helpers/media.mjs'

const addon = loadAddon()
const folder = temporaryFolder()
/** The projector of LLaVA-1.6-34B, whose weights are holes: its tiles are those of `clip336`. */
const mmproj = path.join(folder, 'mmproj.gguf')
projector(llava34b.projector('F16')).write(mmproj)
const clip336 = {
  tileSize: 336,
  patchSize: 14,
  pinpoints: [
    [336, 672],
    [672, 336],
    [672, 672],
    [1008, 336],
    [336, 1008]
  ],
  aspect: 'anyres',
  merge: 'spatial_unpad'
}
const most = 0x7fffffff

/** Red grows to the right, green downward: where a pixel came from can be read from it. */
function ramp(width, height) {
  const data = new Uint8Array(width * height * 3)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      data[(y * width + x) * 3] = Math.round((x * 255) / (width - 1 || 1))
      data[(y * width + x) * 3 + 1] = Math.round((y * 255) / (height - 1 || 1))
      data[(y * width + x) * 3 + 2] = 128
    }
  }
  return { data, width, height }
}

/** A ramp of `length` pixels has this value at `place`, within a pixel's step. */
const near = (value, place, length) => Math.abs(value - ((place + 0.5) * 255) / length) < 4 + 255 / length

/** Pixel x, y of the grid's canvas, put together again from the tiles. */
function gridPixel({ pixels, cols }, size, x, y) {
  const tile = 1 + Math.floor(y / size) * cols + Math.floor(x / size)
  const place = ((tile * size + (y % size)) * size + (x % size)) * 3
  return [...pixels.subarray(place, place + 3)]
}

test("the spec's token table", () => {
  for (const [w, h, tiles, cols, rows, tokens] of [
    [1280, 720, 5, 48, 28, 1948],
    [1920, 1080, 5, 48, 28, 1948],
    [720, 1280, 5, 28, 48, 1968],
    [640, 480, 5, 48, 36, 2340],
    [854, 480, 5, 48, 26, 1850],
    [597, 336, 3, 42, 24, 1608],
    [336, 336, 3, 24, 24, 1176],
    [256, 256, 3, 24, 24, 1176],
    [320, 240, 3, 24, 18, 1026]
  ]) {
    const layout = addon.testing.layout(clip336, w, h, most)
    assert.deepEqual(
      [layout.tiles, layout.keptCols, layout.keptRows, layout.tokens],
      [tiles, cols, rows, tokens],
      `${w}x${h}`
    )
  }
  assert.equal(3 * addon.testing.layout(clip336, 640, 360, most).tokens, 5844)
})

for (const [w, h] of [
  [1280, 720],
  [720, 1280],
  [320, 240],
  [336, 336],
  [4096, 64],
  [64, 4096],
  [1, 1],
  [861, 328],
  [335, 337]
]) {
  test(`grid of ${w} x ${h}: each tile where it belongs, black around it`, () => {
    const layout = addon.testing.layout(clip336, w, h, most)
    const image = addon.testing.cut(clip336, ramp(w, h), most)
    assert.equal(image.pixels.length, layout.tiles * 336 * 336 * 3)
    assert.deepEqual([image.cols, image.rows], [layout.cols, layout.rows])
    for (let y = 0; y < layout.rows * 336; y += 13) {
      for (let x = 0; x < layout.cols * 336; x += 17) {
        const [inX, inY] = [x - layout.padLeft, y - layout.padTop]
        const pixel = gridPixel(image, 336, x, y)
        if (inX < 0 || inY < 0 || inX >= layout.resizedWidth || inY >= layout.resizedHeight)
          assert.deepEqual(pixel, [0, 0, 0], `padding at ${x}, ${y}`)
        else if (w > 60 && h > 60) {
          assert.ok(near(pixel[0], inX, layout.resizedWidth), `red at ${x}, ${y}: ${pixel}`)
          assert.ok(near(pixel[1], inY, layout.resizedHeight), `green at ${x}, ${y}: ${pixel}`)
        }
      }
    }
  })
}

test('the overview is the whole picture, stretched; alone where the grid is off', () => {
  const { pixels, cols, rows } = addon.testing.cut(clip336, ramp(1280, 720), 0)
  assert.deepEqual([pixels.length, cols, rows], [336 * 336 * 3, 0, 0])
  const at = (x, y) => [...pixels.subarray((y * 336 + x) * 3, (y * 336 + x) * 3 + 2)]
  for (const [x, y, red, green] of [
    [0, 0, 0, 0],
    [335, 335, 255, 255],
    [335, 0, 255, 0],
    [168, 168, 128, 128]
  ]) {
    const [r, g] = at(x, y)
    assert.ok(Math.abs(r - red) < 4 && Math.abs(g - green) < 4, `${x}, ${y}: ${r}, ${g}`)
  }
})

test('square padding of LLaVA-1.5 and centre crop', () => {
  const white = { data: new Uint8Array(400 * 200 * 3).fill(255), width: 400, height: 200 }
  const plain = { ...clip336, pinpoints: [], merge: 'flat' }
  const pad = addon.testing.cut({ ...plain, aspect: 'pad' }, white, most)
  assert.deepEqual([...pad.pixels.subarray(0, 3)], [122, 116, 104])
  assert.deepEqual([...pad.pixels.subarray((168 * 336 + 168) * 3, (168 * 336 + 168) * 3 + 3)], [255, 255, 255])
  const crop = addon.testing.cut({ ...plain, aspect: 'crop' }, ramp(400, 200), most)
  assert.equal(crop.pixels.length, 336 * 336 * 3)
  assert.ok(Math.abs(crop.pixels[0] - 64) < 4, 'a quarter is cut off on the left')
})

test('auto takes the most tiles that fit, full all of them, off none but the overview', () => {
  const three = Array(3).fill({ width: 1280, height: 720 })
  const one = (maxTiles) => addon.testing.layout(clip336, 1280, 720, maxTiles)
  const fit = (detail, room) => addon.fit(mmproj, three, detail, room)
  const expected = (maxTiles) => Array(3).fill({ tiles: one(maxTiles).tiles, tokens: one(maxTiles).tokens })
  const sum = (layouts) => layouts.reduce((total, { tokens }) => total + tokens, 0)
  const whole = 3 * one(4).tokens
  assert.deepEqual(fit('auto', whole), expected(4))
  const less = fit('auto', whole - 1)
  assert.ok(less[0].tiles < one(4).tiles && sum(less) < whole)
  const least = 3 * one(0).tokens
  assert.deepEqual(fit('auto', least), expected(0))
  assert.deepEqual(fit('auto', least - 1), expected(0), 'where not even the least fits it is the least')
  assert.deepEqual(fit('off', whole), expected(0))
  assert.deepEqual(fit('full', 0), expected(4))
  assert.deepEqual(fit('full', whole), expected(most))
  // Nothing between is passed over: with each room the tokens are the most that fit it.
  const choices = [0, 1, 2, 3, 4].map((maxTiles) => 3 * one(maxTiles).tokens)
  for (let room = least; room <= whole + 100; room += 97) {
    assert.equal(sum(fit('auto', room)), Math.max(...choices.filter((tokens) => tokens <= room)), `room ${room}`)
  }
})

test('pictures of several sizes share the room', () => {
  const sizes = [
    { width: 1280, height: 720 },
    { width: 336, height: 336 },
    { width: 64, height: 4096 }
  ]
  const layouts = (maxTiles) =>
    sizes.map(({ width, height }) => {
      const { tiles, tokens } = addon.testing.layout(clip336, width, height, maxTiles)
      return { tiles, tokens }
    })
  const sum = (list) => list.reduce((total, { tokens }) => total + tokens, 0)
  assert.deepEqual(addon.fit(mmproj, sizes, 'full', 0), layouts(most))
  const found = addon.fit(mmproj, sizes, 'auto', sum(layouts(most)) - 1)
  assert.ok(sum(found) < sum(layouts(most)))
  assert.deepEqual(addon.fit(mmproj, [], 'auto', 100), [])
})

test('what does not fit says the numbers, whether the least was asked for or is not enough', async () => {
  const demo = path.join(root, 'models', 'demo', 'vcap-demo-mmproj.gguf')
  const captioner = await loadCaptioner({ model: 'demo', gpus: 'none', sequences: 1, contextPerSequence: 256 })
  try {
    const pictures = Array(3).fill({ data: new Uint8Array(640 * 360 * 3), width: 640, height: 360 })
    const fit = (detail) => addon.fit(demo, pictures, detail, 0).reduce((total, { tokens }) => total + tokens, 0)
    for (const anyres of ['auto', 'off', 'full']) {
      const tokens = fit(anyres === 'full' ? 'full' : 'off')
      await assert.rejects(captioner.captionImages(pictures, { anyres, framePool: 1, maxTokens: 200 }), (error) => {
        assert.equal(error.code, 'context_overflow')
        const numbers =
          /^3 images need (\d+) tokens, the prompt (\d+) and the answer 200: (\d+) of 256 positions; use less detail, /
        const [, images, prompt, all] = numbers.exec(error.message).map(Number)
        assert.equal(images, tokens)
        assert.ok(prompt > 0)
        assert.equal(all, images + prompt + 200)
        assert.match(error.message, /; use less detail, fewer frames, a shorter answer or a longer context$/)
        return true
      })
    }
  } finally {
    await captioner.close()
  }
})

test('scaling is centred: a mirrored picture gives the mirrored result', async () => {
  const noise = (x, y, c) => Math.imul(x * 73 + y * 151 + c * 29 + 7, 2654435761) >>> 24
  for (const [w, h, W, H] of [
    [40, 30, 100, 90],
    [320, 240, 336, 252],
    [200, 100, 120, 120],
    [335, 337, 336, 336]
  ]) {
    const draw = (flip) =>
      Uint8Array.from({ length: w * h * 3 }, (_, i) =>
        noise(flip ? w - 1 - (Math.floor(i / 3) % w) : Math.floor(i / 3) % w, Math.floor(i / 3 / w), i % 3)
      )
    const scaled = (flip) => addon.resample(draw(flip), w, h, W, H)
    const [a, b] = await Promise.all([scaled(false), scaled(true)])
    assert.deepEqual([a.length, b.length], [W * H * 3, W * H * 3])
    let sum = 0
    for (let i = 0; i < a.length; i++) {
      const [x, y] = [Math.floor(i / 3) % W, Math.floor(i / 3 / W)]
      sum += Math.abs(a[i] - b[(y * W + W - 1 - x) * 3 + (i % 3)])
    }
    assert.equal(sum, 0, `${w}x${h} to ${W}x${H}`)
  }
})

/** The addon with every call of it and its models written down, while `work` goes on. */
async function countingCalls(work) {
  const calls = []
  const noting = (name, call) =>
    function (...args) {
      calls.push(name)
      return call.apply(this, args)
    }
  const originals = { ...addon }
  for (const [name, value] of Object.entries(originals)) {
    if (typeof value === 'function') addon[name] = noting(name, value)
  }
  addon.loadModel = (...args) => {
    calls.push('loadModel')
    const { promise, cancel } = originals.loadModel(...args)
    const counted = (model) => ({
      info: model.info,
      caption: noting('caption', (request) => model.caption(request)),
      embed: noting('embed', (...rest) => model.embed(...rest)),
      close: noting('close', () => model.close())
    })
    return { promise: promise.then(counted), cancel }
  }
  try {
    await work(calls)
  } finally {
    Object.assign(addon, originals)
  }
}

test('a row of three 720p frames enters the addon in one call and one copy', async () => {
  const clip = path.join(folder, '720p.mp4')
  ffmpeg('-f', 'lavfi', '-i', 'testsrc=s=1280x720:r=25:d=1', '-c:v', 'libx264', '-pix_fmt', 'yuv420p', clip)
  await countingCalls(async (calls) => {
    const captioner = await loadCaptioner({ model: 'demo', gpus: 'none', sequences: 2 })
    try {
      assert.deepEqual(
        calls.filter((name) => name === 'loadModel'),
        ['loadModel'],
        'calls are seen'
      )
      calls.length = 0
      const before = addon.testing.bytesCopied()
      const { status, length } = await captioner.caption(clip, { maxTokens: 4, ignoreEos: true })
      assert.deepEqual([status, length], ['truncated', 25])
      assert.deepEqual(calls, ['caption'])
      assert.equal(addon.testing.bytesCopied() - before, 3 * 1280 * 720 * 3)
    } finally {
      await captioner.close()
    }
    assert.deepEqual(calls, ['caption', 'close'])
  })
})

test('pictures may be changed or given away as soon as they are handed in', async () => {
  const captioner = await loadCaptioner({ model: 'demo', gpus: 'none', sequences: 1 })
  try {
    const draw = () => [ramp(320, 240), ramp(200, 300)]
    const options = { maxTokens: 12, ignoreEos: true }
    const expected = await captioner.captionImages(draw(), options)
    const black = draw().map((picture) => ({ ...picture, data: new Uint8Array(picture.data.length) }))
    assert.notDeepEqual(
      (await captioner.captionImages(black, options)).tokens,
      expected.tokens,
      'it can tell them apart'
    )
    // Keeps the engine at other work, so that these pictures wait.
    const ahead = captioner.captionImages(draw(), { maxTokens: 60, ignoreEos: true })
    const [changed, given] = draw()
    const job = captioner.captionImages([changed, given], options)
    await new Promise((resolve) => setImmediate(resolve))
    changed.data.fill(0)
    structuredClone(given.data.buffer, { transfer: [given.data.buffer] })
    assert.equal(given.data.length, 0)
    assert.deepEqual((await job).tokens, expected.tokens)
    await ahead
  } finally {
    await captioner.close()
  }
})

test('a long and thin picture that would grow beyond all memory is refused, others are padded or cropped', () => {
  const { cut } = loadAddon().testing
  for (const aspect of ['pad', 'crop']) {
    const geometry = { tileSize: 28, patchSize: 14, pinpoints: [], aspect, merge: 'flat' }
    const strip = (length) => ({ data: new Uint8Array(3 * length).fill(9), width: 1, height: length })
    assert.equal(cut(geometry, strip(3000), 0).pixels.length, 3 * 28 * 28)
    const across = { ...strip(1 << 20), width: 1 << 20, height: 1 }
    for (const picture of [strip(1 << 20), across]) {
      assert.throws(
        () => cut(geometry, picture, 0),
        (error) => {
          assert.equal(error.code, 'unreadable')
          assert.match(error.message, /1048576 .*crop it, or make it smaller$/)
          return true
        }
      )
    }
  }
})
