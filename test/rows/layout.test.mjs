/** From input columns to output columns. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseLayout } from '../../dist/rows/layout.js'

const caption = { status: 'ok', text: 'A red circle.', numFrames: 120, error: null, usage: null }

test('every input column in its order, then ours', () => {
  const { columns, replaced, cells } = chooseLayout(['id', 'path', 'note'], 1, undefined)
  assert.deepEqual(replaced, [])
  assert.deepEqual(columns, ['id', 'path', 'note', 'text', 'num_frames', 'status', 'error', 'flags'])
  assert.deepEqual(cells(['7', 'a.mp4', 'n'], caption), ['7', 'a.mp4', 'n', 'A red circle.', 120, 'ok', null, null])
})

test('input columns named as ours are replaced, wherever they stand', () => {
  const { columns, replaced, cells } = chooseLayout(
    ['status', 'text', 'path', 'error', 'note', 'num_frames', 'flags'],
    2,
    undefined
  )
  assert.deepEqual(replaced, ['text', 'num_frames', 'status', 'error', 'flags'])
  assert.deepEqual(columns, ['path', 'note', 'text', 'num_frames', 'status', 'error', 'flags'])
  assert.deepEqual(cells(['old', 'old', 'a.mp4', 'old', 'n', '9', 'old'], caption), [
    'a.mp4',
    'n',
    'A red circle.',
    120,
    'ok',
    null,
    null
  ])
})

test('columns of one name are all kept, and names differ by case', () => {
  const { columns, cells } = chooseLayout(['path', 'a', 'a', 'Text'], 0, undefined)
  assert.deepEqual(columns.slice(0, 4), ['path', 'a', 'a', 'Text'])
  assert.deepEqual(cells(['p', '1', '2', 't'], caption).slice(0, 4), ['p', '1', '2', 't'])
})

test('cells keep the type that their table gave them', () => {
  const { cells } = chooseLayout(['n', 'big', 'yes', 'none', 'path'], 4, undefined)
  assert.deepEqual(cells([1.5, 2n ** 60n, true, null, 'p'], caption).slice(0, 5), [1.5, 2n ** 60n, true, null, 'p'])
})

test('a row that failed: no text, its error in one line', () => {
  const { cells } = chooseLayout(['path'], 0, undefined)
  const failed = { status: 'unreadable', text: '', numFrames: null, error: 'two\r\n  lines\tand a tab', usage: null }
  assert.deepEqual(cells(['p'], failed), ['p', '', null, 'unreadable', 'two lines and a tab', null])
  assert.equal(cells(['p'], { ...caption, flags: ['cut', 'unfinished'] }).at(-1), 'cut;unfinished')
})

test('a column for truncated files only where they are captioned', () => {
  const { columns, replaced, cells } = chooseLayout(['path', 'partial'], 0, { allowPartial: true })
  assert.deepEqual(replaced, ['partial'])
  assert.deepEqual(columns, ['path', 'text', 'num_frames', 'status', 'error', 'flags', 'partial'])
  assert.deepEqual(cells(['a.mp4', 'old'], { ...caption, partial: true }).at(-1), 'true')
  assert.deepEqual(cells(['a.mp4', 'old'], caption).at(-1), null)
  assert.deepEqual(chooseLayout(['path', 'partial'], 0).replaced, [])
})

test("open-sora: exactly that tool's columns", () => {
  const { columns, cells } = chooseLayout(['text', 'path', 'note', 'num_frames'], 1, { compat: 'open-sora' })
  assert.deepEqual(columns, ['path', 'text', 'num_frames'])
  assert.deepEqual(cells(['old', 'a.mp4', 'n', '9'], caption), ['a.mp4', 'A red circle.', 120])
  assert.deepEqual(cells(['old', 'a.mp4', 'n', '9'], { ...caption, status: 'missing', text: '', numFrames: null }), [
    'a.mp4',
    '',
    null
  ])
})
