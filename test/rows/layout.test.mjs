/** From input columns to output columns. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseLayout } from '../../dist/rows/layout.js'

const caption = { status: 'ok', text: 'A red circle.', numFrames: 120, error: null, usage: null }

test('every input column in its order, then ours', () => {
  const { columns, replaced, cells } = chooseLayout({ columns: ['id', 'path', 'note'], pathColumn: 1 })
  assert.deepEqual(replaced, [])
  assert.deepEqual(columns, ['id', 'path', 'note', 'text', 'num_frames', 'status', 'error', 'flags'])
  assert.deepEqual(cells(['7', 'a.mp4', 'n'], caption), ['7', 'a.mp4', 'n', 'A red circle.', 120, 'ok', null, null])
})

test('input columns named as ours are replaced, wherever they stand', () => {
  const { columns, replaced, cells } = chooseLayout({
    columns: ['status', 'text', 'path', 'error', 'note', 'num_frames', 'flags'],
    pathColumn: 2
  })
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
  const { columns, cells } = chooseLayout({ columns: ['path', 'a', 'a', 'Text'], pathColumn: 0 })
  assert.deepEqual(columns.slice(0, 4), ['path', 'a', 'a', 'Text'])
  assert.deepEqual(cells(['p', '1', '2', 't'], caption).slice(0, 4), ['p', '1', '2', 't'])
})

test('cells keep the type that their table gave them', () => {
  const { cells } = chooseLayout({ columns: ['n', 'big', 'yes', 'none', 'path'], pathColumn: 4 })
  assert.deepEqual(cells([1.5, 2n ** 60n, true, null, 'p'], caption).slice(0, 5), [1.5, 2n ** 60n, true, null, 'p'])
})

test('what a column holds stays with it; ours hold text and whole numbers', () => {
  const types = ['a', 'text', 'path'].map((name) => ({ element: { name, type: 'DOUBLE' }, children: [] }))
  const layout = chooseLayout({ columns: ['a', 'text', 'path'], types, pathColumn: 2 })
  assert.deepEqual(layout.types.slice(0, 2), [types[0], types[2]])
  const ours = layout.types.slice(2).map(({ element }) => element.converted_type ?? element.type)
  assert.deepEqual(ours, ['UTF8', 'INT64', 'UTF8', 'UTF8', 'UTF8'])
})

test('a row that failed: no text, its error in one line', () => {
  const { cells } = chooseLayout({ columns: ['path'], pathColumn: 0 })
  const failed = { status: 'unreadable', text: '', numFrames: null, error: 'two\r\n  lines\tand a tab', usage: null }
  assert.deepEqual(cells(['p'], failed), ['p', null, null, 'unreadable', 'two lines and a tab', null])
  assert.equal(cells(['p'], { ...caption, flags: ['cut', 'unfinished'] }).at(-1), 'cut;unfinished')
})

test('a column for truncated files only where they are captioned', () => {
  const { columns, replaced, cells } = chooseLayout(
    { columns: ['path', 'partial'], pathColumn: 0 },
    { allowPartial: true }
  )
  assert.deepEqual(replaced, ['partial'])
  assert.deepEqual(columns, ['path', 'text', 'num_frames', 'status', 'error', 'flags', 'partial'])
  assert.deepEqual(cells(['a.mp4', 'old'], { ...caption, partial: true }).at(-1), 'true')
  assert.deepEqual(cells(['a.mp4', 'old'], caption).at(-1), null)
  assert.deepEqual(chooseLayout({ columns: ['path', 'partial'], pathColumn: 0 }).replaced, [])
})

test("open-sora: exactly that tool's columns", () => {
  const { columns, cells } = chooseLayout(
    { columns: ['text', 'path', 'note', 'num_frames'], pathColumn: 1 },
    { compat: 'open-sora' }
  )
  assert.deepEqual(columns, ['path', 'text', 'num_frames'])
  assert.deepEqual(cells(['old', 'a.mp4', 'n', '9'], caption), ['a.mp4', 'A red circle.', 120])
  assert.deepEqual(cells(['old', 'a.mp4', 'n', '9'], { ...caption, status: 'missing', text: '', numFrames: null }), [
    'a.mp4',
    null,
    null
  ])
})
