/** What the pages and the help show is what works: every command line and every program in them is run. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { describe, test } from 'node:test'
import * as library from 'vcap-native'
import { cli, root } from '../helpers/cli.mjs'
import { codeBlocks, commandsOf, openWorkshop } from '../helpers/examples.mjs'

const pages = ['README.md', ...fs.readdirSync(path.join(root, 'docs')).map((name) => `docs/${name}`)].filter((name) =>
  name.endsWith('.md')
)
const workshop = await openWorkshop()
const scripts = Object.keys(JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')).scripts)

/** A build without CUDA has no GPU to give: that is said, and the rest of the line was right. */
const hasNoGpu = /GPU \d+ was asked for/

/** Lines that have worked, or are being tried, alone in a fresh folder. */
const known = new Set()

/** Runs lines one after the other in a fresh folder; where the first captions nothing, a finished run is there. */
async function runLines(lines) {
  if (lines.length === 1 && known.has(lines[0].trim())) return
  known.add(lines[0].trim())
  const folder = /vcap-native (run|samples|gpt4|demo) /.test(lines[0]) ? workshop.furnish() : workshop.furnishFinished()
  for (const line of lines) await runLine(line, folder)
}

async function runLine(line, folder) {
  const { status, said } = await workshop.call('bash', ['-o', 'pipefail', '-c', line], folder)
  if (status === 2 && /--gpus [0-9]/.test(line)) assert.match(said, hasNoGpu, line)
  else assert.equal(status, 0, `${line}\n${said}`)
}

/** Two at once: what a command waits for, another one does not. */
const lanes = { concurrency: 2 }

describe('the pages', lanes, () => {
  for (const block of pages.flatMap(codeBlocks)) testBlock(block)
})

function testBlock(block) {
  const lines = commandsOf(block)
  const where = `${block.file}:${block.line}`
  if (lines.length > 0) {
    test(`${where}: ${lines.length === 1 ? lines[0] : `${lines.length} commands`}`, () => runLines(lines))
  }
  if (block.language === 'js') {
    test(`${where}: ${block.lines[0]}`, async () => {
      const folder = workshop.furnish()
      fs.writeFileSync(path.join(folder, 'example.mjs'), program(block.lines.join('\n')))
      const { status, said } = await workshop.call(process.execPath, ['example.mjs'], folder)
      assert.equal(status, 0, said)
    })
  }
}

/** A page's program with the imports that its reader would add. */
function program(text) {
  const used = Object.keys(library).filter((name) => new RegExp(`\\b${name}\\(`).test(text))
  const missing = text.includes("from 'vcap-native'") ? [] : used
  const ours = missing.length > 0 ? `import { ${missing.join(', ')} } from 'vcap-native'\n` : ''
  return `${/\bfs\./.test(text) ? "import fs from 'node:fs'\n" : ''}${ours}${text}\n`
}

test('every npm script that a page names is there', () => {
  for (const page of pages) {
    const text = fs.readFileSync(path.join(root, page), 'utf8')
    for (const [, name] of text.matchAll(/npm run ([\w:-]+)/g)) assert.ok(scripts.includes(name), `${page}: ${name}`)
  }
})

/** The commands by name, as the help lists them. */
async function commandNames() {
  const { stdout } = await cli(['--help'])
  const [, list] = stdout.split(/^Commands:$/m)
  return [...list.matchAll(/^ {2}(\w[\w-]*)/gm)].map(([, name]) => name).filter((name) => name !== 'help')
}

test('the help of every command fits a screen and has two examples, which work', lanes, async (t) => {
  const names = await commandNames()
  assert.ok(names.length >= 6)
  const testOne = (name) =>
    t.test(name, async () => {
      const { stdout, status } = await cli([name, '--help'])
      assert.equal(status, 0)
      const lines = stdout.trimEnd().split('\n')
      assert.ok(lines.length <= 40, `${lines.length} lines`)
      for (const line of lines) assert.ok(line.length <= 80, line)
      const examples = lines.filter((line) => line.startsWith('  npx vcap-native '))
      assert.ok(examples.length >= 2, stdout)
      for (const example of examples) {
        assert.match(example, new RegExp(`vcap-native ${name}\\b`))
        await runLines([example])
      }
    })
  await Promise.all(names.map(testOne))
})
