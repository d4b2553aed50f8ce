import assert from 'node:assert/strict'
import test from 'node:test'
import { fitTiles } from '../../dist/fit.js'
import { loadAddon } from '../../dist/native/load.js'
import { stretch } from '../../dist/scale.js'
import { cutTiles } from '../../dist/tiles.js'

const addon = loadAddon()
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
  merge: 'spatial_unpad',
  width: 64
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
    const layout = addon.tileLayout(clip336, w, h, most)
    assert.deepEqual(
      [layout.tiles, layout.keptCols, layout.keptRows, layout.tokens],
      [tiles, cols, rows, tokens],
      `${w}x${h}`
    )
  }
  assert.equal(3 * addon.tileLayout(clip336, 640, 360, most).tokens, 5844)
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
  test(`grid of ${w} x ${h}: each tile where it belongs, black around it`, async () => {
    const layout = addon.tileLayout(clip336, w, h, most)
    const image = await cutTiles(addon, clip336, ramp(w, h), most)
    assert.equal(image.pixels.length, layout.tiles * 336 * 336 * 3)
    assert.deepEqual([image.width, image.height, image.cols, image.rows], [w, h, layout.cols, layout.rows])
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

test('the overview is the whole picture, stretched; alone where the grid is off', async () => {
  const { pixels, cols, rows } = await cutTiles(addon, clip336, ramp(1280, 720), 0)
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

test('square padding of LLaVA-1.5 and centre crop', async () => {
  const white = { data: new Uint8Array(400 * 200 * 3).fill(255), width: 400, height: 200 }
  const plain = { ...clip336, pinpoints: [], merge: 'flat' }
  const pad = await cutTiles(addon, { ...plain, aspect: 'pad' }, white, most)
  assert.deepEqual([...pad.pixels.subarray(0, 3)], [122, 116, 104])
  assert.deepEqual([...pad.pixels.subarray((168 * 336 + 168) * 3, (168 * 336 + 168) * 3 + 3)], [255, 255, 255])
  const crop = await cutTiles(addon, { ...plain, aspect: 'crop' }, ramp(400, 200), most)
  assert.equal(crop.pixels.length, 336 * 336 * 3)
  assert.ok(Math.abs(crop.pixels[0] - 64) < 4, 'a quarter is cut off on the left')
})

test('auto takes the most tiles that fit, and says the numbers when none do', () => {
  const info = (contextPerSequence) => ({ contextPerSequence, vision: clip336 })
  const three = Array(3).fill({ width: 1280, height: 720 })
  const budget = { promptTokens: 100, maxTokens: 300 }
  const tokens = (maxTiles) => 3 * addon.tileLayout(clip336, 1280, 720, maxTiles).tokens
  const whole = tokens(4) + 400
  assert.equal(fitTiles(addon, info(whole), 'auto', three, budget), 4)
  const less = fitTiles(addon, info(whole - 1), 'auto', three, budget)
  assert.ok(less < 4 && tokens(less) + 400 < whole)
  assert.equal(fitTiles(addon, info(tokens(0) + 400), 'auto', three, budget), 0)
  assert.equal(fitTiles(addon, info(whole), 'off', three, budget), 0)
  assert.equal(fitTiles(addon, info(whole), 'full', three, budget), most)
  for (const anyres of ['auto', 'off'])
    assert.throws(() => fitTiles(addon, info(1000), anyres, three, budget), {
      code: 'context_overflow',
      message: `3 images need ${tokens(0)} tokens, the prompt 100 and the answer 300: ${tokens(0) + 400} of 1000 positions`
    })
  assert.throws(() => fitTiles(addon, info(whole - 1), 'full', three, budget), { code: 'context_overflow' })
})

test('scaling is centred: a mirrored picture gives the mirrored result', async () => {
  const noise = (x, y, c) => Math.imul(x * 73 + y * 151 + c * 29 + 7, 2654435761) >>> 24
  for (const [w, h, W, H] of [
    [40, 30, 100, 90],
    [320, 240, 336, 252],
    [200, 100, 120, 120],
    [335, 337, 336, 336]
  ]) {
    const draw = (flip) => ({
      width: w,
      height: h,
      data: Uint8Array.from({ length: w * h * 3 }, (_, i) =>
        noise(flip ? w - 1 - (Math.floor(i / 3) % w) : Math.floor(i / 3) % w, Math.floor(i / 3 / w), i % 3)
      )
    })
    const [a, b] = await Promise.all([stretch(draw(false), W, H), stretch(draw(true), W, H)])
    let sum = 0
    for (let i = 0; i < a.data.length; i++) {
      const [x, y] = [Math.floor(i / 3) % W, Math.floor(i / 3 / W)]
      sum += Math.abs(a.data[i] - b.data[(y * W + W - 1 - x) * 3 + (i % 3)])
    }
    assert.equal(sum, 0, `${w}x${h} to ${W}x${H}`)
  }
})
