import assert from 'node:assert/strict'
import test from 'node:test'
import { SceneRenderer } from '../../dist/demo/draw.js'
import { Random } from '../../dist/demo/random.js'
import { captionOf, colours, backgrounds, drawScene, motions, subjectOf } from '../../dist/demo/world.js'

const scenes = (count, options) => {
  const random = new Random(5)
  return Array.from({ length: count }, () => drawScene(random, options))
}

test('the same seed draws the same world', () => {
  assert.deepEqual(scenes(20), scenes(20))
  const [scene] = scenes(1, { largest: 130 })
  assert.deepEqual(new SceneRenderer(scene, 3).frame(2).data, new SceneRenderer(scene, 3).frame(2).data)
})

test('sizes, lengths and ways are those of the world, and the shape stays inside the frame', () => {
  const seen = new Set()
  for (const { subject, width, height, fps, length, from, to } of scenes(3000)) {
    seen.add(subject.motion)
    const short = Math.min(width, height)
    assert.ok(short >= 118 && short <= 722 && width % 2 === 0 && height % 2 === 0)
    assert.ok(width / height > 0.55 && width / height < 1.81)
    assert.ok(fps >= 10 && fps <= 30 && length >= fps - 1 && length <= fps * 6 + 1)
    for (const { x, y, r } of [from, to])
      assert.ok(x - r > -1e-6 && y - r > -1e-6 && x + r < width + 1e-6 && y + r < height + 1e-6)
    const [dx, dy] = [(to.x - from.x) / width, (to.y - from.y) / height]
    const sideways =
      subject.motion === 'moves from left to right' ? dx : subject.motion === 'moves from right to left' ? -dx : 0
    const upright = subject.motion === 'moves downward' ? dy : subject.motion === 'moves upward' ? -dy : 0
    if (subject.motion.startsWith('moves')) {
      assert.ok(sideways + upright > 0.499 && sideways + upright < 0.651, `${subject.motion}: ${dx}, ${dy}`)
      assert.ok(Math.min(Math.abs(dx), Math.abs(dy)) < 1e-9)
    } else assert.ok(Math.abs(dx) + Math.abs(dy) < 1e-9)
    const growth = to.r / from.r
    assert.ok(
      Math.abs(growth - (subject.motion === 'grows larger' ? 3 : subject.motion === 'shrinks' ? 1 / 3 : 1)) < 1e-6
    )
  }
  assert.equal(seen.size, motions.length)
})

test('captions', () => {
  assert.equal(
    captionOf({ shape: 'circle', colour: 'red', background: 'black', motion: 'moves from left to right' }),
    'A red circle moves from left to right on a black background.'
  )
  assert.equal(
    captionOf({ shape: 'cross', colour: 'orange', background: 'teal', motion: undefined }),
    'An orange cross on a teal background.'
  )
  for (const { subject } of [...scenes(200), ...scenes(50, { still: true })])
    assert.deepEqual(subjectOf(captionOf(subject)), subject)
  assert.equal(subjectOf('A dog.'), undefined)
})

test('pictures show the shape in its colour on its background', () => {
  for (const scene of scenes(60, { largest: 200 })) {
    const { data, width } = new SceneRenderer(scene, 1).frame(0)
    // The centre of mass of each shape is inside it.
    const centre = (Math.floor(scene.from.y + scene.from.r / 6) * width + Math.floor(scene.from.x)) * 3
    const near = (place, [r, g, b], most) =>
      [r, g, b].every((value, c) => Math.abs(data[place + c] - value) <= most + value * 0.1)
    assert.ok(
      near(centre, colours[scene.subject.colour], 32),
      `${captionOf(scene.subject)}: ${data.slice(centre, centre + 3)}`
    )
    const corners = [0, (width - 1) * 3].filter((place) => near(place, backgrounds[scene.subject.background], 32))
    assert.ok(corners.length > 0)
  }
})
