/**
 * Checks that every file is formatted and linted: TypeScript, JavaScript and JSON by Biome (biome.json), C and C++ by
 * clang-format (.clang-format), and that no line is longer than 120 columns: the formatters leave long strings and
 * comments as they are. `--write` mends what can be mended. Both tools are pinned in package-lock.json.
 */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const write = process.argv.includes('--write')

const columns = 120
const folders = ['src', 'native', 'test', 'scripts', 'bench', 'tools']
const files = folders.flatMap((folder) =>
  readdirSync(path.join(root, folder), { recursive: true })
    .filter((name) => /\.(ts|mjs|c|cpp|h|py)$/.test(name) && !name.includes('.cache'))
    .map((name) => path.join(folder, name))
)
const sources = files.filter((name) => /\.(c|cpp|h)$/.test(name))
const good = [
  run('biome', ['check', ...(write ? ['--write'] : []), '--error-on-warnings', '.']),
  run('clang-format', [...(write ? ['-i'] : ['--dry-run', '--Werror']), ...sources]),
  checkWidth()
]
if (good.includes(false)) {
  if (!write) console.error('format: npm run format mends what can be mended')
  process.exit(1)
}

function run(command, args) {
  const { status, error } = spawnSync(path.join(root, 'node_modules', '.bin', command), args, {
    cwd: root,
    stdio: 'inherit'
  })
  if (error) console.error(`format: ${command} could not be run (${error.message}); npm run setup brings it`)
  return status === 0
}

function checkWidth() {
  let good = true
  for (const file of files) {
    for (const [i, line] of readFileSync(path.join(root, file), 'utf8').split('\n').entries()) {
      const width = [...line].length
      if (width <= columns) continue
      console.error(`format: ${file}:${i + 1} has ${width} columns; break it at ${columns}`)
      good = false
    }
  }
  return good
}
