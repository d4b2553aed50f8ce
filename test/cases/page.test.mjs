/** docs/failure-cases.md says what the cases say, and each case is one that a test tries. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { root } from '../helpers/cli.mjs'
import { allCases, renderPage } from './page.mjs'
import { runCases } from './runs.mjs'
import { matches } from './says.mjs'

test('the page is what the cases give', () => {
  const page = fs.readFileSync(path.join(root, 'docs', 'failure-cases.md'), 'utf8')
  assert.ok(page === renderPage(), 'docs/failure-cases.md is not what the cases say: npm run cases:page writes it')
})

test('there are at least 90 cases, each by a name of its own', () => {
  const names = allCases.map(({ group, name }) => `${group}: ${name}`)
  assert.ok(names.length >= 90, `${names.length} cases`)
  assert.equal(new Set(names).size, names.length, names.filter((name, i) => names.indexOf(name) !== i).join())
  const files = allCases.flatMap(({ file, frames, status }) => (frames || status ? [file] : []))
  assert.equal(new Set(files).size, files.length, 'no file is made twice')
})

test('the tests that show what happens to a run are there', () => {
  for (const { name, file, title } of runCases) {
    const source = fs.readFileSync(path.join(root, 'test', file), 'utf8')
    assert.ok(source.includes(title), `${name}: test/${file} has no test "${title}"`)
  }
})

test('… stands for anything, and for nothing; all else is to the letter', () => {
  assert.ok(matches('a (b)…', 'a (b)') && matches('…: c.', 'x\ny: c.') && matches('a', 'a'))
  assert.ok(!matches('a', 'ab') && !matches('a.c', 'abc') && !matches('…b', 'a') && !matches('a…', 'ba'))
})
