/** Damaged media files through whole runs: `npm run fuzz:media` takes many more. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { damageMedia } from '../helpers/damage-media.mjs'
import { fuzzMedia } from '../helpers/fuzz-media.mjs'
import { temporaryFolder } from '../helpers/media.mjs'
import { Random } from '../helpers/random-tables.mjs'

for (const [by, count] of [
  ['libraries', 130],
  ['command', 20]
]) {
  test(`damaged files are answered one by one, and nothing is left of them: ${by}`, async () => {
    const { [by]: counts } = await fuzzMedia({ seed: 31, count, folder: temporaryFolder(), by: [by] })
    assert.ok(counts.ok > count / 10 && counts.unreadable > count / 10, JSON.stringify(counts))
    assert.equal(counts.unforeseen, undefined)
  })
}

test('a seed gives the same damage again', () => {
  const bytes = Buffer.from('ftypisommoov'.repeat(100))
  const damage = (seed) => damageMedia(new Random(seed), bytes, Buffer.from(bytes).reverse())
  assert.deepEqual(damage(7), damage(7))
  assert.notDeepEqual(damage(7).bytes, damage(8).bytes)
})
