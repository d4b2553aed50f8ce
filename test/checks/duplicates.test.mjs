/** One caption on many files. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DuplicateCount, manyOf } from '../../dist/checks/duplicates.js'

test('ten files, or a thousandth of them, are many', () => {
  assert.deepEqual([1, 10, 10_000, 10_001, 1_000_000].map(manyOf), [10, 10, 10, 11, 1000])
})

test('counts are those of the files, whatever capitals and blanks, in constant memory', () => {
  const counts = new DuplicateCount()
  const rows = 100_000
  for (let i = 0; i < rows; i++) {
    counts.add(`A caption of its own, number ${i}.`, `/${i}.mp4`)
    if (i % 100 === 0) counts.add(i % 200 ? 'A man walks.' : ' a MAN\nwalks. ', `/${i}.mp4`)
  }
  assert.equal(counts.count('A man walks.'), rows / 100)
  assert.equal(counts.most, rows / 100)
  assert.equal(counts.count('A man runs.'), 0)
  let above = 0
  for (let i = 0; i < rows; i++) above += counts.count(`A caption of its own, number ${i}.`) > 1 ? 1 : 0
  assert.ok(above < rows / 50, `${above} are counted above 1`)
})

test('rows of one file count once while they come one after another', () => {
  const counts = new DuplicateCount()
  for (let i = 0; i < 50; i++) {
    counts.add('A man walks.', '/one.mp4')
    counts.add(`Other ${i}.`, `/${i}.mp4`)
  }
  assert.equal(counts.count('A man walks.'), 1)
  assert.equal(counts.most, 1)
})
