/** Every file is formatted and linted as biome.json and .clang-format say, and the check does find what is not. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { root } from '../helpers/cli.mjs'
import { temporaryFolder } from '../helpers/media.mjs'

const folder = temporaryFolder()
const run = (command, args, cwd = root) => {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' })
  return { status, text: `${stdout}${stderr}` }
}
const tool = (name) => path.join(root, 'node_modules', '.bin', name)

test('every file is as it should be', () => {
  const { status, text } = run(process.execPath, [path.join(root, 'scripts', 'format.mjs')])
  assert.equal(status, 0, text)
})

/** A copy of the file in a folder that has the repository's settings and nothing else. */
function copy(file, name, change = (text) => text) {
  const at = path.join(folder, name)
  fs.mkdirSync(at)
  // Biome asks for what git ignores, where biome.json says so.
  for (const settings of ['biome.json', '.clang-format', '.gitignore']) {
    fs.copyFileSync(path.join(root, settings), path.join(at, settings))
  }
  const before = fs.readFileSync(path.join(root, file), 'utf8')
  const text = change(before)
  if (name !== 'whole' && name !== 'whole-cpp') assert.notEqual(text, before, 'the copy is another')
  fs.writeFileSync(path.join(at, path.basename(file)), text)
  return at
}

const biome = (at) => run(tool('biome'), ['check', '--error-on-warnings', '.'], at)
const clangFormat = (at, file) => run(tool('clang-format'), ['--dry-run', '--Werror', file], at)

test('TypeScript: a copy passes, one with semicolons, wide lines or something unused does not', () => {
  const file = 'src/ordered.ts'
  const whole = biome(copy(file, 'whole'))
  assert.equal(whole.status, 0, whole.text)
  for (const [name, change] of [
    ['semicolons', (text) => text.replace(/^( +)(.*[\w)'])$/gm, '$1$2;')],
    ['quotes', (text) => `${text}\nexport const quoted = "so"\n`],
    ['wide', (text) => `${text}\nexport const wide = [${Array(40).fill('"item"').join(', ').replace(/"/g, "'")}]\n`],
    ['equality', (text) => `${text}\nexport const same = (a: unknown, b: unknown) => a == b\n`]
  ]) {
    const { status, text } = biome(copy(file, name, change))
    assert.notEqual(status, 0, name)
    assert.match(text, /ordered\.ts/, name)
  }
})

test('C++: a copy passes, one badly indented does not', () => {
  const file = 'native/core/log.cpp'
  const whole = clangFormat(copy(file, 'whole-cpp'), 'log.cpp')
  assert.equal(whole.status, 0, whole.text)
  for (const [name, change] of [
    ['indented', (text) => text.replace(/^ {4}/gm, '  ')],
    ['spaces', (text) => text.replace(/\(/g, '( ')]
  ]) {
    const { status, text } = clangFormat(copy(file, name, change), 'log.cpp')
    assert.notEqual(status, 0, name)
    assert.match(text, /log\.cpp.*clang-format/, name)
  }
})
