/** The session of the reference's page, with our commands: folder, table, captions in parts, one table, an API. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { apiServer } from '../helpers/api-server.mjs'
import { cli, readCells, readRows } from '../helpers/cli.mjs'
import { temporaryFolder } from '../helpers/media.mjs'
import { demoSamples } from '../helpers/samples.mjs'

const clips = 30
const images = 10

test('folder → table → captions in parts → one table, and folder → captions by an API', async (t) => {
  const { folder, samples } = await demoSamples({ clips, images, largest: 160, seed: 7 })
  const work = temporaryFolder()
  const media = path.join(work, 'media')
  const expected = new Map()
  for (const [index, { path: name, expected: text }] of samples.entries()) {
    const place = path.join(media, index % 3 === 0 ? 'a folder' : '', name)
    fs.mkdirSync(path.dirname(place), { recursive: true })
    fs.renameSync(path.join(folder, name), place)
    expected.set(place, text)
  }
  fs.writeFileSync(path.join(media, 'notes.txt'), 'no video')
  fs.writeFileSync(path.join(media, 'broken.mp4'), 'no video either')

  const call = async (...args) => {
    const ended = await cli(args, { cwd: work })
    assert.ok([0, 3].includes(ended.status), `${args.join(' ')}\n${ended.stderr}`)
    return ended
  }
  const rows = (name) => readRows(path.join(work, name))
  const captions = (table) => new Map(table.map(({ path: place, text }) => [place, text]))
  const local = ['--model', 'demo', '--gpus', 'none']

  await t.test('samples', async () => {
    await call('samples', 'media', 'meta.csv', '--probe', '--min-frames', '1')
    const table = rows('meta.csv')
    assert.equal(table.length, clips + images, 'what cannot be used is not there')
    assert.deepEqual(Object.keys(table[0]).slice(0, 1), ['path'])
    for (const name of ['num_frames', 'height', 'width', 'aspect_ratio', 'fps', 'resolution', 'duration']) {
      assert.ok(name in table[0], name)
    }
    for (const row of table) {
      assert.equal(Number(row.resolution), row.height * row.width)
      assert.ok(Math.abs(row.aspect_ratio - row.height / row.width) < 1e-6)
    }
  })

  await t.test('run in three parts, and merge', async () => {
    await call('run', 'meta.csv', 'whole.csv', ...local)
    for (const shard of [0, 1, 2]) await call('run', 'meta.csv', `part-${shard}.csv`, '--shard', `${shard}/3`, ...local)
    await call('merge', 'part-0.csv', 'part-1.csv', 'part-2.csv', '--output', 'captions.csv')
    const bytes = (name) => fs.readFileSync(path.join(work, name), 'utf8')
    assert.equal(bytes('captions.csv'), bytes('whole.csv'))
    const made = captions(rows('captions.csv'))
    const right = [...expected].filter(([place, text]) => made.get(place) === text).length
    assert.ok(right >= 0.9 * expected.size, `${right} of ${expected.size} are right`)
  })

  await t.test('join, and the columns of the reference', async () => {
    await call('join', 'meta.csv', 'captions.csv', '--output', 'joined.csv')
    assert.deepEqual(captions(rows('joined.csv')), captions(rows('captions.csv')))
    await call('run', 'meta.csv', 'theirs.csv', '--compat', 'open-sora', ...local)
    assert.deepEqual(readCells(path.join(work, 'theirs.csv'))[0], ['path', 'text', 'num_frames'])
  })

  await t.test('run and gpt4 on the folder itself', async () => {
    await call('run', 'media', 'folder.csv', ...local)
    const table = rows('folder.csv')
    assert.equal(table.length, clips + images + 1)
    assert.deepEqual(
      table.filter(({ status }) => status !== 'ok').map(({ path: place }) => path.basename(place)),
      ['broken.mp4']
    )
    const server = await apiServer()
    try {
      await call('gpt4', 'media', 'gpt.csv', '--base-url', server.url, '--key', 'sk-test', '--max-tokens', '300')
      const answered = rows('gpt.csv').filter(({ status }) => status === 'ok')
      assert.equal(answered.length, clips + images)
      assert.equal(server.log.bodies.length, clips + images, 'each is asked for once')
    } finally {
      await server.close()
    }
  })
})
